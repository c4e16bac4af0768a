//! The simulator as a merchant sees it: requests in, answers and webhooks out.

use serde_json::json;

use super::*;
use crate::simulator::{FaultRule, WebhookFault};

const START: Timestamp = Timestamp::from_unix(1_795_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A merchant with a key.
struct Merchant {
    stripe: StripeSimulator,
}

impl Merchant {
    fn new() -> Self {
        Self {
            stripe: StripeSimulator::new(7, START),
        }
    }

    fn send(&mut self, request: &Request<Bytes>) -> Answer {
        self.stripe.handle(request)
    }

    fn call(&mut self, request: &Request<Bytes>) -> (u16, Value) {
        match self.send(request) {
            Answer::Response(response) => {
                let body = serde_json::from_slice(response.body()).unwrap();
                (response.status().as_u16(), body)
            }
            other => panic!("{other:?}"),
        }
    }

    fn post(&mut self, path: &str, form: &str) -> (u16, Value) {
        self.call(&post(path, form))
    }

    fn post_keyed(&mut self, path: &str, form: &str, key: &str) -> (u16, Value) {
        self.call(&keyed(path, form, key))
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        self.call(&authorized(Request::get(path)).body(Bytes::new()).unwrap())
    }

    fn ok(&mut self, path: &str, form: &str) -> Value {
        let (status, body) = self.post(path, form);
        assert_eq!(status, 200, "{path} {form}: {body:#}");
        body
    }

    fn read(&mut self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body:#}");
        body
    }

    /// An intent confirmed with `method`; extra parameters as a form.
    fn paid(&mut self, amount: i64, method: &str, extra: &str) -> Value {
        let form = confirmed(amount, method, extra);
        self.ok("/v1/payment_intents", &form)
    }

    fn session(&mut self, extra: &str) -> Value {
        let form = format!(
            "mode=payment&success_url=https://shop.example/ok?s={{CHECKOUT_SESSION_ID}}\
             &client_reference_id=order-1&payment_intent_data[metadata][order]=order-1\
             &line_items[0][quantity]=2&line_items[0][price_data][currency]=eur\
             &line_items[0][price_data][unit_amount]=1000\
             &line_items[0][price_data][product_data][name]=Chair{extra}"
        );
        self.ok("/v1/checkout/sessions", &form)
    }

    /// The kinds of all events, the oldest first.
    fn events(&mut self) -> Vec<String> {
        let events = self.read("/v1/events?limit=100");
        let rows = events["data"].as_array().unwrap().iter().rev();
        rows.map(|event| text(event, "type")).collect()
    }
}

fn confirmed(amount: i64, method: &str, extra: &str) -> String {
    format!(
        "amount={amount}&currency=eur&confirm=true&payment_method={method}\
         &automatic_payment_methods[enabled]=true\
         &automatic_payment_methods[allow_redirects]=never{extra}"
    )
}

fn authorized(builder: http::request::Builder) -> http::request::Builder {
    builder.header("authorization", "Bearer sk_test_123")
}

fn post(path: &str, form: &str) -> Request<Bytes> {
    let body = Bytes::copy_from_slice(form.as_bytes());
    authorized(Request::post(path)).body(body).unwrap()
}

fn keyed(path: &str, form: &str, key: &str) -> Request<Bytes> {
    let mut request = post(path, form);
    let _ = request
        .headers_mut()
        .insert("idempotency-key", key.parse().unwrap());
    request
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_payment_is_captured_at_once_and_its_fee_follows() {
    let mut shop = Merchant::new();
    let intent = shop.paid(2000, "pm_card_visa", "&metadata[order]=A1");
    assert_eq!(intent["status"], "succeeded");
    assert_eq!(intent["amount_received"], 2000);
    let charge = text(&intent, "latest_charge");
    assert!(shop.read(&format!("/v1/charges/{charge}"))["balance_transaction"].is_null());
    shop.stripe.advance(Duration::from_secs(1));
    let path = format!("/v1/charges/{charge}?expand[]=balance_transaction");
    let charge = shop.read(&path);
    assert_eq!(charge["balance_transaction"]["fee"], 88);
    assert_eq!(charge["balance_transaction"]["net"], 1912);
    let events = [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ];
    assert_eq!(shop.events(), events);
    let books = shop.stripe.ledger();
    assert_eq!(books[0].captured.to_string(), "20.00 EUR");
    assert_eq!(books[0].metadata["order"], "A1");
    assert_eq!(books[0].charges, 1);
}

#[test]
fn every_decline_answers_402_with_its_code_and_the_intent() {
    for (method, code, decline_code) in [
        (
            "pm_card_visa_chargeDeclined",
            "card_declined",
            "generic_decline",
        ),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        (
            "pm_card_visa_chargeDeclinedLostCard",
            "card_declined",
            "lost_card",
        ),
        (
            "pm_card_visa_chargeDeclinedStolenCard",
            "card_declined",
            "stolen_card",
        ),
        (
            "pm_card_chargeDeclinedExpiredCard",
            "expired_card",
            "expired_card",
        ),
        (
            "pm_card_chargeDeclinedIncorrectCvc",
            "incorrect_cvc",
            "incorrect_cvc",
        ),
        (
            "pm_card_chargeDeclinedProcessingError",
            "processing_error",
            "processing_error",
        ),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ] {
        let mut shop = Merchant::new();
        let form = confirmed(2000, method, "");
        let (status, body) = shop.post("/v1/payment_intents", &form);
        let error = &body["error"];
        assert_eq!(status, 402, "{method}");
        assert_eq!(error["type"], "card_error");
        assert_eq!(
            (text(error, "code"), text(error, "decline_code")),
            (code.into(), decline_code.into())
        );
        let intent = &error["payment_intent"];
        assert_eq!(intent["status"], "requires_payment_method");
        assert_eq!(intent["last_payment_error"]["decline_code"], decline_code);
        assert!(text(error, "doc_url").starts_with("https://"));
        assert_eq!(shop.stripe.ledger()[0].charges, 0);

        let retry = format!("/v1/payment_intents/{}/confirm", text(intent, "id"));
        let paid = shop.ok(&retry, "payment_method=pm_card_visa");
        assert_eq!(paid["status"], "succeeded");
        assert_eq!(shop.stripe.ledger()[0].charges, 1);
    }
}

#[test]
fn a_challenge_is_passed_failed_or_refused_off_session() {
    let mut shop = Merchant::new();
    let challenged = confirmed(
        2000,
        "pm_card_authenticationRequired",
        "&return_url=https://a.example/b",
    );
    let intent = shop.ok("/v1/payment_intents", &challenged);
    assert_eq!(intent["status"], "requires_action");
    assert_eq!(intent["next_action"]["type"], "redirect_to_url");
    let id = text(&intent, "id");
    let failed = shop.stripe.shopper().fail_challenge(&id).unwrap();
    assert!(matches!(failed, ShopperOutcome::Declined { .. }));
    assert!(shop.stripe.shopper().fail_challenge(&id).is_err());
    let again = shop
        .stripe
        .shopper()
        .pay(&id, "pm_card_threeDSecure2Required")
        .unwrap();
    assert!(matches!(again, ShopperOutcome::Challenged { .. }));
    assert_eq!(
        shop.stripe.shopper().pass_challenge(&id),
        Ok(ShopperOutcome::Paid)
    );

    let (status, body) = shop.post(
        "/v1/payment_intents",
        &confirmed(2000, "pm_card_authenticationRequired", "&off_session=true"),
    );
    assert_eq!(status, 402);
    assert_eq!(body["error"]["code"], "authentication_required");
}

#[test]
fn captures_are_partial_several_and_never_too_much() {
    let mut shop = Merchant::new();
    let held = shop.paid(1000, "pm_card_visa", "&capture_method=manual");
    assert_eq!(held["status"], "requires_capture");
    let capture = format!("/v1/payment_intents/{}/capture", text(&held, "id"));
    let (status, body) = shop.post(&capture, "amount_to_capture=1001");
    assert_eq!(
        (status, text(&body["error"], "code")),
        (400, "amount_too_large".into())
    );
    let (status, _) = shop.post(&capture, "amount_to_capture=1&final_capture=false");
    assert_eq!(status, 400, "multicapture was not asked for");
    let captured = shop.ok(&capture, "amount_to_capture=600");
    assert_eq!(
        (
            captured["amount_received"].clone(),
            captured["status"].clone()
        ),
        (json!(600), json!("succeeded"))
    );
    let charge = shop.read(&format!("/v1/charges/{}", text(&held, "latest_charge")));
    assert_eq!(
        (
            charge["amount_captured"].clone(),
            charge["amount_refunded"].clone()
        ),
        (json!(600), json!(400))
    );
    let (status, body) = shop.post(&capture, "");
    assert_eq!(
        (status, text(&body["error"], "code")),
        (400, "payment_intent_unexpected_state".into())
    );

    let multi =
        "&capture_method=manual&payment_method_options[card][request_multicapture]=if_available";
    let held = shop.paid(1000, "pm_card_visa", multi);
    let capture = format!("/v1/payment_intents/{}/capture", text(&held, "id"));
    let first = shop.ok(&capture, "amount_to_capture=300&final_capture=false");
    assert_eq!(
        (first["status"].clone(), first["amount_capturable"].clone()),
        (json!("requires_capture"), json!(700))
    );
    let second = shop.ok(&capture, "amount_to_capture=200");
    assert_eq!(
        (second["status"].clone(), second["amount_received"].clone()),
        (json!("succeeded"), json!(500))
    );
    assert_eq!(shop.stripe.ledger()[1].captured.to_string(), "5.00 EUR");
}

#[test]
fn an_authorization_is_cancelled_or_expires_after_seven_days() {
    let mut shop = Merchant::new();
    let held = shop.paid(1000, "pm_card_visa", "&capture_method=manual");
    let canceled = shop.ok(
        &format!("/v1/payment_intents/{}/cancel", text(&held, "id")),
        "cancellation_reason=requested_by_customer",
    );
    assert_eq!(canceled["status"], "canceled");
    let held = shop.paid(1000, "pm_card_visa", "&capture_method=manual");
    shop.stripe.advance(7 * DAY);
    let expired = shop.read(&format!("/v1/payment_intents/{}", text(&held, "id")));
    assert_eq!(
        (
            expired["status"].clone(),
            expired["cancellation_reason"].clone()
        ),
        (json!("canceled"), json!("automatic"))
    );
    let books = shop.stripe.ledger();
    assert!(books.iter().all(|entry| entry.captured.is_zero()));
    let (status, _) = shop.post(
        &format!("/v1/payment_intents/{}/cancel", text(&held, "id")),
        "",
    );
    assert_eq!(status, 400);
}

#[test]
fn refunds_are_partial_bounded_pending_and_failing() {
    let mut shop = Merchant::new();
    let intent = text(&shop.paid(1000, "pm_card_visa", ""), "id");
    let form = |amount: i64| format!("payment_intent={intent}&amount={amount}");
    assert_eq!(shop.ok("/v1/refunds", &form(400))["status"], "succeeded");
    assert_eq!(shop.post("/v1/refunds", &form(601)).0, 400);
    assert_eq!(shop.post("/v1/refunds", &form(0)).0, 400);
    assert_eq!(shop.ok("/v1/refunds", &form(600))["amount"], 600);
    let (_, body) = shop.post("/v1/refunds", &form(1));
    assert_eq!(body["error"]["code"], "charge_already_refunded");
    let listed = shop.read(&format!("/v1/refunds?payment_intent={intent}"));
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);

    let intent = text(&shop.paid(1000, "pm_card_pendingRefund", ""), "id");
    let refund = shop.ok("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(
        (refund["status"].clone(), refund["pending_reason"].clone()),
        (json!("pending"), json!("processing"))
    );
    shop.stripe.advance(HOUR);
    let path = format!("/v1/refunds/{}", text(&refund, "id"));
    assert_eq!(shop.read(&path)["status"], "succeeded");
    assert_eq!(shop.post(&format!("{path}/cancel"), "").0, 400);

    let intent = text(&shop.paid(1000, "pm_card_refundFail", ""), "id");
    let refund = shop.ok("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(refund["status"], "succeeded");
    shop.stripe.advance(HOUR);
    let failed = shop.read(&format!("/v1/refunds/{}", text(&refund, "id")));
    assert_eq!(failed["status"], "failed");
    assert!(shop.events().contains(&"refund.failed".to_owned()));
    let refunded: Vec<String> = shop
        .stripe
        .ledger()
        .iter()
        .map(|e| e.refunded.to_string())
        .collect();
    assert_eq!(refunded, ["10.00 EUR", "10.00 EUR", "0.00 EUR"]);
}

#[test]
fn a_debit_takes_days_and_then_succeeds_or_fails() {
    let mut shop = Merchant::new();
    for (method, end) in [
        ("pm_sepaDebit_success", "succeeded"),
        ("pm_sepaDebit_failed", "requires_payment_method"),
    ] {
        let intent = shop.paid(1000, method, "");
        assert_eq!(intent["status"], "processing");
        shop.stripe.advance(3 * DAY);
        let later = shop.read(&format!("/v1/payment_intents/{}", text(&intent, "id")));
        assert_eq!(later["status"], end);
    }
    let form = confirmed(1000, "pm_usBankAccount_success", "");
    assert_eq!(
        shop.post("/v1/payment_intents", &form).0,
        400,
        "dollars only"
    );
}

#[test]
fn disputes_are_opened_answered_won_and_lost() {
    let mut shop = Merchant::new();
    let intent = text(&shop.paid(1000, "pm_card_createDispute", ""), "id");
    let open = shop.read(&format!("/v1/disputes?payment_intent={intent}"));
    let dispute = &open["data"][0];
    assert_eq!(dispute["status"], "needs_response");
    let (_, body) = shop.post("/v1/refunds", &format!("payment_intent={intent}"));
    assert_eq!(body["error"]["code"], "refund_disputed_payment");
    let path = format!("/v1/disputes/{}", text(dispute, "id"));
    let sent = shop.ok(&path, "evidence[uncategorized_text]=winning_evidence");
    assert_eq!(sent["status"], "under_review");
    shop.stripe.advance(HOUR);
    let won = shop.read(&path);
    assert_eq!(won["status"], "won");
    assert_eq!(won["balance_transactions"].as_array().unwrap().len(), 2);

    let other = text(&shop.paid(1000, "pm_card_visa", ""), "id");
    let lost = shop.stripe.dashboard().open_dispute(&other).unwrap();
    shop.stripe.advance(7 * DAY);
    assert_eq!(shop.read(&format!("/v1/disputes/{lost}"))["status"], "lost");
    let held: Vec<String> = shop
        .stripe
        .ledger()
        .iter()
        .map(|e| e.disputed.to_string())
        .collect();
    assert_eq!(held, ["0.00 EUR", "10.00 EUR"]);
}

#[test]
fn a_payout_explains_itself_to_the_last_unit() {
    let mut shop = Merchant::new();
    for amount in [1000, 2000, 3333] {
        let intent = shop.paid(amount, "pm_card_visa", "");
        if amount == 2000 {
            let _ = shop.ok(
                "/v1/refunds",
                &format!("payment_intent={}&amount=500", text(&intent, "id")),
            );
        }
    }
    shop.stripe.advance(5 * DAY);
    let payouts = shop.read("/v1/payouts?limit=100");
    let mut total = 0;
    for payout in payouts["data"].as_array().unwrap() {
        let id = text(payout, "id");
        let lines = shop.read(&format!("/v1/balance_transactions?payout={id}&limit=100"));
        let lines = lines["data"].as_array().unwrap();
        let charged = lines
            .iter()
            .filter(|line| line["reporting_category"] != "payout");
        let net: i64 = charged.map(|line| line["net"].as_i64().unwrap()).sum();
        assert_eq!(payout["amount"], net);
        assert_eq!(payout["status"], "paid");
        assert_eq!(payout["reconciliation_status"], "completed");
        total += net;
    }
    // 2.9 % and 0.30 for each of three charges, rounded: 59 + 88 + 127.
    assert_eq!(total, 6333 - 500 - 274);
    let id = text(&payouts["data"][0], "id");
    shop.stripe.dashboard().fail_payout(&id).unwrap();
    assert_eq!(shop.read(&format!("/v1/payouts/{id}"))["status"], "failed");
    let again = shop.stripe.dashboard().pay_out_now();
    assert_eq!(again.len(), 1);
}

#[test]
fn a_session_is_one_payment_with_its_intent() {
    let mut shop = Merchant::new();
    let session = shop.session("");
    let id = text(&session, "id");
    assert!(id.starts_with("cs_test_"));
    assert!(session["payment_intent"].is_null());
    assert_eq!(session["amount_total"], 2000);
    let declined = shop
        .stripe
        .shopper()
        .pay(&id, "pm_card_visa_chargeDeclined")
        .unwrap();
    assert!(matches!(declined, ShopperOutcome::Declined { .. }));
    assert_eq!(
        shop.stripe.shopper().pay(&id, "pm_card_visa"),
        Ok(ShopperOutcome::Paid)
    );
    let done = shop.read(&format!(
        "/v1/checkout/sessions/{id}?expand[]=payment_intent.latest_charge&expand[]=line_items"
    ));
    assert_eq!(
        (done["status"].clone(), done["payment_status"].clone()),
        (json!("complete"), json!("paid"))
    );
    assert_eq!(done["payment_intent"]["metadata"]["order"], "order-1");
    assert_eq!(done["payment_intent"]["latest_charge"]["paid"], true);
    assert_eq!(done["line_items"]["data"][0]["quantity"], 2);
    let intent = text(&done["payment_intent"], "id");
    let found = shop.read(&format!("/v1/checkout/sessions?payment_intent={intent}"));
    assert_eq!(found["data"][0]["id"], id);
    assert_eq!(
        shop.stripe.ledger()[0].client_reference_id.as_deref(),
        Some("order-1")
    );
    assert!(
        shop.stripe.shopper().pay(&id, "pm_card_visa").is_err(),
        "paid already"
    );
}

#[test]
fn a_session_expires_after_a_day_or_when_told() {
    let mut shop = Merchant::new();
    let left = text(&shop.session(""), "id");
    let begun = text(&shop.session(""), "id");
    let intent = shop.stripe.shopper().begin(&begun).unwrap();
    shop.stripe.advance(DAY);
    for id in [&left, &begun] {
        assert_eq!(
            shop.read(&format!("/v1/checkout/sessions/{id}"))["status"],
            "expired"
        );
    }
    assert_eq!(
        shop.read(&format!("/v1/payment_intents/{intent}"))["status"],
        "canceled"
    );
    let told = text(&shop.session(""), "id");
    let expired = shop.ok(&format!("/v1/checkout/sessions/{told}/expire"), "");
    assert_eq!(expired["status"], "expired");
    assert!(shop.stripe.shopper().pay(&told, "pm_card_visa").is_err());
}

#[test]
fn a_debit_in_a_session_completes_it_unpaid() {
    let mut shop = Merchant::new();
    let id = text(&shop.session(""), "id");
    let outcome = shop.stripe.shopper().pay(&id, "pm_sepaDebit_success");
    assert_eq!(outcome, Ok(ShopperOutcome::Processing));
    let path = format!("/v1/checkout/sessions/{id}");
    let complete = shop.read(&path);
    assert_eq!(
        (
            complete["status"].clone(),
            complete["payment_status"].clone()
        ),
        (json!("complete"), json!("unpaid"))
    );
    shop.stripe.advance(3 * DAY);
    assert_eq!(shop.read(&path)["payment_status"], "paid");
    assert!(
        shop.events()
            .contains(&"checkout.session.async_payment_succeeded".to_owned())
    );
}

#[test]
fn the_same_key_gives_the_same_answer_for_a_day() {
    let mut shop = Merchant::new();
    let form = confirmed(2000, "pm_card_visa", "");
    let (_, first) = shop.post_keyed("/v1/payment_intents", &form, "k1");
    let Answer::Response(again) = shop.send(&keyed("/v1/payment_intents", &form, "k1")) else {
        panic!("no fault was planned");
    };
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(
        serde_json::from_slice::<Value>(again.body()).unwrap(),
        first
    );
    assert_eq!(shop.stripe.ledger().len(), 1);
    let other = confirmed(2001, "pm_card_visa", "");
    let (status, body) = shop.post_keyed("/v1/payment_intents", &other, "k1");
    assert_eq!(
        (status, text(&body["error"], "type")),
        (400, "idempotency_error".into())
    );
    shop.stripe.advance(DAY);
    let (_, anew) = shop.post_keyed("/v1/payment_intents", &form, "k1");
    assert_ne!(anew["id"], first["id"]);

    // A decline was executed and is replayed; what fails validation was not and is not.
    let declined = confirmed(2000, "pm_card_visa_chargeDeclined", "");
    let (_, first) = shop.post_keyed("/v1/payment_intents", &declined, "k2");
    let (status, again) = shop.post_keyed("/v1/payment_intents", &declined, "k2");
    assert_eq!((status, again), (402, first));
    assert_eq!(
        shop.post_keyed("/v1/payment_intents", "amount=1.5&currency=eur", "k3")
            .0,
        400
    );
    assert_eq!(shop.post_keyed("/v1/payment_intents", &form, "k3").0, 200);
}

#[test]
fn each_fault_does_to_the_books_what_it_says() {
    for (fault, processed, retried) in [
        (Fault::DropBefore, 0, 1),
        (Fault::DropAfter, 1, 1),
        (Fault::ErrorBefore, 0, 1),
        (Fault::ErrorStored, 0, 0),
        (Fault::ErrorAfter, 1, 1),
        (Fault::Unavailable, 0, 1),
        (Fault::RateLimited, 0, 1),
        (Fault::Locked, 0, 1),
        (Fault::Truncated, 1, 1),
        (Fault::Garbage, 1, 1),
        (Fault::Slow(Duration::from_secs(5)), 1, 1),
    ] {
        let mut shop = Merchant::new();
        shop.stripe.faults().script(FaultRule::next(fault));
        let request = keyed(
            "/v1/payment_intents",
            &confirmed(2000, "pm_card_visa", ""),
            "k",
        );
        let answer = shop.send(&request);
        assert_eq!(
            shop.stripe.ledger().len(),
            processed,
            "{fault:?}: {answer:?}"
        );
        let held = matches!(answer, Answer::Late(..));
        if held {
            let (status, body) = shop.call(&request);
            assert_eq!(
                (status, text(&body["error"], "code")),
                (409, "idempotency_key_in_use".into())
            );
            shop.stripe.advance(Duration::from_secs(5));
        }
        let (status, _) = shop.call(&request);
        assert_eq!(shop.stripe.ledger().len(), retried, "{fault:?}");
        let stored_error = matches!(fault, Fault::ErrorStored | Fault::ErrorAfter);
        assert_eq!(status, if stored_error { 500 } else { 200 }, "{fault:?}");
    }
}

#[test]
fn lists_are_paged_both_ways_and_filtered() {
    let mut shop = Merchant::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(text(
            &shop.ok("/v1/payment_intents", "amount=100&currency=usd"),
            "id",
        ));
        shop.stripe.advance(Duration::from_secs(10));
    }
    ids.reverse();
    let page = |shop: &mut Merchant, query: &str| {
        let page = shop.read(&format!("/v1/payment_intents?{query}"));
        let rows = page["data"].as_array().unwrap();
        let rows: Vec<String> = rows.iter().map(|row| text(row, "id")).collect();
        (rows, page["has_more"].as_bool().unwrap())
    };
    assert_eq!(page(&mut shop, "limit=2"), (ids[..2].to_vec(), true));
    assert_eq!(
        page(&mut shop, &format!("limit=2&starting_after={}", ids[1])),
        (ids[2..4].to_vec(), true)
    );
    assert_eq!(
        page(&mut shop, &format!("limit=2&starting_after={}", ids[3])),
        (ids[4..].to_vec(), false)
    );
    assert_eq!(
        page(&mut shop, &format!("limit=2&ending_before={}", ids[3])),
        (ids[1..3].to_vec(), true)
    );
    let from = START.unix() + 20;
    assert_eq!(
        page(
            &mut shop,
            &format!("created[gte]={from}&created[lt]={}", from + 20)
        )
        .0,
        ids[1..3]
    );
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "starting_after=pi_none",
        "colour=red",
    ] {
        let (status, _) = shop.get(&format!("/v1/payment_intents?{query}"));
        assert!((400..500).contains(&status), "{query}");
    }
}

#[test]
fn search_finds_by_metadata_only_after_a_minute() {
    let mut shop = Merchant::new();
    let id = text(
        &shop.paid(1000, "pm_card_visa", "&metadata[order]=A1"),
        "id",
    );
    let path = "/v1/payment_intents/search?query=metadata['order']:'A1'";
    let found = |shop: &mut Merchant| shop.read(path)["data"].as_array().unwrap().len();
    assert_eq!(found(&mut shop), 0);
    shop.stripe.advance(Duration::from_secs(60));
    assert_eq!(found(&mut shop), 1);
    let _ = shop.ok(&format!("/v1/payment_intents/{id}"), "metadata[order]=A2");
    assert_eq!(found(&mut shop), 1, "the change is not indexed yet");
    shop.stripe.advance(Duration::from_secs(60));
    assert_eq!(found(&mut shop), 0);
    assert_eq!(shop.get("/v1/payment_intents/search?query=nonsense").0, 400);
}

#[test]
fn keys_decide_who_may_do_what() {
    let mut shop = Merchant::new();
    let ask = |shop: &mut Merchant, authorization: &str| {
        let request = Request::get("/v1/balance").header("authorization", authorization);
        shop.call(&request.body(Bytes::new()).unwrap())
    };
    assert_eq!(ask(&mut shop, "Bearer sk_test_1").0, 200);
    assert_eq!(ask(&mut shop, "Basic c2tfdGVzdF8xOg==").0, 200);
    assert_eq!(ask(&mut shop, "Bearer rk_test_1").0, 200);
    for bad in [
        "Bearer sk_live_1234567890123",
        "Bearer nonsense",
        "Basic !!",
        "Basic c2s=",
        "Bearer",
        "sk_test_1",
        "Bearer sk_test_",
        "Bearer pk_test_1",
    ] {
        let (status, body) = ask(&mut shop, bad);
        assert_eq!(status, 401, "{bad}");
        assert!(!body.to_string().contains("sk_live_1234567890123"));
    }
    let bare = Request::get("/v1/balance").body(Bytes::new()).unwrap();
    assert_eq!(shop.call(&bare).0, 401);
    shop.stripe
        .restrict_key("rk_test_1", &[Permission::Read("payment_intents")]);
    assert_eq!(ask(&mut shop, "Bearer rk_test_1").0, 403);
}

#[test]
fn unknown_parameters_and_wrong_amounts_are_refused() {
    let mut shop = Merchant::new();
    for (form, code) in [
        ("amount=100&currency=usd&colour=red", "parameter_unknown"),
        (
            "amount=100&currency=usd&automatic_payment_methods[x]=1",
            "parameter_unknown",
        ),
        ("currency=usd", "parameter_missing"),
        ("amount=1e3&currency=usd", "parameter_invalid_integer"),
        ("amount=49&currency=usd", "amount_too_small"),
        ("amount=9999999999999&currency=usd", "amount_too_large"),
        ("amount=1005&currency=kwd", "parameter_invalid_integer"),
        ("amount=150&currency=isk", "parameter_invalid_integer"),
        ("amount=&currency=usd", "parameter_invalid_empty"),
        (
            "amount=100&currency=usd&payment_method=pm_none",
            "resource_missing",
        ),
        (
            "amount=100&currency=usd&confirm=true",
            "payment_intent_unexpected_state",
        ),
    ] {
        let form = format!(
            "{form}&automatic_payment_methods[allow_redirects]=never&automatic_payment_methods[enabled]=true"
        );
        let (status, body) = shop.post("/v1/payment_intents", &form);
        assert_eq!(text(&body["error"], "code"), code, "{form} {status}");
    }
    let card = "type=card&card[number]=4242424242424242&card[exp_month]=1";
    let (status, body) = shop.post("/v1/payment_methods", card);
    assert_eq!(status, 400);
    assert!(!body.to_string().contains("4242424242424242"));
    assert_eq!(
        shop.ok("/v1/payment_methods", "type=card&card[token]=tok_visa")["type"],
        "card"
    );
}

#[test]
fn hostile_requests_are_answered_and_never_panic() {
    let mut shop = Merchant::new();
    for method in [
        "GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "BREW",
    ] {
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/v1//",
            "/v2/x",
            "/v1/payment_intents/..",
            "/v1/payment_intents/a/b/c/d",
            "/c/",
            "/c/pay/x",
            "/c/challenge/x",
            "/v1/charges/%ff",
            "*",
        ] {
            for body in [
                &b""[..],
                b"\xff\xfe",
                b"a[b[c]=1",
                b"a[][][][][][][][][]=1",
                b"[]=&=&&",
                b"amount[x]=1",
            ] {
                let request = authorized(Request::builder().method(method).uri(path));
                let request = request.body(Bytes::copy_from_slice(body)).unwrap();
                let answer = shop.send(&request);
                let Answer::Response(response) = answer else {
                    panic!("{answer:?}");
                };
                assert!(response.status().as_u16() >= 400, "{method} {path}");
            }
        }
    }
    let huge = post("/v1/payment_intents", &"a".repeat(BODY_MAX + 1));
    assert_eq!(shop.call(&huge).0, 413);
}

#[test]
fn webhooks_are_signed_with_every_secret_and_tried_again() {
    use hmac::{Hmac, KeyInit, Mac};
    let mut shop = Merchant::new();
    let url = "http://127.0.0.1:9/hook";
    let endpoint =
        shop.stripe
            .add_webhook_endpoint(url, "whsec_old", &["payment_intent.succeeded"]);
    assert!(
        shop.stripe
            .roll_webhook_secret(&endpoint, "whsec_new", HOUR)
    );
    let _ = shop.paid(1000, "pm_card_visa", "");
    let due = shop.stripe.due_webhooks();
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].kind.as_str(), due[0].attempt),
        ("payment_intent.succeeded", 1)
    );
    let signature = due[0].request.headers()["stripe-signature"]
        .to_str()
        .unwrap();
    let mut expected = format!("t={}", START.unix());
    for secret in ["whsec_new", "whsec_old"] {
        let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{}.", START.unix()).as_bytes());
        mac.update(due[0].request.body());
        expected += &format!(",v1={}", hex::encode(mac.finalize().into_bytes()));
    }
    assert_eq!(signature, expected);

    shop.stripe.report_webhook(due[0].id, Some(500));
    assert!(shop.stripe.due_webhooks().is_empty());
    shop.stripe.advance(HOUR);
    let again = shop.stripe.due_webhooks();
    assert_eq!(
        (again[0].attempt, again[0].event.clone()),
        (2, due[0].event.clone())
    );
    let signature = again[0].request.headers()["stripe-signature"]
        .to_str()
        .unwrap();
    assert_eq!(
        signature.matches("v1=").count(),
        1,
        "the old secret has run out"
    );
    shop.stripe.report_webhook(again[0].id, Some(200));
    shop.stripe.advance(DAY);
    assert!(shop.stripe.due_webhooks().is_empty());
    let event = shop.read(&format!("/v1/events/{}", due[0].event));
    assert_eq!(event["pending_webhooks"], 0);
}

#[test]
fn webhooks_are_lost_doubled_late_and_out_of_order_on_demand() {
    let mut shop = Merchant::new();
    let kinds = [
        "payment_intent.created",
        "payment_intent.succeeded",
        "charge.succeeded",
    ];
    let _ = shop
        .stripe
        .add_webhook_endpoint("http://127.0.0.1:9/", "whsec_x", &kinds);
    for (faults, expected) in [
        (vec![], "created charge succeeded"),
        (vec![WebhookFault::Drop], "charge succeeded"),
        (
            vec![WebhookFault::Duplicate],
            "created created charge succeeded",
        ),
        (vec![WebhookFault::Reorder], "charge created succeeded"),
        (
            vec![WebhookFault::None, WebhookFault::Delay(HOUR)],
            "created succeeded charge",
        ),
    ] {
        for fault in faults {
            shop.stripe.webhook_odds().script(fault);
        }
        let _ = shop.paid(1000, "pm_card_visa", "");
        let mut due = shop.stripe.due_webhooks();
        shop.stripe.advance(HOUR);
        due.extend(shop.stripe.due_webhooks());
        let seen: Vec<&str> = due
            .iter()
            .map(|delivery| match delivery.kind.as_str() {
                "payment_intent.created" => "created",
                "payment_intent.succeeded" => "succeeded",
                _ => "charge",
            })
            .collect();
        assert_eq!(seen.join(" "), expected);
        for delivery in due {
            shop.stripe.report_webhook(delivery.id, Some(200));
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let mut stripe = StripeSimulator::new(seed, START);
        let _ = stripe.add_webhook_endpoint("http://127.0.0.1:9/", "whsec_x", &["*"]);
        stripe.webhook_odds().set_odds(WebhookFault::Duplicate, 300);
        stripe.faults().set_odds(Fault::DropAfter, 200);
        let mut trace = String::new();
        for n in 0..40 {
            let method = [
                "pm_card_visa",
                "pm_card_createDispute",
                "pm_card_refundFail",
            ][n % 3];
            let form = confirmed(1000, method, "");
            trace += &format!(
                "{:?}",
                stripe.handle(&keyed("/v1/payment_intents", &form, &n.to_string()))
            );
            stripe.advance(HOUR);
            for delivery in stripe.due_webhooks() {
                trace += &format!("{:?}", delivery.request);
                stripe.report_webhook(delivery.id, Some(200));
            }
        }
        trace
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
