//! The readers over files made for them, sound, broken and hostile.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers beside the tests fail them

mod bank;
mod orders;
mod paypal_pages;
mod reports;
mod statements;
mod tables;

use std::io::BufRead;

use counterfoil::id::Namespace;
use counterfoil::matching::EntryKind;
use counterfoil::matching::payout::match_by_report;
use counterfoil::matching::payout::{LineKind, LineReason, LineVerdict, PayoutVerdict};
use counterfoil::matching::readers::csv::{self, CsvMapping, Field};
use counterfoil::matching::readers::{
    Amounts, EntryRecord, Format, ReadError, ReadOptions, Reading, adyen, camt, mt940, paypal,
    stripe, unpacked,
};
use counterfoil::money::Currency;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/readers/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).unwrap()
}

fn options() -> ReadOptions {
    ReadOptions::default()
}

/// What can be compared at a glance: id, kind, minor units, parent and reference.
fn brief(entry: &EntryRecord) -> (&str, EntryKind, i64, Option<&str>, Option<&str>) {
    (
        &entry.id,
        entry.kind,
        entry.amount.minor(),
        entry.parent.as_deref(),
        entry.reference.as_deref(),
    )
}

fn rejected<T>(reading: &Reading<T>) -> Vec<(u64, &str)> {
    let rows = reading.rejected.iter();
    rows.map(|row| (row.line, row.reason.as_str())).collect()
}

#[test]
fn each_format_is_told_from_its_content() {
    for (name, format) in [
        ("stripe.csv", Format::Stripe),
        ("adyen.csv", Format::Adyen),
        ("paypal.json", Format::PayPal),
        ("camt053.xml", Format::Camt053),
        ("mt940.txt", Format::Mt940),
    ] {
        assert_eq!(Format::of(&fixture(name)), format, "{name}");
    }
    assert_eq!(Format::of(b"order_id,total_minor\n"), Format::Csv);
    assert_eq!(Format::of(b""), Format::Csv);
    let bank = [Format::Camt053, Format::Mt940].map(|format| format.to_string());
    assert_eq!(bank, ["camt.053 statement", "MT940 statement"]);
}

#[test]
fn a_stripe_report_closes_its_payout() {
    let file = fixture("stripe.csv");
    let report = stripe::report(file.as_slice(), &options()).unwrap();
    let kinds: Vec<_> = report
        .rows
        .iter()
        .map(|line| (line.kind, line.net))
        .collect();
    assert_eq!(
        kinds,
        [
            (LineKind::Payment, 4890),
            (LineKind::Payment, 1945),
            (LineKind::Refund, -1000),
            (LineKind::Dispute, -3500),
            (LineKind::Fee, -35),
        ]
    );
    assert_eq!(report.rejected_count, 1);
    assert_eq!(report.rejected[0].line, 8);
    assert!(report.rejected[0].reason.contains("12.345"));

    let payouts = stripe::payouts(file.as_slice(), &options()).unwrap();
    let rows: Vec<_> = payouts.rows.iter().map(|payout| payout.row(&[])).collect();
    let lines: Vec<_> = report.rows.iter().map(|line| line.row()).collect();
    let known = ["ch_1", "ch_2", "re_1", "dp_1"].into();
    let found = match_by_report(&rows, &lines, &known);
    assert_eq!(found.payouts[0].verdict, PayoutVerdict::Closed);
    assert_eq!(found.payouts[0].net.minor(), 2300);
    assert!(
        found
            .lines
            .iter()
            .all(|line| line.verdict == LineVerdict::Reported)
    );

    let entries = stripe::entries(file.as_slice(), &options()).unwrap();
    let briefs: Vec<_> = entries.rows.iter().map(brief).collect();
    assert_eq!(
        briefs,
        [
            ("ch_1", EntryKind::Payment, 4990, None, Some("A-1")),
            ("ch_2", EntryKind::Payment, 2000, None, Some("A-2")),
            ("re_1", EntryKind::Refund, -1000, Some("ch_1"), Some("A-1")),
            (
                "dp_1",
                EntryKind::DisputeOpened,
                -2000,
                Some("ch_2"),
                Some("A-2")
            ),
        ]
    );
}

#[test]
fn an_adyen_report_closes_its_batch() {
    let file = fixture("adyen.csv");
    let report = adyen::report(file.as_slice(), &options()).unwrap();
    let payouts = adyen::payouts(file.as_slice(), &options()).unwrap();
    let rows: Vec<_> = payouts.rows.iter().map(|payout| payout.row(&[])).collect();
    // A row whose date cannot be read is sound as a line, since lines have no date.
    let lines = report
        .rows
        .iter()
        .filter(|line| !line.source.ends_with('3'));
    let lines: Vec<_> = lines.map(|line| line.row()).collect();
    let known = [
        "8816000000000001",
        "8816000000000002",
        "8836000000000001",
        "8846000000000002",
    ];
    let found = match_by_report(&rows, &lines, &known.into());
    assert_eq!(found.payouts[0].payout, "batch 7");
    assert_eq!(
        found.payouts[0].verdict,
        PayoutVerdict::Closed,
        "{}",
        found.payouts[0]
    );
    let repeated = LineVerdict::Open(LineReason::Repeated);
    assert!(
        found.lines.iter().all(|line| line.verdict != repeated),
        "equal fees are two fees"
    );
    assert_eq!(
        (lines[0].gross, lines[0].fee, lines[0].net),
        (10_000, 150, 9_850)
    );

    let entries = adyen::entries(file.as_slice(), &options()).unwrap();
    let briefs: Vec<_> = entries.rows.iter().map(brief).collect();
    let payment = "8816000000000001";
    assert_eq!(
        briefs[0],
        (
            "8816000000000001/8826000000000001",
            EntryKind::Payment,
            10_000,
            None,
            Some("B-1")
        )
    );
    assert_eq!(entries.rows[0].part_of.as_deref(), Some(payment));
    let refund = (
        "8836000000000001",
        EntryKind::Refund,
        -3_000,
        Some(payment),
        Some("B-1"),
    );
    assert_eq!(briefs[2], refund);
    assert_eq!(rejected(&entries), [(9, "time “yesterday” is not one")]);
}

#[test]
fn paypal_records_are_told_apart_by_more_than_their_id() {
    let entries = paypal::entries(fixture("paypal.json").as_slice(), &options()).unwrap();
    let briefs: Vec<_> = entries.rows.iter().map(brief).collect();
    assert_eq!(
        briefs,
        [
            ("1AB", EntryKind::Payment, 2500, None, Some("C-1")),
            ("2AB", EntryKind::Refund, -500, Some("1AB"), None),
            ("4AB", EntryKind::PendingPayment, 1000, None, None),
            ("1AB/T0007", EntryKind::Payment, 700, None, None),
        ]
    );
    assert_eq!(entries.rejected[0].line, 6);
    assert!(entries.rejected[0].reason.contains("transaction_amount"));
    assert_eq!(entries.rows[1].at.to_string(), "2026-11-03T09:00:00Z");
    // A refund is on the account of its payment, whoever the other side is said to be.
    assert!(entries.rows.iter().all(|entry| entry.account == "XYZ"));
    assert_eq!(entries.rows[0].customer.as_deref(), Some("PAYER1"));
}

#[test]
fn only_what_a_shopper_paid_or_got_back_is_read_from_paypal() {
    let row = |id: &str, code: &str, status: &str, value: &str| {
        format!(
            r#"{{"transaction_info":{{"transaction_id":"{id}","transaction_event_code":"{code}",
            "transaction_status":"{status}","paypal_reference_id":"1AB","paypal_reference_id_type":
            "TXN","transaction_amount":{{"currency_code":"EUR","value":"{value}"}},"invoice_id":"A-1",
            "transaction_initiation_date":"2026-11-02T09:30:00+0000",
            "ending_balance":{{"currency_code":"EUR","value":"1.00"}}}}}}"#
        )
    };
    let rows = [
        row("1AB", "T0006", "S", "25.00"),
        // What the account itself has bought, under a number that its own orders may have too.
        row("2AB", "T0003", "S", "-25.00"),
        row("3AB", "T0003", "P", "-25.00"),
        row("4AB", "T1107", "S", "-25.00"),
        // The fee of what was refunded comes back to the account.
        row("5AB", "T1108", "S", "0.98"),
    ];
    let page = format!(r#"{{"transaction_details":[{}]}}"#, rows.join(","));
    let entries = paypal::entries(page.as_bytes(), &options()).unwrap();
    assert_eq!(rejected(&entries), []);
    let briefs: Vec<_> = entries.rows.iter().map(brief).collect();
    assert_eq!(
        briefs,
        [
            ("1AB", EntryKind::Payment, 2500, None, Some("A-1")),
            ("4AB", EntryKind::Refund, -2500, Some("1AB"), Some("A-1")),
        ]
    );
}

#[test]
fn references_made_here_lead_to_their_orders_and_others_stay() {
    let shop = Namespace::new("shop").unwrap();
    let row = |reference: &str| {
        format!("8816000000000001,{reference},Settled,2026-11-02 10:00:00,EUR,,1.00,EUR,,1.00,7\n")
    };
    let header = "Psp Reference,Merchant Reference,Type,Creation Date,Gross Currency,\
                  Gross Debit (GC),Gross Credit (GC),Net Currency,Net Debit (NC),\
                  Net Credit (NC),Batch Number\n";
    for (given, order) in [
        ("shop:A-1:1", Some("A-1")),
        ("shop:A-1:2:held", Some("A-1")),
        ("other:A-1:1", None),
        ("A-1", Some("A-1")),
        ("A-1:held", Some("A-1:held")),
    ] {
        let file = format!("{header}{}", row(given));
        let mut entries = adyen::entries(file.as_bytes(), &options()).unwrap();
        let entry = entries.rows.remove(0).within(&shop);
        assert_eq!(entry.reference.as_deref(), order, "{given}");
    }
}

#[test]
fn paypals_codes_and_states_say_what_moved() {
    let read = |code: &str, status: &str| {
        // What goes back to a shopper is below zero.
        let value = if code.starts_with("T11") {
            "-25.00"
        } else {
            "25.00"
        };
        let record = serde_json::json!({"transaction_details": [{"transaction_info": {
            "transaction_id": "1AB", "transaction_event_code": code, "transaction_status": status,
            "transaction_initiation_date": "2026-11-02T09:30:00+0000",
            "transaction_amount": {"currency_code": "EUR", "value": value},
            "ending_balance": {"currency_code": "EUR", "value": "123.90"},
        }}]});
        let reading = paypal::entries(record.to_string().as_bytes(), &options()).unwrap();
        let kinds: Vec<_> = reading.rows.iter().map(|entry| entry.kind).collect();
        (kinds.first().copied(), reading.rejected_count)
    };
    for (code, status, kind) in [
        ("T0006", "S", Some(EntryKind::Payment)),
        ("T0006", "P", Some(EntryKind::PendingPayment)),
        ("T0006", "D", Some(EntryKind::FailedPayment)),
        ("T0006", "V", Some(EntryKind::Payment)),
        ("T1106", "S", Some(EntryKind::Reversal)),
        ("T1107", "S", Some(EntryKind::Refund)),
        ("T1107", "P", None),
        ("T1110", "S", None),
        ("T1201", "S", Some(EntryKind::DisputeOpened)),
        ("T1202", "S", Some(EntryKind::DisputeWon)),
        ("T1205", "S", Some(EntryKind::DisputeWon)),
        ("T0400", "S", None),
    ] {
        assert_eq!(read(code, status), (kind, 0), "{code} {status}");
    }
    for code in ["T0006", "T1107", "T1201"] {
        assert_eq!(read(code, "OF_TOMORROW"), (None, 1), "{code}");
    }
}

#[test]
fn a_table_says_in_words_what_each_row_is() {
    let read = |word: &str| {
        let text =
            format!("payment_id,kind,amount_minor,currency,at\np1,{word},5,EUR,2026-11-22\n");
        let read = csv::entries(text.as_bytes(), &CsvMapping::default(), &options()).unwrap();
        read.rows.first().map(|entry| entry.kind)
    };
    for (words, kind) in [
        ("payment capture Charge", Some(EntryKind::Payment)),
        ("pending pending_payment", Some(EntryKind::PendingPayment)),
        ("failed failed_payment", Some(EntryKind::FailedPayment)),
        ("refund REFUND", Some(EntryKind::Refund)),
        ("failed_refund", Some(EntryKind::FailedRefund)),
        ("dispute chargeback", Some(EntryKind::DisputeOpened)),
        ("dispute_won dispute_reversal", Some(EntryKind::DisputeWon)),
        ("dispute_lost", Some(EntryKind::DisputeLost)),
        ("reversal", Some(EntryKind::Reversal)),
        ("gift", None),
    ] {
        for word in words.split(' ') {
            assert_eq!(read(word), kind, "{word}");
        }
    }
}

#[test]
fn a_camt_statement_gives_its_credits() {
    let file = fixture("camt053.xml");
    let entries = camt::entries(file.as_slice(), &options()).unwrap();
    // The name goes on with the day and what is made of the content.
    let briefs = entries.rows.iter().map(brief).map(|mut brief| {
        brief.0 = brief.0.split('/').next().unwrap();
        brief
    });
    assert_eq!(
        briefs.collect::<Vec<_>>(),
        [
            ("BANK-1", EntryKind::Payment, 2300, None, None),
            (
                "BANK-2",
                EntryKind::Payment,
                4990,
                None,
                Some("RF18539007547034")
            ),
            ("BANK-3", EntryKind::Payment, 1000, None, None),
            ("BANK-3", EntryKind::Payment, 2000, None, None),
            ("BANK-4", EntryKind::Reversal, -900, None, None),
        ]
    );
    let ids: std::collections::HashSet<_> = entries.rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), entries.rows.len(), "each has a name of its own");
    assert_eq!(entries.rows[0].payer.as_deref(), Some("Stripe & Co"));
    assert_eq!(
        entries.rows[0].customer, None,
        "the bank's name is not ours"
    );
    assert_eq!(entries.rows[0].account, "NO9386011117947");
    assert!(entries.rows[0].day_only);
    let reasons = rejected(&entries);
    assert_eq!(reasons[0].0, 47);
    assert!(reasons[0].1.contains("seven"));
    let payouts = camt::payouts(file.as_slice(), &options()).unwrap();
    assert_eq!(payouts.rows[0].text.as_deref(), Some("STRIPE PAYOUT po_1"));
    assert_eq!(payouts.rows[0].row(&["STRIPE", "ADYEN"]).rail, "STRIPE");
    assert_eq!(payouts.rows[0].value_date.to_string(), "2026-11-05");
}

#[test]
fn an_mt940_statement_gives_its_credits() {
    let file = fixture("mt940.txt");
    let entries = mt940::entries(file.as_slice(), &options()).unwrap();
    let found: Vec<_> = entries
        .rows
        .iter()
        .map(|e| {
            (
                // What follows is made of the content.
                e.id.get(..e.id.len() - 32).unwrap(),
                e.kind,
                e.amount.minor(),
                e.text.as_deref().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "BANK-1/2026-11-05/",
                EntryKind::Payment,
                2300,
                "STRIPE PAYOUT\n PO_1"
            ),
            (
                "2026-11-05/",
                EntryKind::Payment,
                4990,
                "A-1\nINVOICE\nA-1\nKARI NORDMANN"
            ),
            ("BANK-4/2026-11-06/", EntryKind::Reversal, -900, "RETURNED"),
        ]
    );
    let reasons = rejected(&entries);
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].0 == 15 && reasons[0].1.contains("YYMMDD"),
        "{reasons:?}"
    );
    assert_eq!(
        mt940::payouts(file.as_slice(), &options())
            .unwrap()
            .rows
            .len(),
        2
    );
}

#[test]
fn a_table_is_read_by_the_declared_names() {
    let text = "Beleg;Betrag;Waehrung;Tag\nA-1;19,99;EUR;22.11.2026\nA-2;x;EUR;22.11.2026\n";
    let mapping: CsvMapping = serde_json::from_value(serde_json::json!({
        "amounts": "decimal_comma",
        "times": {"pattern": "%d.%m.%Y"},
        "columns": {"id": "Beleg", "amount": "Betrag", "currency": "Waehrung", "time": "Tag"},
    }))
    .unwrap();
    assert_eq!(mapping.columns[&Field::Id], "Beleg");
    let orders = csv::orders(text.as_bytes(), &mapping, &options()).unwrap();
    assert_eq!(orders.rows[0].total, Some(1999));
    assert_eq!(orders.rows[0].placed_at.to_string(), "2026-11-22T00:00:00Z");
    assert_eq!(orders.rejected_count, 1);
    let strict = options().with_strict(true);
    let error = csv::orders(text.as_bytes(), &mapping, &strict).unwrap_err();
    assert!(
        error.to_string().starts_with("line 3: amount “x”"),
        "{error}"
    );
}

#[test]
fn a_file_without_a_currency_takes_the_declared_one() {
    let text = "payment_id,amount,paid_at\np1,5.00,2026-11-22\n";
    let mut mapping = CsvMapping::default();
    mapping.amounts = Amounts::Decimal;
    let error = csv::entries(text.as_bytes(), &mapping, &options()).unwrap_err();
    assert!(error.to_string().contains("currency"), "{error}");
    mapping.currency = Some(Currency::NOK);
    let entries = csv::entries(text.as_bytes(), &mapping, &options()).unwrap();
    assert_eq!(entries.rows[0].amount.to_string(), "5.00 NOK");
}

/// Every reader on the same bytes, each result reduced to whether it was an error.
fn read_all(bytes: &[u8], options: &ReadOptions) -> Vec<Result<u64, ReadError>> {
    fn count<T>(reading: Reading<T>) -> u64 {
        reading.rows.len() as u64 + reading.rejected_count
    }
    let mapping = CsvMapping::default();
    vec![
        csv::orders(bytes, &mapping, options).map(count),
        csv::entries(bytes, &mapping, options).map(count),
        csv::payouts(bytes, &mapping, options).map(count),
        csv::report(bytes, &mapping, options).map(count),
        stripe::report(bytes, options).map(count),
        stripe::entries(bytes, options).map(count),
        stripe::payouts(bytes, options).map(count),
        adyen::report(bytes, options).map(count),
        adyen::entries(bytes, options).map(count),
        adyen::payouts(bytes, options).map(count),
        paypal::entries(bytes, options).map(count),
        camt::entries(bytes, options).map(count),
        camt::payouts(bytes, options).map(count),
        mt940::entries(bytes, options).map(count),
        mt940::payouts(bytes, options).map(count),
    ]
}

#[test]
fn a_file_that_is_something_else_gets_one_clear_sentence() {
    for bytes in [
        &b""[..],
        b"%PDF-1.7\n\x00\x01",
        b"hello",
        b"<html><body/></html>",
        b"{}",
    ] {
        for result in read_all(bytes, &options()) {
            let sentence = result.unwrap_err().to_string();
            assert!(sentence.starts_with("this is not a"), "{sentence}");
            assert!(
                !sentence.contains('\n') && sentence.len() < 400,
                "{sentence}"
            );
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let mut open_quote = b"order_id,total_minor,currency,purchased_at\n\"A-1".to_vec();
    open_quote.resize(100_000, b'x');
    let tight = options().with_row_bytes_max(20_000);
    let error = csv::orders(open_quote.as_slice(), &CsvMapping::default(), &tight).unwrap_err();
    assert!(
        matches!(error, ReadError::RowTooLarge { line: 2, .. }),
        "{error}"
    );
    let small = options().with_file_bytes_max(1_000);
    for result in read_all(&open_quote, &small) {
        assert!(
            matches!(result, Err(ReadError::TooLarge(1_000))),
            "{result:?}"
        );
    }
    let deep = "<BkToCstmrStmt>".repeat(500);
    let error = camt::entries(deep.as_bytes(), &options()).unwrap_err();
    assert!(error.to_string().contains("nest too deep"), "{error}");
    let deep = "[".repeat(100_000);
    let json = format!("{{\"transaction_details\":{deep}");
    assert!(paypal::entries(json.as_bytes(), &options()).is_err());
}

#[test]
fn gzip_is_unpacked_and_a_torn_one_is_an_error() {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&fixture("mt940.txt")).unwrap();
    let packed = packer.finish().unwrap();
    let mut file = unpacked(packed.as_slice()).unwrap();
    assert_eq!(Format::of(file.fill_buf().unwrap()), Format::Mt940);
    assert_eq!(mt940::entries(file, &options()).unwrap().rows.len(), 3);
    let torn = unpacked(&packed[..packed.len() / 2]).unwrap();
    assert!(matches!(
        mt940::entries(torn, &options()),
        Err(ReadError::Io(_))
    ));
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let seed = 20_261_122;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let names = [
        "stripe.csv",
        "adyen.csv",
        "paypal.json",
        "camt053.xml",
        "mt940.txt",
    ];
    let fixtures: Vec<Vec<u8>> = names.iter().map(|name| fixture(name)).collect();
    let mut sound = 0;
    for _ in 0..400 {
        // Random bytes, and sound files with some of their bytes changed, doubled or cut off.
        let mut bytes = if random.bool() {
            fixtures[random.usize(..fixtures.len())].clone()
        } else {
            (0..random.usize(..600)).map(|_| random.u8(..)).collect()
        };
        for _ in 0..random.usize(..12) {
            if bytes.is_empty() {
                break;
            }
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, random.u8(..)),
                _ => bytes[at] = b"\"',;:<>{}&0\n"[random.usize(..12)],
            }
        }
        for result in read_all(&bytes, &options()) {
            match result {
                Ok(rows) => sound += rows,
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
    assert!(sound > 100, "only {sound} rows were read at all");
}
