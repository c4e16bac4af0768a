//! The settlement report of Adyen's simulator, as the reader of such reports takes it: two halves
//! that share no code agree on every sum.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // what fails in a test ends it

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use counterfoil::clock::Timestamp;
use counterfoil::matching::EntryKind;
use counterfoil::matching::payout::{PayoutVerdict, match_by_report};
use counterfoil::matching::readers::{Format, ReadOptions, adyen};
use counterfoil::simulator::adyen::{AdyenSimulator, MERCHANT_ACCOUNT};
use counterfoil::simulator::{Answer, SimulatedProvider};
use http::Request;
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

struct Shop(AdyenSimulator);

impl Shop {
    fn send(&mut self, request: Request<Bytes>) -> Bytes {
        match self.0.handle(&request) {
            Answer::Response(response) => response.into_body(),
            other => panic!("{other:?}"),
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        let request = Request::post(path).header("x-api-key", "key");
        let answer = self.send(request.body(Bytes::from(body.to_string())).unwrap());
        serde_json::from_slice(&answer).unwrap()
    }

    fn pay(&mut self, value: i64, currency: &str, holder: &str) -> String {
        let body = json!({
            "merchantAccount": MERCHANT_ACCOUNT,
            "amount": { "currency": currency, "value": value },
            "reference": "order, \"1\"",
            "returnUrl": "https://shop.example/back",
            "paymentMethod": {
                "type": "scheme", "encryptedCardNumber": "test_4111111111111111", "holderName": holder,
            },
        });
        let answer = self.post("/v72/payments", &body);
        answer["pspReference"].as_str().unwrap().to_owned()
    }

    fn refund(&mut self, payment: &str, value: i64, currency: &str) {
        let amount = json!({ "currency": currency, "value": value });
        let body = json!({ "merchantAccount": MERCHANT_ACCOUNT, "amount": amount });
        let _ = self.post(&format!("/v72/payments/{payment}/refunds"), &body);
    }

    /// The reports that notices have told of.
    fn reports(&mut self) -> Vec<Bytes> {
        let deliveries = self.0.due_webhooks().into_iter();
        let urls: Vec<String> = deliveries
            .filter(|delivery| delivery.kind == "REPORT_AVAILABLE")
            .map(|delivery| {
                let body: Value = serde_json::from_slice(delivery.request.body()).unwrap();
                let item = &body["notificationItems"][0]["NotificationRequestItem"];
                item["reason"].as_str().unwrap().to_owned()
            })
            .collect();
        let request = |url| Request::get(url).header("x-api-key", "key");
        urls.into_iter()
            .map(|url| self.send(request(url).body(Bytes::new()).unwrap()))
            .collect()
    }
}

#[test]
fn every_batch_closes_and_every_movement_is_there() {
    let mut shop = Shop(AdyenSimulator::new(3, Timestamp::from_unix(1_795_000_000)));
    let _ = shop
        .0
        .add_webhook(MERCHANT_ACCOUNT, "http://127.0.0.1:9/", &"ab".repeat(32));
    let mut charged = HashSet::new();
    for (value, currency) in [
        (200_000, "EUR"),
        (19_999, "EUR"),
        (50_000, "JPY"),
        (7_001, "BHD"),
    ] {
        let payment = shop.pay(value, currency, "");
        shop.refund(&payment, value / 3, currency);
        let _ = charged.insert(payment);
    }
    let _ = charged.insert(shop.pay(5_000, "EUR", "SIM_CHARGEBACK"));
    let failing = shop.pay(4_000, "EUR", "SIM_REFUND_FAILED");
    shop.refund(&failing, 1_000, "EUR");
    let _ = charged.insert(failing);
    shop.0.advance(5 * DAY);

    let options = ReadOptions::default();
    let reports = shop.reports();
    assert_eq!(reports.len(), 3, "one batch for each currency");
    let mut entries = Vec::new();
    for report in &reports {
        assert_eq!(Format::of(report), Format::Adyen);
        let lines = adyen::report(&report[..], &options).unwrap();
        let payouts = adyen::payouts(&report[..], &options).unwrap();
        assert_eq!((lines.rejected_count, payouts.rejected_count), (0, 0));
        let payouts: Vec<_> = payouts.rows.iter().map(|payout| payout.row(&[])).collect();
        let rows: Vec<_> = lines.rows.iter().map(|line| line.row()).collect();
        let found = match_by_report(
            &payouts,
            &rows,
            &charged.iter().map(String::as_str).collect(),
        );
        assert_eq!(found.payouts.len(), 1);
        assert_eq!(
            found.payouts[0].verdict,
            PayoutVerdict::Closed,
            "{}",
            found.payouts[0]
        );
        entries.extend(adyen::entries(&report[..], &options).unwrap().rows);
    }
    for entry in shop.0.ledger() {
        let of = |kinds: &[EntryKind]| -> i64 {
            let own = entries.iter().filter(|row| {
                kinds.contains(&row.kind)
                    && [row.part_of.as_deref(), row.parent.as_deref()]
                        .contains(&Some(&entry.psp_reference))
            });
            own.map(|row| row.amount.minor()).sum()
        };
        assert_eq!(
            of(&[EntryKind::Payment]),
            entry.captured.minor(),
            "{entry:?}"
        );
        let refunds = of(&[EntryKind::Refund, EntryKind::FailedRefund]);
        assert_eq!(refunds, -entry.refunded.minor(), "{entry:?}");
        assert_eq!(
            of(&[EntryKind::DisputeOpened]),
            -entry.disputed.minor(),
            "{entry:?}"
        );
    }
    let references = entries.iter().filter_map(|row| row.reference.as_deref());
    assert!(references.clone().count() > 9);
    for reference in references {
        assert_eq!(reference, "order, \"1\"");
    }
}
