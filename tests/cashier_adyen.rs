//! A shop on the cashier over Adyen's simulator: a provider that cannot be asked, and tells little.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flow;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use counterfoil::capture::CaptureStatus;
use counterfoil::cashier::{
    Cashier, CommandOperation, CommandState, MemoryStore, OrderRecord, Standing,
};
use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::{Namespace, PaymentId};
use counterfoil::payment::PaymentStatus;
use counterfoil::providers::adyen::{Adyen, AdyenConfig, sign};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use counterfoil::simulator::{Fault, FaultRule, SimulatedProvider, SimulatorTransport};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{ErrorKind, Test};
use http::HeaderMap;
use serde_json::{Value, json};

use flow::{START, eur, order, page, refund};

const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
const DAY: u64 = 86_400;

struct Shop {
    simulator: Arc<Mutex<AdyenSimulator>>,
    line: Arc<SimulatorTransport<AdyenSimulator>>,
    cashier: Cashier<Test>,
}

impl Shop {
    async fn open() -> Self {
        let mut simulator = AdyenSimulator::new(7, Timestamp::from_unix(START));
        simulator.add_webhook(MERCHANT_ACCOUNT, "https://shop.example/hook", HMAC_KEY);
        simulator.tell_automatic_captures(MERCHANT_ACCOUNT, false);
        let simulator = Arc::new(Mutex::new(simulator));
        let line = Arc::new(SimulatorTransport::new(Arc::clone(&simulator)));
        let config = AdyenConfig::<Test>::new("AQE-key", MERCHANT_ACCOUNT, HMAC_KEY).unwrap();
        let config = config
            .with_transport(Arc::clone(&line) as _)
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(Arc::clone(&line) as _)
            .with_seed(7);
        let adyen = Adyen::new(config).unwrap();
        let provider = adyen.into_provider(Namespace::new("shop").unwrap());
        let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await;
        let clock = Arc::clone(&line) as Arc<dyn Clock>;
        Self {
            simulator,
            line,
            cashier: cashier.unwrap().with_clock(clock),
        }
    }

    fn lock(&self) -> MutexGuard<'_, AdyenSimulator> {
        self.simulator.lock().unwrap()
    }

    fn wait(&self, seconds: u64) {
        self.lock().advance(Duration::from_secs(seconds));
    }

    async fn check_out(&self, request: &CreateRequest) -> PaymentId<Test> {
        let placed = self.cashier.place(&request.order, request.amount).await;
        placed.unwrap();
        self.cashier.check_out(request).await.unwrap().id
    }

    fn pay(&self, link: &PaymentId<Test>) {
        self.lock().shopper().pay(link.raw(), "visa").unwrap();
    }

    /// The news of a payment for the order, kept back until its page has ended unpaid as it seems.
    async fn paid_unheard(&self, request: &CreateRequest) -> Vec<WebhookRequest> {
        let session = self.check_out(request).await;
        self.pay(&session);
        let late = self.line.webhooks();
        self.wait(DAY + 16 * 60);
        self.cashier.sweep().await.unwrap();
        late
    }

    async fn sweep_daily(&self, days: u32) {
        for _ in 0..days {
            self.wait(DAY);
            self.cashier.sweep().await.unwrap();
        }
    }

    async fn deliver(&self) {
        for webhook in self.line.webhooks() {
            let received = self.cashier.receive(&webhook).await;
            assert!(received.error.is_none(), "{received:?}");
        }
    }

    /// Delivers a notice about the order's payment that the simulator does not send.
    async fn tell(&self, code: &str, change: impl FnOnce(&mut Value)) {
        let payment = self.payment("A").await.id;
        let mut item = json!({
            "amount": {"currency": "EUR", "value": 1000}, "eventCode": code,
            "eventDate": self.line.now().to_string(), "merchantAccountCode": MERCHANT_ACCOUNT,
            "merchantReference": "shop:A:1", "pspReference": "QFQTPCQ8HXSKGK82",
            "originalReference": payment.raw(), "reason": "", "success": "true",
        });
        change(&mut item);
        let items = json!([{"NotificationRequestItem": item}]);
        let body = json!({"live": "false", "notificationItems": items}).to_string();
        let body = sign(&HMAC_KEY.into(), body.as_bytes());
        let received = self
            .cashier
            .receive(&WebhookRequest::new(HeaderMap::new(), body))
            .await;
        assert!(received.error.is_none(), "{received:?}");
        assert_eq!(received.orders, [order("A")]);
    }

    async fn record(&self, name: &str) -> OrderRecord<Test> {
        self.cashier.order(&order(name)).await.unwrap()
    }

    async fn payment(&self, name: &str) -> counterfoil::payment::Payment<Test> {
        let record = self.record(name).await;
        record.payments[0].ledger.payment().unwrap().clone()
    }

    /// The kinds of the confirmations that are new, each acknowledged.
    async fn confirmed(&self) -> Vec<String> {
        let lease = Duration::from_secs(60);
        let mut kinds = Vec::new();
        for confirmation in self.cashier.confirmations(lease, 100).await.unwrap() {
            self.cashier.acknowledge(&confirmation).await.unwrap();
            kinds.push(confirmation.kind.to_string());
        }
        kinds.sort();
        kinds
    }

    /// What the order needs a person for.
    async fn concerns(&self, name: &str) -> Vec<String> {
        let record = self.record(name).await;
        let concerns = self.cashier.concerns(&record).into_iter();
        concerns.map(|concern| concern.name).collect()
    }

    /// Whether the sweep has nothing more to do for the order, so that it can be purged.
    async fn is_quiet(&self) -> bool {
        self.cashier
            .health()
            .await
            .unwrap()
            .backlog
            .open_since
            .is_none()
    }
}

fn form(name: &str, minor: i64) -> CreateRequest {
    let form = Checkout::embedded("https://shop.example/done");
    CreateRequest::new(order(name), eur(minor), form)
}

fn by_card(number: &str, holder: &str) -> CreateRequest {
    let token = json!({"paymentMethod": {
        "type": "scheme", "encryptedCardNumber": format!("test_{number}"),
        "encryptedExpiryMonth": "test_03", "encryptedExpiryYear": "test_2030",
        "encryptedSecurityCode": "test_737", "holderName": holder,
    }});
    let direct = Checkout::token(token.to_string(), "https://shop.example/done");
    CreateRequest::new(order("A"), eur(1000), direct)
}

#[tokio::test]
async fn a_page_that_nobody_paid_ends_without_a_word_of_adyens() {
    for request in [page("A", 1000), form("A", 1000)] {
        let shop = Shop::open().await;
        shop.check_out(&request).await;
        if matches!(request.checkout, Checkout::Embedded { .. }) {
            let open = shop.cashier.close(&order("A")).await.unwrap_err();
            assert_eq!(*open.kind(), ErrorKind::Conflict, "it ends by time");
        }
        shop.wait(DAY + 14 * 60);
        shop.cashier.sweep().await.unwrap();
        let is_form = matches!(request.checkout, Checkout::Embedded { .. });
        assert_eq!(shop.is_quiet().await, is_form, "the news may be under way");
        shop.wait(2 * 60);
        let swept = shop.cashier.sweep().await.unwrap();
        assert_eq!(swept.failures, 0);
        assert_eq!(shop.payment("A").await.status, PaymentStatus::Expired);
        assert!(shop.is_quiet().await);
        assert_eq!(shop.concerns("A").await, [""; 0]);
        shop.cashier.close(&order("A")).await.unwrap();
        for _ in 0..20 {
            shop.wait(20 * DAY);
            shop.cashier.sweep().await.unwrap();
        }
        let purged = shop.cashier.purge(Duration::from_secs(30 * DAY), 10).await;
        assert_eq!(purged.unwrap().orders, 1);
    }
}

#[tokio::test]
async fn a_payment_that_is_heard_of_after_its_page_has_ended_counts() {
    for is_held in [false, true] {
        let shop = Shop::open().await;
        let mut request = form("A", 1000);
        if is_held {
            request = request.with_manual_capture();
        }
        let late = shop.paid_unheard(&request).await;
        assert_eq!(shop.payment("A").await.status, PaymentStatus::Expired);
        shop.cashier.close(&order("A")).await.unwrap();
        for webhook in &late {
            assert!(shop.cashier.receive(webhook).await.error.is_none());
        }
        let payment = shop.payment("A").await;
        let concerns = shop.concerns("A").await;
        if is_held {
            assert_eq!(payment.status, PaymentStatus::Authorized);
            assert_eq!(payment.capturable, eur(1000).money());
            assert_eq!(concerns, [format!("held_after_close:{}", payment.id)]);
        } else {
            let received = eur(1000).money();
            let standing = shop.record("A").await.standing();
            assert_eq!(standing, Standing::PaidAfterClose { received });
            assert_eq!(concerns, [format!("paid_after_close:{}", payment.id)]);
        }
    }
    // If the order is still open, it is paid.
    let shop = Shop::open().await;
    let late = shop.paid_unheard(&form("A", 1000)).await;
    for webhook in &late {
        assert!(shop.cashier.receive(webhook).await.error.is_none());
    }
    assert_eq!(shop.record("A").await.standing(), Standing::Paid);
}

#[tokio::test]
async fn money_weeks_after_the_close_is_put_before_a_person_once_and_can_be_given_back() {
    let shop = Shop::open().await;
    let late = shop.paid_unheard(&form("A", 1000)).await;
    shop.cashier.close(&order("A")).await.unwrap();
    shop.sweep_daily(25).await;
    assert_eq!(shop.confirmed().await, [""; 0]);
    for webhook in late.iter().chain(&late) {
        assert!(shop.cashier.receive(webhook).await.error.is_none());
    }
    let received = eur(1000).money();
    let standing = shop.record("A").await.standing();
    assert_eq!(standing, Standing::PaidAfterClose { received });
    let payment = shop.payment("A").await.id;
    let told = format!("needs_a_person:paid_after_close:{payment}");
    assert_eq!(shop.confirmed().await, [&*told, "paid_after_close"]);
    // It is given back when a person says so, and not before.
    shop.wait(DAY);
    shop.cashier.sweep().await.unwrap();
    let record = shop.record("A").await;
    let gives_back =
        |command: &CommandOperation| matches!(command, CommandOperation::Refund { .. });
    assert!(!record.commands.iter().any(|c| gives_back(&c.operation)));
    let wish = refund(&payment, 1000, "back");
    shop.cashier.refund(&wish).await.unwrap();
    shop.deliver().await;
    assert_eq!(shop.record("A").await.standing(), Standing::Unpaid);
    assert_eq!(shop.concerns("A").await, [""; 0]);
    assert!(shop.is_quiet().await);
}

/// Whoever erases an order while Adyen may still send finds the money in the cashier's health.
#[tokio::test]
async fn money_for_an_order_that_was_erased_waits_for_it_and_is_counted_as_unmatched() {
    let shop = Shop::open().await;
    let late = shop.paid_unheard(&form("A", 1000)).await;
    shop.cashier.close(&order("A")).await.unwrap();
    shop.sweep_daily(25).await;
    let purged = shop.cashier.purge(Duration::from_secs(20 * DAY), 10).await;
    assert_eq!(purged.unwrap().orders, 0, "Adyen may still send");
    shop.cashier.erase(&order("A")).await.unwrap();
    for webhook in &late {
        let received = shop.cashier.receive(webhook).await;
        assert_eq!((received.answer, received.orders.len()), (200, 0));
    }
    let came = shop.line.now();
    for _ in 0..31 {
        let health = shop.cashier.health().await.unwrap();
        assert_eq!(health.backlog.event_since, Some(came), "it still waits");
        shop.wait(DAY);
        shop.cashier.sweep().await.unwrap();
    }
    let health = shop.cashier.health().await.unwrap();
    assert_eq!(health.backlog.event_since, None);
    assert_eq!(health.providers[0].webhooks.unmatched, 1);
}

/// Adyen promises no order, and the notice of a lapse may overtake that of what lapsed.
#[tokio::test]
async fn a_lapse_counts_the_same_before_its_authorisation_and_after() {
    for is_held in [true, false] {
        for is_first in [true, false] {
            let shop = Shop::open().await;
            let mut request = page("A", 1000);
            if is_held {
                request = request.with_manual_capture();
            }
            let link = shop.check_out(&request).await;
            shop.pay(&link);
            let authorised = shop.line.webhooks();
            let body: Value = serde_json::from_slice(authorised[0].body()).unwrap();
            let item = &body["notificationItems"][0]["NotificationRequestItem"];
            shop.wait(28 * DAY);
            let expire = |expire: &mut Value| {
                expire["pspReference"] = item["pspReference"].clone();
                expire["merchantReference"] = item["merchantReference"].clone();
                expire["originalReference"] = "".into();
            };
            if is_first {
                shop.tell("EXPIRE", expire).await;
            }
            for webhook in authorised.iter().chain(&authorised) {
                assert!(shop.cashier.receive(webhook).await.error.is_none());
            }
            if !is_first {
                shop.tell("EXPIRE", expire).await;
            }
            let record = shop.record("A").await;
            let payment = shop.payment("A").await;
            assert_eq!(payment.id.raw(), item["pspReference"]);
            assert_eq!((record.payments.len(), payment.is_held()), (1, false));
            let concerns = shop.concerns("A").await;
            if is_held {
                assert_eq!(payment.status, PaymentStatus::Expired);
                assert_eq!(record.standing(), Standing::Unpaid);
                assert_eq!(concerns, [""; 0]);
            } else {
                // What was taken stays taken, and a person is told.
                assert_eq!(record.standing(), Standing::Paid);
                assert_eq!(concerns, [format!("contradicted:{}", payment.id)]);
            }
        }
    }
}

#[tokio::test]
async fn a_link_that_was_paid_is_not_ended_although_the_notice_is_missing() {
    let shop = Shop::open().await;
    let link = shop.check_out(&page("A", 1000)).await;
    shop.pay(&link);
    let late = shop.line.webhooks();
    shop.wait(DAY + 16 * 60);
    let swept = shop.cashier.sweep().await.unwrap();
    assert_eq!((swept.orders, swept.failures), (1, 1));
    assert_eq!(shop.payment("A").await.status, PaymentStatus::Created);
    assert!(shop.cashier.close(&order("A")).await.is_err());
    shop.wait(2 * 3600);
    shop.cashier.sweep().await.unwrap();
    let concerns = shop.concerns("A").await;
    assert!(concerns[0].starts_with("void_unknown:"), "{concerns:?}");
    for webhook in &late {
        assert!(shop.cashier.receive(webhook).await.error.is_none());
    }
    assert_eq!(shop.record("A").await.standing(), Standing::Paid);
    assert_eq!(
        shop.record("A").await.commands[0].state,
        CommandState::Failed
    );
    assert_eq!(shop.concerns("A").await, [""; 0]);
}

#[tokio::test]
async fn ending_a_link_whose_answer_is_lost_is_tried_again() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let shop = Shop::open().await;
        shop.check_out(&page("A", 1000)).await;
        shop.wait(DAY + 16 * 60);
        let rule = FaultRule::next(fault).with_times(9);
        shop.lock().faults().script(rule);
        assert_eq!(shop.cashier.sweep().await.unwrap().failures, 1);
        shop.lock().faults().clear();
        shop.wait(2 * 3600);
        shop.cashier.sweep().await.unwrap();
        assert_eq!(shop.payment("A").await.status, PaymentStatus::Expired);
        assert!(shop.is_quiet().await);
    }
}

#[tokio::test]
async fn a_hold_that_lapses_under_a_payment_that_counts_as_taken_is_put_before_a_person() {
    let shop = Shop::open().await;
    let link = shop.check_out(&page("A", 1000)).await;
    shop.pay(&link);
    shop.deliver().await;
    assert_eq!(shop.record("A").await.standing(), Standing::Paid);
    let id = shop.payment("A").await.id;
    let expire = |item: &mut Value| item["pspReference"] = id.raw().into();
    shop.tell("EXPIRE", expire).await;
    // What was taken stays taken, and a person is told.
    assert_eq!(shop.record("A").await.standing(), Standing::Paid);
    assert_eq!(shop.concerns("A").await, [format!("contradicted:{id}")]);
    // That it was captured after all is proof enough.
    shop.tell("CAPTURE", |_| ()).await;
    assert_eq!(shop.concerns("A").await, [""; 0]);
}

#[tokio::test]
async fn a_capture_that_fails_and_is_said_to_be_made_good_is_put_before_a_person() {
    let shop = Shop::open().await;
    let link = shop.check_out(&page("A", 1000)).await;
    shop.pay(&link);
    shop.deliver().await;
    let failed = |item: &mut Value| item["reason"] = "Capture Failed".into();
    shop.tell("CAPTURE_FAILED", failed).await;
    let record = shop.record("A").await;
    assert!(matches!(record.standing(), Standing::Reversed { .. }));
    let capture = record.payments[0].ledger.captures().next().unwrap();
    assert_eq!(capture.status, CaptureStatus::Reversed);
    let capture_failed = format!("capture_failed:{}", capture.id);
    assert_eq!(shop.concerns("A").await, [&*capture_failed]);

    // The reason is not signed, so it is not believed, and a person judges.
    let again = |item: &mut Value| item["reason"] = "Transaction Auto-recaptured".into();
    shop.tell("CAPTURE", again).await;
    let record = shop.record("A").await;
    assert!(matches!(record.standing(), Standing::Reversed { .. }));
    let concerns = shop.cashier.concerns(&record);
    let unclear = concerns.iter().find(|c| c.name.starts_with("unclear:"));
    let unclear = unclear.unwrap();
    assert!(unclear.text.contains("made good"), "{unclear:?}");
    assert!(unclear.name.contains("QFQTPCQ8HXSKGK82"), "the evidence");
    for concern in [&unclear.name, &capture_failed] {
        let resolved = shop.cashier.resolve(&order("A"), concern, "it was").await;
        resolved.unwrap();
    }
    assert_eq!(shop.concerns("A").await, [""; 0]);
}

#[tokio::test]
async fn what_is_captured_anew_after_a_capture_has_failed_pays_the_order() {
    let shop = Shop::open().await;
    let link = shop.check_out(&page("A", 1000)).await;
    shop.pay(&link);
    shop.deliver().await;
    shop.wait(60);
    shop.tell("CAPTURE_FAILED", |_| ()).await;
    let standing = shop.record("A").await.standing();
    assert!(matches!(standing, Standing::Reversed { .. }));
    let id = shop.payment("A").await.id;
    let anew = flow::capture(&id, 1000, "anew");
    let asked = shop.cashier.capture(&anew).await.unwrap();
    assert_eq!(asked.state, CommandState::Pending);
    shop.wait(60);
    let done = |item: &mut Value| {
        item["pspReference"] = "BBBBPCQ8HXSKGK82".into();
        item["merchantReference"] = "command/anew".into();
    };
    shop.tell("CAPTURE", done).await;
    let record = shop.record("A").await;
    assert_eq!(record.commands[0].state, CommandState::Succeeded);
    assert_eq!(record.standing(), Standing::Paid);
}

/// Adyen cannot say how it ended, or waits for a shopper who has left: no webhook tells.
#[tokio::test]
async fn a_payment_that_is_not_heard_of_again_is_put_before_a_person() {
    for (card, holder) in [("4111111111111111", "SIM_ERROR"), ("4917610000000000", "")] {
        let shop = Shop::open().await;
        shop.cashier.place(&order("A"), eur(1000)).await.unwrap();
        let begun = shop.cashier.check_out(&by_card(card, holder)).await;
        assert!(shop.line.webhooks().len() <= 1);
        for _ in 0..4 {
            shop.wait(DAY);
            shop.cashier.sweep().await.unwrap();
        }
        let concern = match begun {
            Ok(payment) => format!("silent:{}", payment.id),
            Err(_) => "attempt_unknown:1".to_owned(),
        };
        assert_eq!(shop.concerns("A").await, [concern]);
        assert_eq!(shop.cashier.needs_a_person(9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_dispute_that_names_no_payment_is_put_before_a_person() {
    let shop = Shop::open().await;
    let link = shop.check_out(&page("A", 1000)).await;
    shop.pay(&link);
    shop.deliver().await;
    let nameless = |item: &mut Value| item["originalReference"] = "".into();
    shop.tell("NOTIFICATION_OF_CHARGEBACK", nameless).await;
    let concerns = shop.concerns("A").await;
    assert!(concerns[0].starts_with("unclear:"), "{concerns:?}");
}

/// After a refusal the shopper may try again on the same page.
#[tokio::test]
async fn an_amended_order_ends_a_link_that_was_refused_a_payment() {
    let shop = Shop::open().await;
    let old = shop.check_out(&page("A", 1000)).await;
    let refused = shop.lock().shopper().pay(old.raw(), "visa:DECLINED");
    refused.unwrap();
    shop.deliver().await;
    let amended = shop.cashier.amend(&order("A"), eur(1200)).await.unwrap();
    assert_eq!(amended.commands[0].state, CommandState::Succeeded);
    assert!(shop.lock().shopper().pay(old.raw(), "visa").is_err());
    let new = shop.check_out(&page("A", 1200)).await;
    shop.pay(&new);
    shop.deliver().await;
    assert_eq!(shop.record("A").await.standing(), Standing::Paid);
}

/// Nothing says that each notice of a refusal names the page on which it was.
#[tokio::test]
async fn a_refusal_that_names_no_page_leaves_the_page_of_its_attempt_to_be_ended() {
    let nameless = |item: &mut Value| {
        item["success"] = "false".into();
        item["originalReference"] = "".into();
    };
    let shop = Shop::open().await;
    let old = shop.check_out(&page("A", 1000)).await;
    shop.tell("AUTHORISATION", nameless).await;
    shop.tell("AUTHORISATION", |item| {
        nameless(item);
        item["pspReference"] = "NC6HT9CRT65ZGN82".into();
    })
    .await;
    assert_eq!(shop.payment("A").await.id, old);
    assert!(matches!(
        shop.payment("A").await.status,
        PaymentStatus::Failed(_)
    ));
    shop.cashier.amend(&order("A"), eur(1200)).await.unwrap();
    let paid = shop.lock().shopper().pay(old.raw(), "visa");
    assert!(paid.is_err(), "nobody pays by the old page");
    let new = shop.check_out(&page("A", 1200)).await;
    shop.pay(&new);
    shop.deliver().await;
    assert_eq!(shop.record("A").await.standing(), Standing::Paid);

    // Whichever is heard of first, the one payment is what was paid in the end.
    for is_first in [true, false] {
        let shop = Shop::open().await;
        let link = shop.check_out(&page("A", 1000)).await;
        if is_first {
            shop.tell("AUTHORISATION", nameless).await;
        }
        shop.pay(&link);
        shop.deliver().await;
        let paid = shop.payment("A").await.id;
        if !is_first {
            shop.tell("AUTHORISATION", nameless).await;
        }
        let record = shop.record("A").await;
        assert_eq!(
            (record.standing(), record.payments.len()),
            (Standing::Paid, 1)
        );
        assert_eq!(shop.payment("A").await.id, paid);
    }

    let shop = Shop::open().await;
    shop.check_out(&form("A", 1000)).await;
    shop.tell("AUTHORISATION", nameless).await;
    let link = shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    assert_eq!(*link.kind(), ErrorKind::Conflict, "both could be paid");
}

/// A form takes another try after a refusal, and Adyen cannot end it.
#[tokio::test]
async fn a_form_that_was_refused_a_payment_is_open_until_its_time_is_over() {
    let shop = Shop::open().await;
    let old = shop.check_out(&form("A", 1000)).await;
    let refused = shop.lock().shopper().pay(old.raw(), "visa:DECLINED");
    refused.unwrap();
    shop.deliver().await;
    let closed = shop.cashier.close(&order("A")).await.unwrap_err();
    assert_eq!(*closed.kind(), ErrorKind::Conflict);
    let link = shop.cashier.check_out(&page("A", 1000)).await.unwrap_err();
    assert_eq!(*link.kind(), ErrorKind::Conflict, "both could be paid");
    assert_eq!(shop.check_out(&form("A", 1000)).await, old);
    shop.wait(3600 + 16 * 60);
    shop.cashier.close(&order("A")).await.unwrap();
    assert!(shop.lock().shopper().pay(old.raw(), "visa").is_err());
}
