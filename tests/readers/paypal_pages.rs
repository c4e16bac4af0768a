//! The transactions of PayPal, page by page.

use counterfoil::matching::EntryKind;
use counterfoil::matching::readers::{EntryRecord, paypal};
use serde_json::{Value, json};

use super::{brief, options, rejected};

/// A settled payment of 25.00 EUR, with some of its fields otherwise.
fn paypal_record(changes: &Value) -> Value {
    let mut info = json!({
        "transaction_id": "1AB", "transaction_event_code": "T0006", "transaction_status": "S",
        "transaction_initiation_date": "2026-11-02T09:30:00+0000",
        "transaction_amount": {"currency_code": "EUR", "value": "25.00"},
        "ending_balance": {"currency_code": "EUR", "value": "123.90"},
    });
    let fields = info.as_object_mut().unwrap();
    fields.extend(changes.as_object().unwrap().clone());
    json!({ "transaction_info": info })
}

fn paypal_entries(records: &[Value]) -> (Vec<EntryRecord>, Vec<(u64, String)>) {
    let page = json!({"transaction_details": records, "account_number": "XYZ"}).to_string();
    let read = paypal::entries(page.as_bytes(), &options()).unwrap();
    let reasons = rejected(&read)
        .into_iter()
        .map(|(line, text)| (line, text.to_owned()));
    let reasons = reasons.collect();
    (read.rows, reasons)
}

#[test]
fn a_payment_at_paypal_keeps_what_is_known_of_it() {
    let one = |record: Value| paypal_entries(&[record]).0.remove(0);
    let all = json!({
        "custom_field": "A-1", "invoice_id": "INV-1", "paypal_account_id": "OTHER",
        "transaction_subject": "Gift", "transaction_note": "note",
        "paypal_reference_id": "9AB", "paypal_reference_id_type": "TXN",
    });
    let mut record = paypal_record(&all);
    record["payer_info"] = json!({"account_id": "PAYER"});
    let entry = one(record);
    assert_eq!(
        brief(&entry),
        ("1AB", EntryKind::Payment, 2500, None, Some("A-1"))
    );
    assert_eq!(
        (entry.source.as_str(), entry.account.as_str()),
        ("paypal", "XYZ")
    );
    assert_eq!(entry.customer.as_deref(), Some("PAYER"));
    assert_eq!(entry.method.as_deref(), Some("paypal"));
    assert_eq!(entry.text.as_deref(), Some("Gift"));
    let fewer = json!({
        "invoice_id": "INV-1", "paypal_account_id": "OTHER", "transaction_note": "note",
    });
    let entry = one(paypal_record(&fewer));
    assert_eq!(entry.reference.as_deref(), Some("INV-1"));
    assert_eq!(entry.customer.as_deref(), Some("OTHER"));
    assert_eq!(entry.text.as_deref(), Some("note"));
    // What a refund names is its payment only where it is said to be a transaction.
    for (kind, parent) in [("TXN", Some("9AB")), ("ODR", None)] {
        let refund = json!({
            "transaction_event_code": "T1107", "paypal_reference_id": "9AB",
            "transaction_amount": {"currency_code": "EUR", "value": "-25.00"},
            "paypal_reference_id_type": kind,
        });
        assert_eq!(
            one(paypal_record(&refund)).parent.as_deref(),
            parent,
            "{kind}"
        );
    }
}

#[test]
fn a_record_of_paypal_without_a_balance_counts_only_while_it_is_under_way() {
    let ids = |changes: Value| -> usize { paypal_entries(&[paypal_record(&changes)]).0.len() };
    assert_eq!(ids(json!({"ending_balance": null})), 0);
    let available = json!({"currency_code": "EUR", "value": "1.00"});
    assert_eq!(
        ids(json!({"ending_balance": null, "available_balance": available})),
        1
    );
    assert_eq!(
        ids(json!({"ending_balance": null, "transaction_status": "P"})),
        1
    );
}

#[test]
fn records_of_paypal_that_are_not_sound_are_told_by_their_number() {
    let bad = [
        paypal_record(&json!({"transaction_id": ""})),
        paypal_record(&json!({"transaction_amount": {"currency_code": "EUR", "value": "25.005"}})),
        paypal_record(&json!({"transaction_initiation_date": "today"})),
        paypal_record(&json!({"transaction_event_code": "T1107", "transaction_status": "X"})),
    ];
    let (rows, reasons) = paypal_entries(&bad);
    assert!(rows.is_empty());
    let starts = [
        (1, "transaction_id is missing"),
        (2, "amount “25.005”"),
        (3, "time “today” is not one"),
        (4, "transaction_status “X” is not known"),
    ];
    assert_eq!(reasons.len(), starts.len(), "{reasons:?}");
    for ((line, reason), (expected, start)) in reasons.iter().zip(starts) {
        assert!(
            *line == expected && reason.starts_with(start),
            "{line} {reason}"
        );
    }
}

#[test]
fn amounts_of_nothing_and_other_events_of_paypal_are_told_apart() {
    let kind = |code: &str, status: &str, value: &str| {
        let record = paypal_record(&json!({
            "transaction_event_code": code, "transaction_status": status,
            "transaction_amount": {"currency_code": "EUR", "value": value},
        }));
        let (rows, reasons) = paypal_entries(&[record]);
        assert_eq!(reasons, []);
        rows.first().map(|entry| entry.kind)
    };
    assert_eq!(kind("T0006", "S", "0.00"), Some(EntryKind::Payment));
    assert_eq!(kind("T1107", "S", "0.00"), Some(EntryKind::Refund));
    // A dispute takes money, and gives it back when it is won.
    assert_eq!(kind("T1201", "S", "-1.00"), Some(EntryKind::DisputeOpened));
    assert_eq!(kind("T1202", "S", "1.00"), Some(EntryKind::DisputeWon));
    for status in ["P", "D", "V"] {
        assert_eq!(kind("T1107", status, "-1.00"), None, "{status}");
        assert_eq!(kind("T1201", status, "-1.00"), None, "{status}");
    }
    assert_eq!(kind("T1111", "S", "-1.00"), None);
}

#[test]
fn each_event_code_of_paypal_is_what_it_moves() {
    use EntryKind::{DisputeOpened, DisputeWon, Refund, Reversal};
    for (code, value, expected) in [
        ("T1106", "-1.00", Some(Reversal)),
        ("T1107", "-1.00", Some(Refund)),
        ("T1113", "-1.00", Some(Refund)),
        ("T1116", "-1.00", Some(Reversal)),
        ("T1118", "-1.00", Some(Reversal)),
        // A deposit of the account's own that its bank took back is no refund of an order.
        ("T1101", "1.00", None),
        ("T1104", "-1.00", None),
        // Nor is a fee, or a hold.
        ("T1108", "-1.00", None),
        ("T1109", "-1.00", None),
        ("T1110", "-1.00", None),
        ("T1201", "-1.00", Some(DisputeOpened)),
        ("T1202", "1.00", Some(DisputeWon)),
        // Reimbursed, fought for in vain, and canceled.
        ("T1205", "1.00", Some(DisputeWon)),
        ("T1207", "-1.00", Some(DisputeOpened)),
        ("T1208", "1.00", Some(DisputeWon)),
        // A reimbursement that is taken back.
        ("T1205", "-1.00", Some(DisputeOpened)),
        ("T1200", "1.00", None),
        ("T1503", "-1.00", None),
        ("T0400", "-1.00", None),
    ] {
        let (rows, reasons) = paypal_entries(&[paypal_record(&json!({
            "transaction_event_code": code,
            "transaction_amount": {"currency_code": "EUR", "value": value},
        }))]);
        assert_eq!(reasons, []);
        let kind = rows.first().map(|entry| entry.kind);
        assert_eq!(kind, expected, "{code} {value}");
    }
}

#[test]
fn pages_of_paypal_follow_each_other_and_may_be_empty() {
    let first = json!({"transaction_details": [paypal_record(&json!({}))]}).to_string();
    let second = json!({"transaction_details": [
        paypal_record(&json!({"transaction_id": "2AB"})), {"transaction_info": {}},
    ]});
    let read = paypal::entries(format!("{first}\n{second}").as_bytes(), &options()).unwrap();
    let ids: Vec<_> = read.rows.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["1AB", "2AB"]);
    assert_eq!(read.rejected[0].line, 3);
    let empty = br#"{"transaction_details": []}"#;
    assert_eq!(paypal::entries(&empty[..], &options()).unwrap().rows, []);
    let error = paypal::entries(&b"  "[..], &options())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "this is not a PayPal transaction search: it is empty"
    );
}
