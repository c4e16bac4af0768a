//! Genuine webhooks: what each says, and to whom.

use serde_json::Value;

use crate::capability::Operation;
use crate::conformance::rig::{SignedWith, Unable, UnusualNotice};
use crate::conformance::stage::{Proof, Stage, Stop, ensure};
use crate::id::Namespace;
use crate::ledger::Ledger;
use crate::mode::{ModeKind, Test};
use crate::payment::PaymentStatus;
use crate::webhook::{
    Event, EventKind, SetAside, SetAsideReason, WebhookRefusalKind, WebhookRequest,
};

pub(crate) async fn a_genuine_notice_is_accepted(stage: &Stage<'_>) -> Proof {
    let webhook = stage.genuine_webhook().await?;
    let delivery = stage.provider.webhook(&webhook).await?;
    ensure!(
        !delivery.events.is_empty() && delivery.answer() == 200,
        "a genuine notice gave no event"
    );
    let promised = stage.provider.capabilities().webhook_authenticity;
    ensure!(
        delivery
            .events
            .iter()
            .all(|event| event.authenticity() == promised),
        "an event proves something else than the capabilities say, {promised:?}"
    );
    Ok(())
}

pub(crate) async fn every_notice_carries_the_reference(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    let (request, payment) = stage.paid(2000).await?;
    let reference = stage.provider.reference(&request);
    let events = stage.deliver().await?;
    let mut paid = false;
    for told in events.iter().filter_map(Event::payment) {
        ensure!(
            told.reference.as_ref() == Some(&reference) && told.is_same_as(&payment),
            "a notice about {reference} names {:?}",
            told.reference
        );
        paid |= told.status == PaymentStatus::Captured;
    }
    ensure!(paid, "no notice says that the payment was captured");
    Ok(())
}

pub(crate) async fn redelivered_and_reordered_notices_converge(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    let (request, payment) = stage.paid(2000).await?;
    if stage.supports(Operation::Refund) {
        stage.refund(&payment, 2000, "goodwill").await??;
    }
    let mut webhooks = stage.webhooks();
    let in_order = fold(stage, &webhooks).await?;
    let books = stage.booked(&request)?;
    ensure!(
        in_order.net()? == books.captured.checked_sub(books.refunded)?,
        "the notices add up to {}, and the service has {books:?}",
        in_order.net()?
    );
    for _ in 0..2 {
        webhooks.reverse();
        for _ in 0..webhooks.len() {
            webhooks.rotate_left(1);
            let twice = [webhooks.as_slice(), webhooks.as_slice()].concat();
            let other = fold(stage, &twice).await?;
            ensure!(
                text(&other)? == text(&in_order)?,
                "the same notices in another order, twice, end in {other:?}, not {in_order:?}"
            );
        }
    }
    Ok(())
}

pub(crate) async fn a_test_notice_at_the_live_endpoint_is_set_aside(stage: &Stage<'_>) -> Proof {
    let webhook = stage.genuine_webhook().await?;
    let live = stage.rig.live_provider(stage.provider.namespace());
    let delivery = match live.webhook(&webhook).await {
        Ok(delivery) => delivery,
        // Where the mode stands in what the signature is checked by, nothing else can be checked.
        Err(refusal) if refusal.kind() == WebhookRefusalKind::OtherMode => return Ok(()),
        Err(refusal) => return Err(refusal.into()),
    };
    let reason = SetAsideReason::WrongMode {
        found: ModeKind::Test,
    };
    ensure!(
        delivery.events.is_empty() && delivery.answer() == 200,
        "the live endpoint took a test event, or did not acknowledge it"
    );
    is_set_aside(&delivery.set_aside, &reason)
}

pub(crate) async fn a_notice_of_another_installation_is_set_aside(stage: &Stage<'_>) -> Proof {
    let webhook = stage.genuine_webhook().await?;
    let other = stage.rig.provider(&Namespace::new("other-shop")?);
    let delivery = other.webhook(&webhook).await?;
    ensure!(
        delivery.events.is_empty() && delivery.answer() == 200,
        "an installation took the event of another, or did not acknowledge it"
    );
    is_set_aside(&delivery.set_aside, &SetAsideReason::OtherInstallation)
}

pub(crate) async fn a_notice_not_about_payments_says_so(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    let events = unusual(stage, UnusualNotice::NotAboutPayments).await?;
    ensure!(
        !events.is_empty()
            && events
                .iter()
                .all(|event| matches!(event.kind(), EventKind::NotAboutPayments)),
        "a notice that is not about payments became {events:?}"
    );
    Ok(())
}

pub(crate) async fn an_unknown_type_is_tolerated(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    let events = unusual(stage, UnusualNotice::UnknownType).await?;
    ensure!(
        !events.is_empty()
            && events
                .iter()
                .all(|event| matches!(event.kind(), EventKind::Unrecognized)),
        "a notice of an unknown type became {events:?}"
    );
    Ok(())
}

pub(crate) async fn an_unknown_status_is_neither_success_nor_failure(stage: &Stage<'_>) -> Proof {
    stage.needs(Operation::VerifyWebhook).await?;
    let payment = stage.provider.create(&stage.request("A-1", 2000)?).await?;
    let events = unusual(stage, UnusualNotice::UnknownStatus(&payment)).await?;
    let mut told = events.iter().filter_map(Event::payment);
    ensure!(
        matches!(told.next(), Some(told) if matches!(told.status, PaymentStatus::Unrecognized(_))),
        "a status that nobody knows became {events:?}"
    );
    Ok(())
}

pub(crate) async fn unknown_fields_are_ignored(stage: &Stage<'_>) -> Proof {
    let webhook = stage.genuine_webhook().await?;
    let Ok(mut body) = serde_json::from_slice::<Value>(webhook.body()) else {
        return Err(Stop::NotProven(
            "the notice is not JSON: no field can be added".into(),
        ));
    };
    add_a_field_to_every_object(&mut body);
    let before = stage.verify(&[webhook]).await?;
    let after = stage
        .verify(&[sign(stage, body.to_string().as_bytes())?])
        .await?;
    let ids = |events: &[Event<Test>]| -> Vec<_> {
        events.iter().map(|event| event.id().clone()).collect()
    };
    ensure!(
        !after.is_empty() && ids(&before) == ids(&after),
        "a notice with new fields is read as {after:?}"
    );
    Ok(())
}

fn add_a_field_to_every_object(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(add_a_field_to_every_object);
            fields.insert("a_field_of_tomorrow".into(), "new".into());
        }
        Value::Array(items) => items.iter_mut().for_each(add_a_field_to_every_object),
        _ => {}
    }
}

async fn unusual(stage: &Stage<'_>, notice: UnusualNotice<'_>) -> Proof<Vec<Event<Test>>> {
    let body = stage.rig.unusual_notice(notice);
    let body =
        body.map_err(|Unable| Stop::NotProven(format!("the rig has no notice {notice:?}")))?;
    stage.verify(&[sign(stage, &body)?]).await
}

fn sign(stage: &Stage<'_>, body: &[u8]) -> Proof<WebhookRequest> {
    let signed = stage
        .rig
        .sign(body, stage.rig.now(), SignedWith::TheEndpointsSecret);
    signed.map_err(|Unable| Stop::NotProven("the rig cannot sign a webhook".into()))
}

async fn fold(stage: &Stage<'_>, webhooks: &[WebhookRequest]) -> Proof<Ledger<Test>> {
    let mut ledger = Ledger::new();
    for event in stage.verify(webhooks).await? {
        ledger.apply(&stage.provider.prove(event).await?)?;
    }
    Ok(ledger)
}

/// All that a ledger knows, to be compared.
fn text(ledger: &Ledger<Test>) -> Proof<String> {
    let refunds: Vec<_> = ledger.refunds().collect();
    let disputes: Vec<_> = ledger.disputes().collect();
    let text = serde_json::to_string(&(ledger.payment(), refunds, disputes));
    text.map_err(|error| Stop::Failed(error.to_string()))
}

fn is_set_aside(set_aside: &[SetAside], reason: &SetAsideReason) -> Proof {
    ensure!(
        !set_aside.is_empty() && set_aside.iter().all(|notice| notice.reason == *reason),
        "expected to be set aside for {reason:?}, got {set_aside:?}"
    );
    Ok(())
}
