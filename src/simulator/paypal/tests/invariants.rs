//! Whatever is asked in whatever order: the books add up, and nothing panics.

use super::*;
use crate::money::Currency;

/// What a run has met: orders, authorizations, captures.
#[derive(Default)]
struct Met {
    orders: Vec<String>,
    holds: Vec<String>,
    captures: Vec<String>,
}

impl Met {
    /// Takes the ids out of an answer.
    fn note(&mut self, answer: &Value) {
        let payments = &answer["purchase_units"][0]["payments"];
        for (rows, ids) in [
            (&payments["authorizations"], &mut self.holds),
            (&payments["captures"], &mut self.captures),
        ] {
            ids.extend(
                rows.as_array()
                    .into_iter()
                    .flatten()
                    .map(|row| text(row, "id")),
            );
        }
    }
}

fn pick(rng: &mut fastrand::Rng, ids: &[String]) -> String {
    rng.choice(ids).cloned().unwrap_or_default()
}

/// Does one thing that may or may not be allowed at the moment.
fn act(shop: &mut Merchant, rng: &mut fastrand::Rng, met: &mut Met) {
    let (order_id, held) = (pick(rng, &met.orders), pick(rng, &met.holds));
    let capture = pick(rng, &met.captures);
    let part = amount(&format!("{}.{:02}", rng.u8(0..25), rng.u8(0..100)));
    match rng.u8(0..14) {
        0..=2 => {
            let intent = if rng.bool() { "CAPTURE" } else { "AUTHORIZE" };
            let id = shop.order(intent);
            met.orders.push(id);
        }
        3 | 4 => {
            let (funding, ..) = *rng.choice(Funding::CHOICES).unwrap();
            let mut shopper = shop.paypal.shopper();
            let _ = shopper.approve(&order_id, funding);
            let _ = shopper.pass_challenge(&order_id);
        }
        5 | 6 => {
            let action = if rng.bool() { "capture" } else { "authorize" };
            let path = format!("/v2/checkout/orders/{order_id}/{action}");
            let (_, answer) = shop.post(&path, &json!({}));
            met.note(&answer);
        }
        7 => {
            let mut body = part;
            body["final_capture"] = json!(rng.u8(0..4) == 0);
            let path = format!("/v2/payments/authorizations/{held}/capture");
            let (status, answer) = shop.post(&path, &body);
            if status == 201 {
                met.captures.push(text(&answer, "id"));
            }
        }
        8 => {
            let action = if rng.bool() { "void" } else { "reauthorize" };
            let path = format!("/v2/payments/authorizations/{held}/{action}");
            let (status, answer) = shop.post(&path, &json!({}));
            if status == 201 {
                met.holds.push(text(&answer, "id"));
            }
        }
        9 | 10 => {
            let body = if rng.bool() { part } else { json!({}) };
            let path = format!("/v2/payments/captures/{capture}/refund");
            let _ = shop.post(&path, &body);
        }
        11 => {
            let mut dashboard = shop.paypal.dashboard();
            if let Ok(dispute) = dashboard.open_dispute(&capture) {
                let _ = match rng.u8(0..3) {
                    0 => dashboard.win_dispute(&dispute),
                    1 => dashboard.lose_dispute(&dispute),
                    _ => Ok(()),
                };
            }
        }
        12 => {
            let mut dashboard = shop.paypal.dashboard();
            let _ = match rng.bool() {
                true => dashboard.accept_capture(&capture),
                false => dashboard.deny_capture(&capture),
            };
            let _ = dashboard.withdraw(Currency::EUR);
        }
        _ => shop
            .paypal
            .advance(Duration::from_secs(rng.u64(0..5 * 24 * 3600))),
    }
}

fn check(shop: &mut Merchant, seed: u64) {
    let books = shop.paypal.ledger();
    for entry in &books {
        let captured = entry.captured.minor();
        let gone = entry.refunded.minor() + entry.disputed.minor();
        assert!(gone <= captured, "seed {seed}: {entry:?}");
        let limit = entry.amount.minor().max(entry.capturable_in_all.minor());
        assert!(captured <= limit, "seed {seed}: {entry:?}");
        if entry.authorized.is_zero() {
            assert!(entry.captures <= 1, "seed {seed}: {entry:?}");
        }
    }
}

/// All movements that were reported, through the pages of the months.
fn all(shop: &mut Merchant) -> Vec<Value> {
    shop.paypal.set_reporting_delay(Duration::ZERO);
    let (mut rows, mut from) = (Vec::new(), START);
    while from <= shop.paypal.now() {
        let to = from.saturating_add(31 * DAY);
        let mut page = 1;
        loop {
            let path = format!(
                "/v1/reporting/transactions?start_date={from}&end_date={to}&page={page}&page_size=9"
            );
            let answer = shop.read(&path);
            let found = answer["transaction_details"].as_array().unwrap();
            rows.extend(found.iter().map(|row| row["transaction_info"].clone()));
            if answer["total_pages"].as_u64().unwrap() <= page {
                break;
            }
            page += 1;
        }
        from = to.saturating_add(Duration::from_secs(1));
    }
    rows
}

fn cents(value: &Value) -> i64 {
    let value = value["value"].as_str().unwrap_or("0.00");
    crate::money::minor_from_decimal(value, 2).unwrap()
}

#[test]
fn the_books_add_up_after_anything() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Merchant::new();
        let mut met = Met::default();
        for _ in 0..90 {
            act(&mut shop, &mut rng, &mut met);
            check(&mut shop, seed);
        }
        shop.paypal.advance(10 * DAY);
        check(&mut shop, seed);

        let rows = all(&mut shop);
        let sum = |codes: &[&str]| -> i64 {
            let of = rows
                .iter()
                .filter(|row| codes.contains(&&*text(row, "transaction_event_code")));
            of.map(|row| cents(&row["transaction_amount"])).sum()
        };
        let books = shop.paypal.ledger();
        let booked = |part: fn(&LedgerEntry) -> i64| -> i64 { books.iter().map(part).sum() };
        let captured = booked(|entry| entry.captured.minor());
        let refunded = booked(|entry| entry.refunded.minor());
        let disputed = booked(|entry| entry.disputed.minor());
        assert_eq!(sum(&["T0006"]), captured, "seed {seed}");
        assert_eq!(sum(&["T1107"]), -refunded, "seed {seed}");
        assert_eq!(sum(&["T1110", "T1111", "T1106"]), -disputed, "seed {seed}");

        let moved: i64 = rows
            .iter()
            .map(|row| cents(&row["transaction_amount"]) + cents(&row["fee_amount"]))
            .sum();
        let balances = shop.read("/v1/reporting/balances");
        let balance = cents(&balances["balances"][0]["total_balance"]);
        assert_eq!(balance, moved, "seed {seed}");
        for capture in &met.captures {
            let read = shop.read(&format!("/v2/payments/captures/{capture}"));
            let Some(breakdown) = read.get("seller_receivable_breakdown") else {
                continue;
            };
            let net = cents(&breakdown["gross_amount"]) - cents(&breakdown["paypal_fee"]);
            assert_eq!(cents(&breakdown["net_amount"]), net, "seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = || {
        let mut rng = fastrand::Rng::with_seed(3);
        let mut shop = Merchant::new();
        shop.paypal
            .add_webhook("https://shop.example/hook", "HOOK1", &["*"]);
        let mut met = Met::default();
        for _ in 0..60 {
            act(&mut shop, &mut rng, &mut met);
        }
        let due = shop.paypal.due_webhooks();
        due.into_iter()
            .map(|delivery| format!("{:?}", delivery.request))
            .collect::<Vec<_>>()
    };
    let first = run();
    assert!(first.len() > 10);
    assert_eq!(first, run());
}

#[test]
fn a_request_that_is_sent_until_it_is_answered_captures_and_refunds_once() {
    for seed in 0..100 {
        let mut shop = Merchant::on(PaypalSimulator::new(seed, START));
        let order_id = shop.approved("CAPTURE", Funding::Balance);
        for fault in [
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::ErrorBefore,
            Fault::ErrorAfter,
            Fault::Truncated,
        ] {
            shop.paypal.faults().set_odds(fault, 150);
        }
        let persist = |shop: &mut Merchant, path: &str, body: &Value| -> Value {
            let mut request = shop.request("POST", path, body);
            let _ = request
                .headers_mut()
                .insert("paypal-request-id", "k".parse().unwrap());
            for _ in 0..100 {
                if let Answer::Response(response) = shop.paypal.handle(&request)
                    && response.status().is_success()
                {
                    return serde_json::from_slice(response.body()).unwrap();
                }
            }
            panic!("seed {seed}: no answer");
        };
        let path = format!("/v2/checkout/orders/{order_id}/capture");
        let paid = persist(&mut shop, &path, &json!({}));
        let capture = text(&paid["purchase_units"][0]["payments"]["captures"][0], "id");
        let path = format!("/v2/payments/captures/{capture}/refund");
        let _ = persist(&mut shop, &path, &amount("3.00"));
        let books = shop.paypal.ledger();
        let entry = &books[0];
        assert_eq!((books.len(), entry.captures), (1, 1), "seed {seed}");
        assert_eq!(entry.refunded.minor(), 300, "seed {seed}");
    }
}

#[test]
fn bodies_made_of_noise_are_answered() {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"intent\"",
        "\"CAPTURE\"",
        "\"purchase_units\"",
        "\"amount\"",
        "\"currency_code\"",
        "\"value\"",
        "\"EUR\"",
        "\"1.00\"",
        "null",
        "true",
        "-1e999",
        "\"payment_source\"",
        "\"paypal\"",
        "\"event_types\"",
        "\"url\"",
        "\"é\\u0000\"",
        "\"https://a.example\"",
        "\"op\"",
        "\"path\"",
        "\"/url\"",
        "\u{1}",
    ];
    let paths = [
        "/v2/checkout/orders",
        "/v2/checkout/orders/X/capture",
        "/v2/payments/captures/X/refund",
        "/v2/payments/authorizations/X/capture",
        "/v1/notifications/webhooks",
        "/v1/notifications/simulate-event",
        "/v1/notifications/verify-webhook-signature",
        "/v1/notifications/webhooks-events/X/resend",
        "/v1/oauth2/token",
        "/checkoutnow?token=X",
        "/v1/reporting/transactions?start_date=9999-12-31T23:59:59Z&end_date=%ff",
        "/v1/customer/disputes?next_page_token=99999999999999999999&page_size=0",
    ];
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Merchant::new();
        let body: String = (0..rng.usize(0..24))
            .map(|_| *rng.choice(&words).unwrap())
            .collect();
        let method = *rng.choice(&["POST", "GET", "PATCH", "DELETE"]).unwrap();
        let path = rng.choice(&paths).unwrap();
        let request = shop.request(method, path, &Value::Null);
        let request = request.map(|_| Bytes::from(body.clone()));
        assert!(
            matches!(shop.paypal.handle(&request), Answer::Response(_)),
            "seed {seed}"
        );
    }
}
