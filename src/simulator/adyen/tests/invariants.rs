//! Whatever is asked in whatever order: the books add up, and nothing panics.

use super::reports::{cents, download, field};
use super::*;
use crate::simulator::WebhookFault;
use crate::simulator::adyen::reports::{RowKind, booked};

const HOLDERS: &[&str] = &[
    "",
    "",
    "DECLINED",
    "SIM_PARTLY_AUTHORISED",
    "SIM_PENDING",
    "SIM_PENDING_REFUSED",
    "SIM_CAPTURE_REFUSED",
    "SIM_CAPTURE_FAILED",
    "SIM_CANCEL_REFUSED",
    "SIM_REFUND_FAILED",
    "SIM_REFUND_REVERSED",
    "SIM_REFUND_SLOW",
    "SIM_CHARGEBACK",
];
const METHODS: &[&str] = &[
    "visa",
    "visa_3ds",
    "ideal",
    "sepadirectdebit",
    "visa:SIM_PENDING",
];

/// Does one thing that may or may not be allowed at the moment.
fn act(shop: &mut Shop, rng: &mut fastrand::Rng, modifications: &mut Vec<String>) {
    let ledger = shop.adyen.ledger();
    let payment = rng
        .choice(ledger.iter())
        .map(|entry| entry.psp_reference.clone());
    let payment = payment.unwrap_or_default();
    let mut body = json!({ "merchantAccount": MERCHANT_ACCOUNT });
    let amount = json!({ "currency": "EUR", "value": rng.i64(1..1500) });
    match rng.u8(0..12) {
        0..=2 => {
            let holder = rng.choice(HOLDERS).unwrap();
            let mut body = self::payment(1000, holder);
            if rng.bool() {
                body["additionalData"] = json!({ "manualCapture": "true" });
            }
            let _ = shop.post("/v72/payments", &body);
        }
        3 => {
            let (_, made) = shop.post("/v72/paymentLinks", &link());
            let method = rng.choice(METHODS).unwrap();
            let _ = shop.adyen.shopper().pay(&text(&made, "id"), method);
        }
        4 => {
            let _ = match rng.u8(0..3) {
                0 => shop.adyen.shopper().approve(&payment),
                1 => shop.adyen.shopper().fail(&payment),
                _ => shop.adyen.shopper().cancel(&payment),
            };
        }
        kind @ 5..=9 => {
            let what = [
                "captures",
                "cancels",
                "refunds",
                "reversals",
                "amountUpdates",
            ];
            let what = what[usize::from(kind - 5)];
            if !matches!(what, "cancels" | "reversals") {
                body["amount"] = amount;
            }
            let (_, answer) = shop.post(&format!("/v72/payments/{payment}/{what}"), &body);
            if let Some(psp) = answer["pspReference"].as_str() {
                modifications.push(psp.to_owned());
            }
        }
        10 => {
            let mut dashboard = shop.adyen.dashboard();
            if let Ok(dispute) = dashboard.charge_back(&payment) {
                if rng.bool() && dashboard.reverse_chargeback(&dispute).is_ok() && rng.bool() {
                    let _ = dashboard.charge_back_again(&dispute);
                }
            } else if let Some(modification) = rng.choice(modifications.iter()) {
                let _ = dashboard.fail_modification(modification);
            }
        }
        _ => shop
            .adyen
            .advance(Duration::from_secs(rng.u64(0..3 * 24 * 3600))),
    }
}

fn check(shop: &Shop, seed: u64) {
    for entry in shop.adyen.ledger() {
        let captured = entry.captured.minor();
        assert!(captured >= 0, "seed {seed}: {entry:?}");
        assert!(
            captured <= entry.authorized.minor(),
            "seed {seed}: {entry:?}"
        );
        let gone = entry.refunded.minor() + entry.disputed.minor();
        assert!(gone <= captured, "seed {seed}: {entry:?}");
        assert!(entry.refunded.minor() >= 0, "seed {seed}: {entry:?}");
        assert!(entry.disputed.minor() >= 0, "seed {seed}: {entry:?}");
        assert!(entry.capturable.minor() >= 0, "seed {seed}: {entry:?}");
    }
}

/// What the notices of a payment add up to, in whatever order they come and however often.
fn heard(notices: &[Item], payment: &str) -> (i64, i64, i64) {
    let mut seen = std::collections::BTreeSet::new();
    let (mut captured, mut refunded, mut disputed) = (0, 0, 0);
    for item in notices {
        let key = (text(item, "eventCode"), text(item, "pspReference"));
        let about = item["originalReference"] == *payment && item["success"] == "true";
        if !about || !seen.insert(key) {
            continue;
        }
        let amount = item["amount"]["value"].as_i64().unwrap();
        match item["eventCode"].as_str().unwrap() {
            "CAPTURE" => captured += amount,
            "CAPTURE_FAILED" => captured -= amount,
            "REFUND" => refunded += amount,
            "REFUND_FAILED" | "REFUNDED_REVERSED" => refunded -= amount,
            "CHARGEBACK" | "SECOND_CHARGEBACK" => disputed += amount,
            "CHARGEBACK_REVERSED" => disputed -= amount,
            _ => {}
        }
    }
    (captured, refunded, disputed)
}

#[test]
fn the_books_add_up_after_anything() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Shop::new();
        shop.adyen
            .allow_multiple_captures(MERCHANT_ACCOUNT, rng.bool());
        shop.adyen
            .set_modification_delay(Duration::from_secs(rng.u64(0..7200)));
        shop.adyen
            .webhook_odds()
            .set_odds(WebhookFault::Duplicate, 100);
        shop.adyen
            .webhook_odds()
            .set_odds(WebhookFault::Reorder, 100);
        let mut modifications = Vec::new();
        let mut notices = Vec::new();
        for _ in 0..80 {
            act(&mut shop, &mut rng, &mut modifications);
            check(&shop, seed);
            notices.extend(shop.notices());
        }
        shop.adyen.advance(40 * DAY);
        check(&shop, seed);
        let _ = shop.adyen.dashboard().close_batches();
        notices.extend(shop.notices());

        let reversed: Vec<&Item> = notices
            .iter()
            .filter(|item| item["eventCode"] == "CANCEL_OR_REFUND")
            .collect();
        for entry in shop.adyen.ledger() {
            let own = &entry.psp_reference;
            let (captured, refunded, disputed) = heard(&notices, own);
            assert_eq!(captured, entry.captured.minor(), "seed {seed}: {entry:?}");
            assert_eq!(disputed, entry.disputed.minor(), "seed {seed}: {entry:?}");
            // A reversal names the whole payment, whatever of it was left to give back.
            if !reversed
                .iter()
                .any(|item| item["originalReference"] == **own)
            {
                assert_eq!(refunded, entry.refunded.minor(), "seed {seed}: {entry:?}");
            }
        }

        let books = shop.adyen.ledger();
        let sum = |amount: &dyn Fn(&LedgerEntry) -> i64| books.iter().map(amount).sum::<i64>();
        let rows = |kind| booked(&shop.adyen.world, kind, "EUR");
        assert_eq!(
            rows(RowKind::Settled) - rows(RowKind::ManualCorrected),
            sum(&|entry| entry.captured.minor()),
            "seed {seed}"
        );
        assert_eq!(
            rows(RowKind::Refunded) - rows(RowKind::RefundedReversed),
            sum(&|entry| entry.refunded.minor()),
            "seed {seed}"
        );
        assert_eq!(
            rows(RowKind::Chargeback) + rows(RowKind::SecondChargeback)
                - rows(RowKind::ChargebackReversed),
            sum(&|entry| entry.disputed.minor()),
            "seed {seed}"
        );

        let reports = notices
            .iter()
            .filter(|item| item["eventCode"] == "REPORT_AVAILABLE");
        let urls: std::collections::BTreeSet<String> =
            reports.map(|item| text(item, "reason")).collect();
        for url in urls {
            let rows = download(&mut shop, &url);
            let mut net = 0;
            for row in &rows {
                let own = cents(row, "Net Credit (NC)") - cents(row, "Net Debit (NC)");
                net += own;
                if !field(row, "Gross Currency").is_empty() {
                    let gross = cents(row, "Gross Credit (GC)") - cents(row, "Gross Debit (GC)");
                    let fees = ["Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)"];
                    let fees: i64 = fees.iter().map(|name| cents(row, name)).sum();
                    assert_eq!(own, gross - fees, "seed {seed}: {row:?}");
                }
            }
            assert_eq!(net, 0, "seed {seed}: {url}");
        }
    }
}

#[test]
fn a_key_that_is_sent_until_it_is_answered_charges_once() {
    for seed in 0..200 {
        let mut adyen = AdyenSimulator::new(seed, START);
        for fault in [
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::ErrorBefore,
            Fault::Truncated,
        ] {
            adyen.faults().set_odds(fault, 200);
        }
        let mut shop = Shop { adyen };
        let request = request("POST", "/v72/payments", &payment(2000, ""), Some("k"));
        let answered = (0..100).any(|_| {
            matches!(shop.send(&request), Answer::Response(response) if response.status() == 200)
        });
        assert!(answered, "seed {seed}");
        assert_eq!(shop.adyen.ledger().len(), 1, "seed {seed}");
    }
}

#[test]
fn bodies_made_of_noise_are_answered() {
    let words = [
        "amount",
        "currency",
        "value",
        "EUR",
        "paymentMethod",
        "type",
        "scheme",
        "reference",
        "merchantAccount",
        MERCHANT_ACCOUNT,
        "returnUrl",
        "https://a.example",
        "metadata",
        "details",
        "redirectResult",
        "status",
        "expired",
        "expiresAt",
        "2026-12-01T00:00:00Z",
        "types",
        "url",
        "additionalData",
        "manualCapture",
        "true",
        "captureDelayHours",
    ];
    let paths = [
        "v72/payments",
        "v72/payments/details",
        "v72/paymentLinks",
        "v72/sessions",
        "v72/cancels",
        "v72/payments/x/captures",
        "v72/payments/x/refunds",
        "v72/paymentMethods",
        "v3/me",
        "v3/merchants/CounterfoilTest/webhooks",
        "reports/download/MerchantAccount/x/y.csv",
        "PLx",
        "CSx",
        "checkoutshopper/authenticate/x",
        "",
        "v72/",
        "v3/merchants?pageSize=0",
        "v72/sessions/x?sessionResult=%ff",
    ];
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Shop::new();
        let body = noise(&mut rng, &words, 4).to_string();
        let path = rng.choice(&paths).unwrap();
        let method = *rng.choice(&["GET", "POST", "PATCH", "DELETE"]).unwrap();
        let cut = if rng.u8(0..4) == 0 {
            rng.usize(0..=body.len())
        } else {
            body.len()
        };
        let bytes = Bytes::copy_from_slice(&body.as_bytes()[..cut]);
        let request = authorized(Request::builder().method(method).uri(format!("/{path}")));
        let answer = shop.send(&request.body(bytes).unwrap());
        assert!(matches!(answer, Answer::Response(_)), "seed {seed}");
    }
}

fn noise(rng: &mut fastrand::Rng, words: &[&str], depth: u8) -> Value {
    match rng.u8(0..8) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(..)),
        3 | 4 => json!(rng.choice(words).unwrap()),
        _ if depth == 0 => json!(1.5),
        5 => (0..rng.usize(0..4))
            .map(|_| noise(rng, words, depth - 1))
            .collect(),
        _ => {
            let fields = (0..rng.usize(0..8)).map(|_| {
                let name = (*rng.choice(words).unwrap()).to_owned();
                (name, noise(rng, words, depth - 1))
            });
            Value::Object(fields.collect())
        }
    }
}
