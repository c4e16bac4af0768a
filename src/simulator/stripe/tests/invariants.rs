//! Whatever is asked in whatever order: the books add up, and nothing panics.

use super::*;

const METHODS: &[&str] = &[
    "pm_card_visa",
    "pm_card_visa_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_card_createDispute",
    "pm_card_createDisputeInquiry",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_bypassPending",
    "pm_sepaDebit_success",
    "pm_sepaDebit_failed",
];

/// Does one thing that may or may not be allowed at the moment.
fn act(shop: &mut Merchant, rng: &mut fastrand::Rng, intents: &mut Vec<String>) {
    let intent = rng.choice(intents.iter()).cloned().unwrap_or_default();
    let amount = rng.i64(1..1500);
    match rng.u8(0..12) {
        0..=3 => {
            let manual = if rng.bool() {
                "&capture_method=manual"
            } else {
                ""
            };
            let several = "&payment_method_options[card][request_multicapture]=if_available";
            let method = rng.choice(METHODS).unwrap();
            let extra = format!("{manual}{several}");
            let (_, body) = shop.post("/v1/payment_intents", &confirmed(1000, method, &extra));
            let intent = body["error"].get("payment_intent").unwrap_or(&body);
            if let Some(id) = intent["id"].as_str() {
                intents.push(id.to_owned());
            }
        }
        4 => {
            let last = if rng.bool() {
                ""
            } else {
                "&final_capture=false"
            };
            let form = format!("amount_to_capture={amount}{last}");
            let _ = shop.post(&format!("/v1/payment_intents/{intent}/capture"), &form);
        }
        5 => {
            let _ = shop.post(&format!("/v1/payment_intents/{intent}/cancel"), "");
        }
        6 => {
            let form = format!("payment_intent={intent}&amount={amount}");
            let _ = shop.post("/v1/refunds", &form);
        }
        7 => {
            let method = rng.choice(METHODS).unwrap();
            let form = format!("payment_method={method}");
            let _ = shop.post(&format!("/v1/payment_intents/{intent}/confirm"), &form);
        }
        8 => {
            let _ = match rng.bool() {
                true => shop.stripe.shopper().pass_challenge(&intent),
                false => shop.stripe.shopper().fail_challenge(&intent),
            };
        }
        9 => {
            if let Ok(dispute) = shop.stripe.dashboard().open_dispute(&intent) {
                let mut dashboard = shop.stripe.dashboard();
                let _ = match rng.bool() {
                    true => dashboard.win_dispute(&dispute),
                    false => dashboard.lose_dispute(&dispute),
                };
            }
        }
        10 => shop
            .stripe
            .advance(Duration::from_secs(rng.u64(0..3 * 24 * 3600))),
        _ => {
            let payouts = shop.read("/v1/payouts?limit=100");
            let rows = payouts["data"].as_array().unwrap();
            if let Some(payout) = rng.choice(rows.iter()) {
                let _ = shop
                    .stripe
                    .dashboard()
                    .fail_payout(payout["id"].as_str().unwrap());
            }
        }
    }
}

fn check(shop: &mut Merchant, seed: u64) {
    for entry in shop.stripe.ledger() {
        let (captured, refunded) = (entry.captured.minor(), entry.refunded.minor());
        assert!(
            captured <= entry.authorized.minor(),
            "seed {seed}: {entry:?}"
        );
        assert!(refunded <= captured, "seed {seed}: {entry:?}");
        assert!(entry.disputed.minor() <= captured, "seed {seed}: {entry:?}");
        assert!(entry.charges <= 1, "seed {seed}: {entry:?}");
        let intent = shop.read(&format!("/v1/payment_intents/{}", entry.payment_intent));
        assert_eq!(
            intent["amount_received"], captured,
            "seed {seed}: {entry:?}"
        );
    }
}

/// The whole of a list, through its pages.
fn all(shop: &mut Merchant, path: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let cursor = rows
            .last()
            .map(|row| format!("&starting_after={}", text(row, "id")));
        let page = shop.read(&format!("{path}{}", cursor.unwrap_or_default()));
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return rows;
        }
    }
}

#[test]
fn the_books_add_up_after_anything() {
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Merchant::new();
        let mut intents = Vec::new();
        for _ in 0..80 {
            act(&mut shop, &mut rng, &mut intents);
        }
        check(&mut shop, seed);
        shop.stripe.advance(10 * DAY);
        check(&mut shop, seed);

        let lines = all(&mut shop, "/v1/balance_transactions?limit=7");
        let sum = |field: &str, keep: &dyn Fn(&Value) -> bool| -> i64 {
            let kept = lines.iter().filter(|line| keep(line));
            kept.map(|line| line[field].as_i64().unwrap()).sum()
        };
        for line in &lines {
            let (amount, fee) = (
                line["amount"].as_i64().unwrap(),
                line["fee"].as_i64().unwrap(),
            );
            assert_eq!(line["net"], amount - fee, "seed {seed}");
        }
        let balance = shop.read("/v1/balance");
        let euro = |rows: &Value| -> i64 {
            let row = rows
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row["currency"] == "eur");
            row.map_or(0, |row| row["amount"].as_i64().unwrap())
        };
        let held = euro(&balance["available"]) + euro(&balance["pending"]);
        assert_eq!(held, sum("net", &|_| true), "seed {seed}");

        let books = shop.stripe.ledger();
        let booked = |category: &'static str| {
            sum("amount", &move |line: &Value| {
                line["reporting_category"] == category
            })
        };
        let captured: i64 = books.iter().map(|entry| entry.captured.minor()).sum();
        let refunded: i64 = books.iter().map(|entry| entry.refunded.minor()).sum();
        let disputed: i64 = books.iter().map(|entry| entry.disputed.minor()).sum();
        assert_eq!(booked("charge"), captured, "seed {seed}");
        assert_eq!(
            booked("refund") + booked("refund_failure"),
            -refunded,
            "seed {seed}"
        );
        assert_eq!(
            booked("dispute") + booked("dispute_reversal"),
            -disputed,
            "seed {seed}"
        );

        for payout in all(&mut shop, "/v1/payouts?limit=5") {
            let own = format!(
                "/v1/balance_transactions?limit=9&payout={}",
                text(&payout, "id")
            );
            let lines = all(&mut shop, &own);
            let lines = lines.iter().filter(|line| line["type"] != "payout");
            let net: i64 = lines.map(|line| line["net"].as_i64().unwrap()).sum();
            assert_eq!(payout["amount"], net, "seed {seed}");
        }
    }
}

#[test]
fn a_key_that_is_sent_until_it_is_answered_charges_once() {
    for seed in 0..200 {
        let mut stripe = StripeSimulator::new(seed, START);
        for fault in [
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::ErrorBefore,
            Fault::Truncated,
        ] {
            stripe.faults().set_odds(fault, 200);
        }
        let mut shop = Merchant { stripe };
        let request = keyed(
            "/v1/payment_intents",
            &confirmed(2000, "pm_card_visa", ""),
            "k",
        );
        let answered = (0..100).any(|_| {
            matches!(shop.send(&request), Answer::Response(response) if response.status() == 200)
        });
        assert!(answered, "seed {seed}");
        let books = shop.stripe.ledger();
        assert_eq!((books.len(), books[0].charges), (1, 1), "seed {seed}");
    }
}

#[test]
fn forms_made_of_noise_are_answered() {
    let words = [
        "amount",
        "currency",
        "confirm",
        "payment_method",
        "payment_intent",
        "charge",
        "metadata",
        "line_items",
        "price_data",
        "expand",
        "created",
        "gte",
        "limit",
        "starting_after",
        "mode",
        "payment",
        "true",
        "eur",
        "100",
        "-1",
        "9223372036854775807",
        "[",
        "]",
        "[]",
        "[0]",
        "=",
        "&",
        "%",
        "%00",
        "%ff",
        "+",
        "é",
        "pm_card_visa",
        "url",
        "https://a.example",
        "evidence",
        "enabled_events",
        "*",
        "query",
        "metadata['a']:'b'",
        "",
        "success_url",
        "0",
        "data",
        ".",
    ];
    let paths = [
        "payment_intents",
        "payment_intents/search",
        "refunds",
        "checkout/sessions",
        "charges",
        "disputes",
        "payouts",
        "balance_transactions",
        "events",
        "webhook_endpoints",
        "customers",
        "payment_methods",
        "account",
        "balance",
        "payment_intents/pi_x/confirm",
    ];
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Merchant::new();
        let form: String = (0..rng.usize(0..24))
            .map(|_| *rng.choice(&words).unwrap())
            .collect();
        let path = rng.choice(&paths).unwrap();
        let request = if rng.bool() {
            post(&format!("/v1/{path}"), &form)
        } else {
            let query: String = form.chars().filter(|c| c.is_ascii_graphic()).collect();
            let target = format!("/v1/{path}?{}", query.replace(['#', '"', '<', '>'], ""));
            let Ok(request) = authorized(Request::get(target)).body(Bytes::new()) else {
                continue;
            };
            request
        };
        assert!(
            matches!(shop.send(&request), Answer::Response(_)),
            "seed {seed}"
        );
    }
}
