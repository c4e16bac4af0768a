//! Reports of providers: what each row of theirs is, and whose it is.

use counterfoil::matching::EntryKind;
use counterfoil::matching::payout::LineKind;
use counterfoil::matching::readers::{adyen, stripe};

use super::{brief, options};

/// A Stripe report of one row, in the columns that the rows below fill.
fn stripe_report(row: &str) -> String {
    let header = "balance_transaction_id,reporting_category,source_id,charge_id,\
                  automatic_payout_id,automatic_payout_effective_at_utc,created_utc,currency,\
                  gross,fee,net,customer_id,payment_method_type,description,\
                  payment_metadata[order_id]";
    format!("{header}\n{row}\n")
}

#[test]
fn each_category_of_stripe_is_what_it_moves() {
    use EntryKind::{DisputeOpened, DisputeWon, FailedRefund, Payment, Refund, Reversal};
    for (category, entry, line) in [
        ("charge", Some(Payment), Some(LineKind::Payment)),
        ("charge_failure", Some(Reversal), Some(LineKind::Payment)),
        (
            "partial_capture_reversal",
            Some(Refund),
            Some(LineKind::Payment),
        ),
        ("refund", Some(Refund), Some(LineKind::Refund)),
        ("refund_failure", Some(FailedRefund), Some(LineKind::Refund)),
        ("dispute", Some(DisputeOpened), Some(LineKind::Dispute)),
        (
            "dispute_reversal",
            Some(DisputeWon),
            Some(LineKind::Dispute),
        ),
        ("fee", None, Some(LineKind::Fee)),
        ("network_cost", None, Some(LineKind::Fee)),
        ("platform_earning", None, Some(LineKind::Fee)),
        ("risk_reserved_funds", None, Some(LineKind::Reserve)),
        ("connect_reserved_funds", None, Some(LineKind::Reserve)),
        ("currency_conversion", None, Some(LineKind::Conversion)),
        ("payout", None, None),
        ("payout_reversal", None, Some(LineKind::ReturnedPayout)),
        ("platform_earning_refund", None, Some(LineKind::Fee)),
        ("other_adjustment", None, Some(LineKind::Adjustment)),
    ] {
        let row = format!("txn_1,{category},s_1,ch_1,po_1,,2026-11-02,eur,1.00,0.25,0.75,,,,");
        let file = stripe_report(&row);
        let entries = stripe::entries(file.as_bytes(), &options()).unwrap();
        let lines = stripe::report(file.as_bytes(), &options()).unwrap();
        assert_eq!((entries.rejected_count, lines.rejected_count), (0, 0));
        assert_eq!(entries.rows.first().map(|e| e.kind), entry, "{category}");
        assert_eq!(lines.rows.first().map(|l| l.kind), line, "{category}");
    }
}

#[test]
fn a_row_of_stripe_is_named_by_its_charge_its_source_or_itself() {
    let named = |category: &str, source: &str, charge: &str| {
        let row = format!(
            "txn_1,{category},{source},{charge},po_1,,2026-11-02,eur,1.00,0.25,0.75,,,,A-1"
        );
        let file = stripe_report(&row);
        let entry = stripe::entries(file.as_bytes(), &options())
            .unwrap()
            .rows
            .remove(0);
        let line = stripe::report(file.as_bytes(), &options())
            .unwrap()
            .rows
            .remove(0);
        assert_eq!((line.id.as_str(), line.payout.as_str()), ("txn_1", "po_1"));
        assert_eq!((line.gross, line.fee, line.net), (100, 25, 75));
        (entry.id, entry.parent, line.source)
    };
    let expected = |id: &str, parent: Option<&str>, source: &str| {
        (id.to_owned(), parent.map(str::to_owned), source.to_owned())
    };
    assert_eq!(
        named("charge", "py_1", "ch_1"),
        expected("ch_1", None, "ch_1")
    );
    assert_eq!(named("charge", "py_1", ""), expected("py_1", None, "py_1"));
    assert_eq!(named("charge", "", ""), expected("txn_1", None, "txn_1"));
    let refund = expected("re_1", Some("ch_1"), "re_1");
    assert_eq!(named("refund", "re_1", "ch_1"), refund);
    assert_eq!(named("refund", "re_1", ""), expected("re_1", None, "re_1"));
    let nameless = expected("txn_1", Some("ch_1"), "txn_1");
    assert_eq!(named("refund", "", "ch_1"), nameless);
}

#[test]
fn a_charge_at_stripe_keeps_what_is_known_of_it() {
    let row =
        "txn_1,charge,ch_1,ch_1,,,2026-11-02 10:00:00,jpy,100.00,1.00,99.00,cus_1,card,Gift,A-1";
    let file = stripe_report(row);
    let entries = stripe::entries(file.as_bytes(), &options()).unwrap();
    let entry = &entries.rows[0];
    let expected = ("ch_1", EntryKind::Payment, 100, None, Some("A-1"));
    assert_eq!(brief(entry), expected);
    assert_eq!(entry.source, "stripe");
    assert_eq!(entry.customer.as_deref(), Some("cus_1"));
    assert_eq!(entry.method.as_deref(), Some("card"));
    assert_eq!(entry.text.as_deref(), Some("Gift"));
    let lines = stripe::report(file.as_bytes(), &options()).unwrap();
    assert_eq!(lines.rows[0].payout, "", "it is in no payout yet");
}

#[test]
fn a_payout_of_stripe_is_what_left_the_balance() {
    let payout = |own: &str, source: &str, arrives: &str| {
        let row = format!(
            "txn_1,payout,{source},,{own},{arrives},2026-11-05,eur,-23.00,0.00,-23.00,,,Text,"
        );
        let file = stripe_report(&row);
        let payout = stripe::payouts(file.as_bytes(), &options())
            .unwrap()
            .rows
            .remove(0);
        assert_eq!(
            (payout.net.minor(), payout.text.as_deref()),
            (2300, Some("Text"))
        );
        (payout.id, payout.value_date.to_string())
    };
    let is = |id: &str, day: &str| (id.to_owned(), day.to_owned());
    assert_eq!(
        payout("po_1", "po_x", "2026-11-07"),
        is("po_1", "2026-11-07")
    );
    assert_eq!(payout("", "po_x", ""), is("po_x", "2026-11-05"));
    assert_eq!(payout("", "", ""), is("txn_1", "2026-11-05"));
}

/// An Adyen report of one row: its type, references, gross and net, each as debit and credit.
fn adyen_report(kind: &str, psp: &str, modification: &str, amounts: &str) -> String {
    format!(
        "Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,Type,\
         Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Net Currency,\
         Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),\
         Interchange (NC),Batch Number\n\
         AcmeNL,{psp},A-1,visa,2026-11-02 10:00:00,{kind},{modification},USD,{amounts},7\n"
    )
}

#[test]
fn each_type_of_adyen_is_what_it_moves() {
    use EntryKind::{DisputeOpened, DisputeWon, FailedRefund, Payment, Refund};
    for (kind, entry, line) in [
        ("Settled", Some(Payment), Some(LineKind::Payment)),
        ("Refunded", Some(Refund), Some(LineKind::Refund)),
        (
            "RefundedReversed",
            Some(FailedRefund),
            Some(LineKind::Refund),
        ),
        ("Chargeback", Some(DisputeOpened), Some(LineKind::Dispute)),
        (
            "SecondChargeback",
            Some(DisputeOpened),
            Some(LineKind::Dispute),
        ),
        (
            "ChargebackReversed",
            Some(DisputeWon),
            Some(LineKind::Dispute),
        ),
        ("Fee", None, Some(LineKind::Fee)),
        ("MiscCosts", None, Some(LineKind::Fee)),
        ("PaymentCost", None, Some(LineKind::Fee)),
        ("InvoiceDeduction", None, Some(LineKind::Fee)),
        ("DepositCorrection", None, Some(LineKind::Reserve)),
        ("Balancetransfer", None, Some(LineKind::Reserve)),
        ("MerchantPayout", None, None),
        ("ManualCorrected", None, Some(LineKind::Adjustment)),
    ] {
        let file = adyen_report(
            kind,
            "8816",
            "8826",
            ",60.00,EUR,,49.00,0.10,0.20,0.30,0.40",
        );
        let entries = adyen::entries(file.as_bytes(), &options()).unwrap();
        let lines = adyen::report(file.as_bytes(), &options()).unwrap();
        assert_eq!((entries.rejected_count, lines.rejected_count), (0, 0));
        assert_eq!(entries.rows.first().map(|e| e.kind), entry, "{kind}");
        assert_eq!(lines.rows.first().map(|l| l.kind), line, "{kind}");
    }
}

#[test]
fn a_row_of_adyen_is_read_in_the_currency_of_the_shopper_and_in_that_of_the_payout() {
    let settled = adyen_report(
        "Settled",
        "8816",
        "8826",
        ",60.00,EUR,,49.00,0.10,0.20,0.30,0.40",
    );
    let rows = adyen::rows(settled.as_bytes(), &options()).unwrap().rows;
    let row = &rows[0];
    assert_eq!(
        (row.line, row.batch.as_str(), row.kind.as_str()),
        (2, "7", "Settled")
    );
    assert_eq!(
        (row.psp_reference.as_deref(), row.modification.as_deref()),
        (Some("8816"), Some("8826"))
    );
    assert_eq!(row.reference.as_deref(), Some("A-1"));
    assert_eq!((row.currency.code(), row.net, row.fee), ("EUR", 4900, 100));
    assert_eq!(row.booked_at.to_string(), "2026-11-02T10:00:00Z");
    let line = &adyen::report(settled.as_bytes(), &options()).unwrap().rows[0];
    assert_eq!((line.gross, line.fee, line.net), (5000, 100, 4900));
    assert_eq!(
        (line.id.as_str(), line.source.as_str()),
        ("8826/Settled", "8816")
    );
    assert_eq!(line.payout, "batch 7");
    let entry = &adyen::entries(settled.as_bytes(), &options()).unwrap().rows[0];
    assert_eq!(
        brief(entry),
        ("8816/8826", EntryKind::Payment, 6000, None, Some("A-1"))
    );
    assert_eq!(entry.amount.currency().code(), "USD");
    assert_eq!(
        (entry.source.as_str(), entry.account.as_str()),
        ("adyen", "AcmeNL")
    );
    assert_eq!(entry.method.as_deref(), Some("visa"));

    let refunded = adyen_report("Refunded", "8816", "8836", "30.00,,EUR,25.00,,,,,");
    let line = &adyen::report(refunded.as_bytes(), &options()).unwrap().rows[0];
    assert_eq!((line.gross, line.fee, line.net), (-2500, 0, -2500));
    assert_eq!(
        (line.id.as_str(), line.source.as_str()),
        ("8836/Refunded", "8836")
    );
    let entry = &adyen::entries(refunded.as_bytes(), &options())
        .unwrap()
        .rows[0];
    assert_eq!(
        brief(entry),
        ("8836", EntryKind::Refund, -3000, Some("8816"), Some("A-1"))
    );

    let fee = adyen_report("Fee", "", "November", ",,EUR,1.10,,,,,");
    let line = &adyen::report(fee.as_bytes(), &options()).unwrap().rows[0];
    assert_eq!((line.id.as_str(), line.net), ("batch 7/Fee/line 2", -110));
    let paid = adyen_report("MerchantPayout", "", "TX 7", ",,EUR,48.90,,,,,");
    let payout = &adyen::payouts(paid.as_bytes(), &options()).unwrap().rows[0];
    assert_eq!((payout.id.as_str(), payout.net.minor()), ("batch 7", 4890));
    assert_eq!(payout.value_date.to_string(), "2026-11-02");
}

/// Rows of a Stripe report that says what customers saw.
fn faced(rows: &[&str]) -> String {
    let header = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category,\
                  source_id,customer_facing_amount,customer_facing_currency,automatic_payout_id,\
                  charge_id";
    format!("{header}\n{}\n", rows.join("\n"))
}

#[test]
fn an_order_sold_in_another_currency_is_paid_in_its_own() {
    let at = "2026-11-02 10:00:00";
    let file = faced(&[
        &format!("txn_1,{at},usd,65.10,2.20,62.90,charge,ch_1,60.00,eur,po_1,ch_1"),
        // What was seen of a refund has a sign of its own.
        &format!("txn_2,{at},usd,-21.70,0.00,-21.70,refund,re_1,20.00,eur,po_1,ch_1"),
        &format!("txn_3,{at},usd,-10.85,0.00,-10.85,refund,re_2,-10.00,eur,po_1,ch_1"),
        &format!("txn_4,{at},usd,7.00,0.50,6.50,charge,ch_2,700,jpy,po_1,ch_2"),
        &format!("txn_5,{at},usd,7.00,0.50,6.50,charge,ch_3,7.00,usd,po_1,ch_3"),
        &format!("txn_6,{at},usd,7.00,0.50,6.50,charge,ch_4,,,po_1,ch_4"),
    ]);
    let entries = stripe::entries(file.as_bytes(), &options()).unwrap();
    assert_eq!(entries.rejected_count, 0);
    let amounts: Vec<_> = entries
        .rows
        .iter()
        .map(|row| row.amount.to_string())
        .collect();
    assert_eq!(
        amounts,
        [
            "60.00 EUR",
            "-20.00 EUR",
            "-10.00 EUR",
            "700 JPY",
            "7.00 USD",
            "7.00 USD"
        ]
    );
    // A payout is in the currency that it settles in.
    let lines = stripe::report(file.as_bytes(), &options()).unwrap().rows;
    assert!(lines.iter().all(|line| line.currency.code() == "USD"));
    assert_eq!(lines[0].gross, 6510);
}

#[test]
fn a_payout_that_the_bank_returned_is_not_closed() {
    use counterfoil::matching::payout::{PayoutReason, PayoutVerdict, match_by_report};
    let at = "2026-11-02 10:00:00";
    for own_payout in ["", "po_1", "po_2"] {
        let file = faced(&[
            &format!("txn_1,{at},usd,10.00,1.00,9.00,charge,ch_1,,,po_1,ch_1"),
            &format!("txn_2,{at},usd,-9.00,0.00,-9.00,payout,po_1,,,po_1,"),
            &format!("txn_3,{at},usd,9.00,0.00,9.00,payout_reversal,po_1,,,{own_payout},"),
            &format!("txn_4,{at},usd,-9.00,0.00,-9.00,payout,po_2,,,po_2,"),
        ]);
        let payouts = stripe::payouts(file.as_bytes(), &options()).unwrap().rows;
        let lines = stripe::report(file.as_bytes(), &options()).unwrap().rows;
        let rows: Vec<_> = payouts.iter().map(|payout| payout.row(&[])).collect();
        let report: Vec<_> = lines.iter().map(|line| line.row()).collect();
        let known = std::collections::HashSet::from(["ch_1"]);
        let found = match_by_report(&rows, &report, &known);
        let returned = PayoutVerdict::Open(PayoutReason::Returned);
        assert_eq!(found.payouts[0].verdict, returned, "{own_payout}");
        // Its money is in the payout that the report names, and in none if it names none.
        let again = match own_payout {
            "po_2" => PayoutVerdict::Closed,
            _ => PayoutVerdict::Open(PayoutReason::NotInReport),
        };
        assert_eq!(found.payouts[1].verdict, again, "{own_payout}");
    }
}

/// A settlement details report of one row, in a time zone.
fn adyen_in_zone(kind: &str, date: &str, zone: &str) -> String {
    let header = "Psp Reference,Merchant Reference,Creation Date,TimeZone,Type,\
                  Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),\
                  Net Currency,Net Debit (NC),Net Credit (NC),Batch Number";
    format!("{header}\n8816,A-1,{date},{zone},{kind},8826,EUR,10.00,,EUR,10.00,,7\n")
}

#[test]
fn the_time_zone_of_adyen_is_honoured() {
    for (date, zone, instant) in [
        ("2026-11-05 00:30:00", "CET", "2026-11-04T23:30:00Z"),
        ("2026-07-05 00:30:00", "CEST", "2026-07-04T22:30:00Z"),
        ("2026-11-05 23:30:00", "PST", "2026-11-06T07:30:00Z"),
        (
            "2026-07-05 09:00:00",
            "Asia/Singapore",
            "2026-07-05T01:00:00Z",
        ),
        ("2026-07-05 09:00:00", "", "2026-07-05T09:00:00Z"),
    ] {
        let file = adyen_in_zone("Settled", date, zone);
        let entry = adyen::entries(file.as_bytes(), &options())
            .unwrap()
            .rows
            .remove(0);
        assert_eq!(entry.at.to_string(), instant, "{zone}");
        let row = adyen::rows(file.as_bytes(), &options())
            .unwrap()
            .rows
            .remove(0);
        assert_eq!(row.booked_at.to_string(), instant, "{zone}");
        // The day of a payout is the one that the report and the bank write.
        let file = adyen_in_zone("MerchantPayout", date, zone);
        let payout = adyen::payouts(file.as_bytes(), &options())
            .unwrap()
            .rows
            .remove(0);
        assert_eq!(
            payout.value_date.to_string(),
            date.split(' ').next().unwrap()
        );
    }
    let file = adyen_in_zone("Settled", "2026-07-05 09:00:00", "Mars/Olympus");
    let read = adyen::entries(file.as_bytes(), &options()).unwrap();
    assert!(read.rows.is_empty());
    assert!(
        read.rejected[0]
            .reason
            .contains("time zone “Mars/Olympus” is not known")
    );
}

#[test]
fn each_journal_type_of_adyen_is_what_it_moves() {
    use EntryKind::{DisputeOpened, DisputeWon, FailedRefund, Payment, Refund, Reversal};
    for (kind, entry, line) in [
        ("Settled", Some(Payment), Some(LineKind::Payment)),
        ("SettledBulk", Some(Payment), Some(LineKind::Payment)),
        (
            "SettledInInstallments",
            Some(Payment),
            Some(LineKind::Payment),
        ),
        (
            "SettledExternallyWithInfo",
            Some(Payment),
            Some(LineKind::Payment),
        ),
        ("SettledReversed", Some(Reversal), Some(LineKind::Payment)),
        ("RefundedExternally", Some(Refund), Some(LineKind::Refund)),
        (
            "RefundedReversed",
            Some(FailedRefund),
            Some(LineKind::Refund),
        ),
        (
            "ChargebackExternallyWithInfo",
            Some(DisputeOpened),
            Some(LineKind::Dispute),
        ),
        (
            "SecondChargeback",
            Some(DisputeOpened),
            Some(LineKind::Dispute),
        ),
        (
            "ChargebackReversed",
            Some(DisputeWon),
            Some(LineKind::Dispute),
        ),
        (
            "ChargebackReversedExternallyWithInfo",
            Some(DisputeWon),
            Some(LineKind::Dispute),
        ),
        ("PaidOut", None, Some(LineKind::Adjustment)),
        ("PaidOutReversed", None, Some(LineKind::Adjustment)),
        ("SettledSomehow", None, Some(LineKind::Adjustment)),
        ("ReserveAdjustment", None, Some(LineKind::Reserve)),
        ("MerchantPayout", None, None),
        (
            "MerchantPayoutReversed",
            None,
            Some(LineKind::ReturnedPayout),
        ),
    ] {
        let file = adyen_in_zone(kind, "2026-07-05 09:00:00", "UTC");
        let entries = adyen::entries(file.as_bytes(), &options()).unwrap();
        let lines = adyen::report(file.as_bytes(), &options()).unwrap();
        assert_eq!((entries.rejected_count, lines.rejected_count), (0, 0));
        assert_eq!(entries.rows.first().map(|e| e.kind), entry, "{kind}");
        assert_eq!(lines.rows.first().map(|l| l.kind), line, "{kind}");
    }
}
