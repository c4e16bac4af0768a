//! What comes back from a host's database: records and verdicts as JSON. What is read is written
//! as something that reads the same.

#![no_main]

use counterfoil::cashier::OrderRecord;
use counterfoil::ledger::Ledger;
use counterfoil::matching::Decision;
use counterfoil::{Live, Test};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|text: &str| {
    settles::<OrderRecord<Test>>(text);
    settles::<OrderRecord<Live>>(text);
    settles::<Ledger<Test>>(text);
    settles::<Decision>(text);
    if let Ok(ledger) = serde_json::from_str::<Ledger<Test>>(text) {
        let _ = (ledger.net(), ledger.refundable(), ledger.unlisted_refunds());
    }
    if let Ok(record) = serde_json::from_str::<OrderRecord<Test>>(text) {
        let _ = (record.standing(), record.received());
    }
});

fn settles<T: Serialize + DeserializeOwned>(text: &str) {
    let Ok(value) = serde_json::from_str::<T>(text) else {
        return;
    };
    let written = serde_json::to_string(&value).unwrap();
    let again = serde_json::from_str::<T>(&written).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
}
