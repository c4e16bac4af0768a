//! What the entries of a provider's reports come to for their order.

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::readers::{EntryRecord, adyen, paypal};
use counterfoil::matching::{Batch, EntryKind, OrderRow, Policy};
use counterfoil::money::{Currency, Money};
use serde_json::{Value, json};

use super::{brief, options};

/// What was paid for A-1 and taken back of it, in minor units, where all of it finds its order.
fn paid_and_taken_back(entries: &[EntryRecord]) -> (i64, i64) {
    let mut batch = Batch::<Test>::new(Policy::default());
    let total = Money::new(10_000, Currency::EUR);
    let placed_at = Timestamp::from_unix(1_793_000_000);
    batch
        .order(&OrderRow::new("A-1", total, placed_at))
        .unwrap();
    for entry in entries {
        batch.entry(&entry.row()).unwrap();
    }
    let report = batch.run();
    for entry in report.entries() {
        assert_eq!(entry.order, Some("A-1"), "{entry:?}");
    }
    let order = report.orders().next().unwrap();
    (order.paid.minor(), order.taken_back.minor())
}

#[test]
fn captures_of_one_payment_at_adyen_are_told_apart_in_whichever_files_they_stand() {
    let header = "Psp Reference,Merchant Reference,Type,Modification Reference,Creation Date,\
                  Gross Currency,Gross Debit (GC),Gross Credit (GC),Net Currency,Net Debit (NC),\
                  Net Credit (NC),Batch Number\n";
    let read = |rows: &[&str]| {
        let file = format!("{header}{}", rows.concat());
        adyen::entries(file.as_bytes(), &options()).unwrap().rows
    };
    let first = "8816000000000001,A-1,Settled,8826000000000001,2026-11-02 10:00:00,EUR,,60.00,\
                 EUR,,60.00,7\n";
    let second = "8816000000000001,A-1,Settled,8826000000000002,2026-11-09 10:00:00,EUR,,40.00,\
                  EUR,,40.00,8\n";
    // It does not say of which order: its payment leads there.
    let refund = "8816000000000001,,Refunded,8836000000000003,2026-11-09 10:00:00,EUR,10.00,,EUR,\
                  10.00,,8\n";
    let weeks = [read(&[first]), read(&[second, refund])].concat();
    assert_eq!(read(&[first, second, refund]), weeks);
    let briefs: Vec<_> = weeks.iter().map(brief).collect();
    let of = "8816000000000001";
    let of_first = "8816000000000001/8826000000000001";
    let of_second = "8816000000000001/8826000000000002";
    assert_eq!(
        briefs,
        [
            (of_first, EntryKind::Payment, 6_000, None, Some("A-1")),
            (of_second, EntryKind::Payment, 4_000, None, Some("A-1")),
            (
                "8836000000000003",
                EntryKind::Refund,
                -1_000,
                Some(of),
                None
            ),
        ]
    );
    assert_eq!(paid_and_taken_back(&weeks), (10_000, 1_000));
    // A file that is read again counts once.
    let again = [weeks.clone(), weeks].concat();
    assert_eq!(paid_and_taken_back(&again), (10_000, 1_000));
}

#[test]
fn a_payment_that_paypal_has_reversed_came_and_went_back_once() {
    let row = |id: &str, code: &str, status: &str, value: &str| {
        json!({"transaction_info": {
            "transaction_id": id, "transaction_event_code": code, "transaction_status": status,
            "transaction_initiation_date": "2026-11-02T09:30:00+0000", "invoice_id": "A-1",
            "paypal_reference_id": "1AB", "paypal_reference_id_type": "TXN",
            "transaction_amount": {"currency_code": "EUR", "value": value},
            "ending_balance": {"currency_code": "EUR", "value": "123.90"},
        }})
    };
    let paid = row("1AB", "T0006", "V", "25.00");
    let refund = row("2AB", "T1107", "S", "-25.00");
    let part = row("3AB", "T1106", "S", "-10.00");
    let payment = ("1AB", EntryKind::Payment, 2500, None, Some("A-1"));
    let back = |id, kind, minor| (id, kind, minor, Some("1AB"), Some("A-1"));
    let reversal = |minor| back("1AB/V", EntryKind::Reversal, minor);
    let whole = back("2AB", EntryKind::Refund, -2500);
    let a_part = back("3AB", EntryKind::Reversal, -1000);
    let of = |rows: &[&Value]| {
        let page = json!({"transaction_details": rows});
        let entries = paypal::entries(page.to_string().as_bytes(), &options()).unwrap();
        assert_eq!(entries.rejected_count, 0);
        entries.rows
    };
    for (rows, expected) in [
        (vec![&paid], vec![payment, reversal(2500)]),
        (vec![&paid, &refund], vec![payment, whole]),
        (vec![&part, &paid], vec![a_part, payment, reversal(1500)]),
    ] {
        let entries = of(&rows);
        let briefs: Vec<_> = entries.iter().map(brief).collect();
        assert_eq!(briefs, expected);
        assert_eq!(paid_and_taken_back(&entries), (2500, 2500));
    }
}
