//! What comes back from a host's database or its files: records, verdicts and policies as JSON,
//! after a letter that picks which. What is read is written as something that reads the same.

#![no_main]

use counterfoil::capture::Capture;
use counterfoil::cashier::{OrderRecord, Routes, WebhookHealth};
use counterfoil::dispute::Dispute;
use counterfoil::ledger::Ledger;
use counterfoil::matching::payout::{PayoutMatches, PayoutTerms};
use counterfoil::matching::{Change, Decision, Policy};
use counterfoil::payment::Payment;
use counterfoil::payout::{Payout, PayoutLine};
use counterfoil::refund::Refund;
use counterfoil::{Live, Test};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|text: &str| {
    let Some((which, text)) = text.split_at_checked(1) else {
        return;
    };
    match which {
        "a" => {
            if let Some(record) = settled::<OrderRecord<Test>>(text) {
                let _ = (record.standing(), record.received());
            }
        }
        "b" => {
            if let Some(ledger) = settled::<Ledger<Test>>(text) {
                let _ = (ledger.net(), ledger.refundable(), ledger.unlisted_refunds());
            }
        }
        "c" => assert!(settled::<OrderRecord<Live>>(text).is_none() || !is_of_test(text)),
        "d" => drop(settled::<Payment<Test>>(text)),
        "e" => drop(settled::<Refund<Test>>(text)),
        "f" => drop(settled::<Capture<Test>>(text)),
        "g" => drop(settled::<Dispute<Test>>(text)),
        "h" => drop(settled::<Payout<Test>>(text)),
        "i" => drop(settled::<PayoutLine<Test>>(text)),
        "j" => drop(settled::<Decision>(text)),
        "k" => drop(settled::<Change>(text)),
        "l" => drop(settled::<PayoutMatches>(text)),
        "m" => {
            if let Some(policy) = settled::<Policy>(text) {
                let _ = (policy.window("card"), policy.longest_guard_s());
            }
        }
        "n" => {
            if let Some(terms) = settled::<PayoutTerms>(text) {
                let _ = terms.methods.iter().map(|term| term.fee(1999)).max();
            }
        }
        "o" => drop(settled::<Routes>(text)),
        _ => drop(settled::<WebhookHealth>(text)),
    }
});

fn settled<T: Serialize + DeserializeOwned>(text: &str) -> Option<T> {
    let value = serde_json::from_str::<T>(text).ok()?;
    let written = serde_json::to_string(&value).unwrap();
    let again = serde_json::from_str::<T>(&written).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    Some(value)
}

/// Whether what is read here can be read as a record of test mode that names a payment.
fn is_of_test(text: &str) -> bool {
    serde_json::from_str::<OrderRecord<Test>>(text).is_ok_and(|record| !record.payments.is_empty())
}
