use http::HeaderMap;

use super::*;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::id::{EventId, Namespace, PaymentId, ProviderName, Reference, RefundId};
use crate::mode::{ModeKind, Test};
use crate::money::{Currency, Money};
use crate::payment::{Payment, PaymentStatus};
use crate::refund::{Refund, RefundStatus};

const AT: Timestamp = Timestamp::from_unix(7);

fn psp() -> ProviderName {
    ProviderName::new("psp").unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn payment(of: Option<&str>) -> EventKind<Test> {
    let id = PaymentId::new(psp(), "pi_1").unwrap();
    let amount = Money::new(2000, Currency::EUR);
    let mut payment = Payment::new(id, PaymentStatus::Captured, amount, AT);
    payment.reference = of.map(reference);
    EventKind::Payment(Box::new(payment))
}

fn refund() -> EventKind<Test> {
    let id = RefundId::new(psp(), "re_1").unwrap();
    let of = PaymentId::new(psp(), "pi_1").unwrap();
    let amount = Money::new(2000, Currency::EUR);
    EventKind::Refund(Box::new(Refund::new(
        id,
        of,
        RefundStatus::Pending,
        amount,
        AT,
    )))
}

fn draft(kind: EventKind<Test>) -> EventDraft<Test> {
    EventDraft::new(
        EventId::new(psp(), "evt_1").unwrap(),
        "payment.captured",
        AT,
        kind,
    )
}

#[test]
fn a_refusal_says_why_and_asks_for_another_delivery_only_where_one_can_succeed() {
    use ErrorKind::{NotAuthentic, Unavailable, UnexpectedResponse};
    use WebhookRefusalKind as Kind;
    for (kind, name, answer, error) in [
        (
            Kind::MissingSignature,
            "missing signature",
            400,
            NotAuthentic,
        ),
        (
            Kind::MalformedSignature,
            "malformed signature",
            400,
            NotAuthentic,
        ),
        (Kind::WrongSignature, "wrong signature", 400, NotAuthentic),
        (
            Kind::UntrustedCertificate,
            "untrusted certificate",
            400,
            NotAuthentic,
        ),
        (Kind::Stale, "stale", 400, NotAuthentic),
        (Kind::Future, "future", 400, NotAuthentic),
        (Kind::OtherMode, "other mode", 400, NotAuthentic),
        (Kind::TooLarge, "too large", 413, NotAuthentic),
        (Kind::Unreadable, "unreadable", 400, UnexpectedResponse),
        (Kind::Unverifiable, "unverifiable", 503, Unavailable),
        (
            Kind::Unsupported,
            "unsupported",
            501,
            ErrorKind::Unsupported,
        ),
    ] {
        let refusal = WebhookRefusal::new(kind, "look here");
        assert_eq!((refusal.kind(), kind.name()), (kind, name));
        assert_eq!((refusal.answer(), refusal.hint()), (answer, "look here"));
        assert_eq!(refusal.to_string(), format!("{name}: look here"));
        assert_eq!(Error::from(refusal).kind(), &error);
    }
}

#[test]
fn an_event_says_what_its_draft_said() {
    let draft = draft(payment(Some("shop:A-1:1")))
        .with_authenticity(Authenticity::HeaderOnly)
        .with_secret_index(2);
    let event = Event::from_verified(draft);
    assert_eq!(
        (event.id().raw(), event.type_text()),
        ("evt_1", "payment.captured")
    );
    assert_eq!((event.occurred_at(), event.secret_index()), (AT, 2));
    assert_eq!(event.authenticity(), Authenticity::HeaderOnly);
    assert_eq!(event.reference(), Some(&reference("shop:A-1:1")));
    assert_eq!(event.payment().unwrap().id.raw(), "pi_1");

    let proven = event.proven(refund());
    assert_eq!(proven.authenticity(), Authenticity::Body);
    assert_eq!(proven.kind().name(), "refund");
    assert!(proven.payment().is_none());
}

#[test]
fn what_an_event_is_about_has_a_fixed_name() {
    for (kind, name) in [
        (payment(None), "payment"),
        (refund(), "refund"),
        (EventKind::NotAboutPayments, "not about payments"),
        (EventKind::Unrecognized, "unrecognized"),
    ] {
        assert_eq!(kind.name(), name);
    }
}

/// A payment names its own order; what is about something else has it beside.
#[test]
fn notices_of_another_installation_are_set_aside() {
    let shop = Namespace::new("shop").unwrap();
    let beside = |text: &str| Some(reference(text));
    for (draft, is_ours) in [
        (draft(payment(Some("shop:A-1:1"))), true),
        (draft(payment(Some("other:A-1:1"))), false),
        (
            draft(payment(None)).with_reference(beside("other:A-1:1")),
            true,
        ),
        (draft(refund()), true),
        (draft(refund()).with_reference(beside("shop:A-1:1")), true),
        (draft(refund()).with_reference(beside("other:A-1:1")), false),
    ] {
        match Notice::Event(draft).within(&shop) {
            Notice::Event(draft) => assert!(is_ours, "{draft:?}"),
            Notice::SetAside(aside) => {
                assert!(!is_ours, "{aside:?}");
                assert_eq!(
                    (&*aside.id, &*aside.type_text),
                    ("evt_1", "payment.captured")
                );
                assert_eq!(aside.reason, SetAsideReason::OtherInstallation);
            }
            Notice::Rejected(refusal) => panic!("{refusal}"),
        }
    }
    let found = ModeKind::Live;
    for (reason, name) in [
        (SetAsideReason::WrongMode { found }, "wrong mode"),
        (SetAsideReason::OtherAccount, "another account"),
        (SetAsideReason::OtherInstallation, "another installation"),
    ] {
        assert_eq!(reason.name(), name);
    }
}

#[test]
fn a_request_keeps_headers_and_body_as_they_came() {
    let request = http::Request::post("/hook")
        .header("x-signature", "abc")
        .body("{}")
        .unwrap();
    let request = WebhookRequest::from(request);
    let headers: &HeaderMap = request.headers();
    assert_eq!(headers.get("x-signature").unwrap(), "abc");
    assert_eq!(request.body(), b"{}");
    let mut delivery = Delivery::<Test> {
        events: Vec::new(),
        set_aside: Vec::new(),
        rejected: Vec::new(),
    };
    assert_eq!(delivery.answer(), 200);
    let refusal = WebhookRefusal::new(WebhookRefusalKind::WrongSignature, "one of several");
    delivery.rejected.push(refusal);
    assert_eq!(delivery.answer(), 400);
}
