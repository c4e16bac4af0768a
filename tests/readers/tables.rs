//! Tables of a host's own: each column, each word, and what is said of a bad row.

use counterfoil::Test;
use counterfoil::matching::EntryKind;
use counterfoil::matching::payout::LineKind;
use counterfoil::matching::readers::csv::{self, CsvMapping, Field};
use counterfoil::matching::readers::{Amounts, Format, ReadError, Times};
use counterfoil::money::Currency;

use super::{brief, options, rejected};

fn usual() -> CsvMapping {
    CsvMapping::default()
}

#[test]
fn every_column_of_a_table_of_orders_is_read() {
    let text = "order_id,total_minor,currency,purchased_at,customer\n\
                A-1,1999,EUR,2026-11-22 10:00:00,c1\n\
                A-2,,NOK,2026-11-22,\n\
                A-3,19.99,EUR,2026-11-22,\n";
    let orders = csv::orders(text.as_bytes(), &usual(), &options()).unwrap();
    let row = |at: usize| {
        let order = &orders.rows[at];
        let (total, customer) = (order.total, order.customer.as_deref());
        (order.id.as_str(), total, order.currency, customer)
    };
    assert_eq!(row(0), ("A-1", Some(1999), Currency::EUR, Some("c1")));
    assert_eq!(row(1), ("A-2", None, Currency::NOK, None));
    assert_eq!(orders.rows[0].placed_at.to_string(), "2026-11-22T10:00:00Z");
    let hint = "write whole minor units, or declare decimal amounts";
    let reason = format!("amount “19.99” is not a whole number: {hint}");
    assert_eq!(rejected(&orders), [(4, reason.as_str())]);
}

#[test]
fn every_column_of_a_table_of_payments_is_read() {
    let text = "event_id,payment_id,kind,order_ref,customer,type,installments,description,\
                amount_minor,currency,paid_at\n\
                e1,p1,refund, A-1 ,c1,visa,3,thanks,-1999,EUR,2026-11-22\n\
                e2,p2,,,,,,,500,JPY,2026-11-22 10:00:00\n\
                e3,p3,,,,,some,,500,JPY,2026-11-22\n";
    let entries = csv::entries(text.as_bytes(), &usual(), &options()).unwrap();
    let [full, bare] = entries.rows.as_slice() else {
        unreachable!("two rows are sound")
    };
    // A reference is kept as it stands: what of it counts is for the declared rules to say.
    let expected = ("e1", EntryKind::Refund, -1999, Some("p1"), Some(" A-1 "));
    assert_eq!(brief(full), expected);
    assert_eq!(
        brief(bare),
        ("e2", EntryKind::Payment, 500, Some("p2"), None)
    );
    let row = full.row::<Test>();
    assert_eq!(
        (row.customer, row.rail, row.text),
        (Some("c1"), Some("visa"), Some("thanks"))
    );
    let row = bare.row::<Test>();
    assert_eq!((row.customer, row.rail, row.text), (None, None, None));
    assert_eq!((full.instalments, full.day_only), (3, true));
    assert_eq!((bare.instalments, bare.day_only), (1, false));
    assert_eq!(
        rejected(&entries),
        [(4, "instalments “some” are not a number")]
    );
}

#[test]
fn a_table_with_refund_ids_is_one_of_refunds() {
    let text =
        "refund_id,payment_id,amount_minor,currency,refunded_on\nr1,p1,-500,EUR,2026-11-22\n";
    let refunds = csv::entries(text.as_bytes(), &usual(), &options()).unwrap();
    let expected = ("r1", EntryKind::Refund, -500, Some("p1"), None);
    assert_eq!(brief(&refunds.rows[0]), expected);
    let text = "payment_id,amount_minor,currency,paid_at\np1,500,EUR,2026-11-22\n";
    let payments = csv::entries(text.as_bytes(), &usual(), &options()).unwrap();
    let expected = ("p1", EntryKind::Payment, 500, None, None);
    assert_eq!(
        brief(&payments.rows[0]),
        expected,
        "no payment is its own parent"
    );
}

#[test]
fn every_column_of_a_table_of_payouts_is_read() {
    let text = "payout_id,value_date,net_minor,currency,rail,statement_text\n\
                po1,2026-11-22,-1999,EUR,CARD,adyen 7\n\
                po2,2026-11-23,5,EUR,,\n";
    let payouts = csv::payouts(text.as_bytes(), &usual(), &options()).unwrap();
    let rows: Vec<_> = payouts
        .rows
        .iter()
        .map(|payout| payout.row(&["ADYEN", "PAYPAL"]))
        .collect();
    let briefs: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.id,
                row.value_date.to_string(),
                row.net.minor(),
                row.rail,
            )
        })
        .collect();
    assert_eq!(
        briefs,
        [
            ("po1", "2026-11-22".to_owned(), -1999, "CARD"),
            ("po2", "2026-11-23".to_owned(), 5, ""),
        ]
    );
    assert_eq!(payouts.rows[0].text.as_deref(), Some("adyen 7"));
    assert_eq!(payouts.rows[1].text, None);
}

#[test]
fn a_rail_is_told_from_the_text_of_a_statement_only_where_it_names_one() {
    let rail = |text: &str| {
        let table = format!(
            "payout_id,value_date,net_minor,currency,statement_text\npo1,2026-11-22,5,EUR,{text}\n"
        );
        let payouts = csv::payouts(table.as_bytes(), &usual(), &options()).unwrap();
        payouts.rows[0].row(&["ADYEN", "PAYPAL"]).rail.to_owned()
    };
    assert_eq!(rail("from adyen/7"), "ADYEN");
    assert_eq!(rail("from adyen and paypal"), "", "two rails are none");
    assert_eq!(rail("adyenpay"), "", "a part of a word is no name");
    assert_eq!(rail(""), "");
}

#[test]
fn every_column_of_a_table_of_payout_lines_is_read() {
    let text = "line_id,payout_id,kind,source_id,gross_minor,fee_minor,net_minor,currency\n\
                l1,po1,payment,p1,1000,30,960,EUR\n\
                l2,po1,refund,,-500,,,EUR\n\
                l3,po1,payment,p3,1000,30,,EUR\n\
                l4,po1,payment,p4,,30,,EUR\n\
                l5,po1,payment,p5,-9223372036854775808,1,,EUR\n\
                l6,,payment,p6,1000,,,EUR\n";
    let report = csv::report(text.as_bytes(), &usual(), &options()).unwrap();
    let lines: Vec<_> = report
        .rows
        .iter()
        .map(|line| {
            (
                line.id.as_str(),
                line.payout.as_str(),
                line.kind,
                line.source.as_str(),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("l1", "po1", LineKind::Payment, "p1"),
            ("l2", "po1", LineKind::Refund, "l2"),
            ("l3", "po1", LineKind::Payment, "p3"),
        ]
    );
    let amounts: Vec<_> = report
        .rows
        .iter()
        .map(|line| (line.gross, line.fee, line.net))
        .collect();
    // What the file says is the net counts, even where it is not the gross less the fee.
    assert_eq!(amounts, [(1000, 30, 960), (-500, 0, -500), (1000, 30, 970)]);
    let reasons = [
        (5, "the gross amount is missing"),
        (6, "the net is out of range"),
        (7, "the payout is missing"),
    ];
    assert_eq!(rejected(&report), reasons);
}

#[test]
fn a_table_says_in_words_what_each_payout_line_is() {
    let kind = |word: &str| {
        let text = format!("line_id,payout_id,kind,gross_minor,currency\nl1,po1,{word},1000,EUR\n");
        csv::report(text.as_bytes(), &usual(), &options())
            .unwrap()
            .rows[0]
            .kind
    };
    for (words, expected) in [
        ("payment late charge Capture", LineKind::Payment),
        ("refund REFUND", LineKind::Refund),
        ("dispute dispute_reversal chargeback", LineKind::Dispute),
        ("fee", LineKind::Fee),
        ("reserve", LineKind::Reserve),
        ("conversion fx", LineKind::Conversion),
        ("adjustment gift", LineKind::Adjustment),
    ] {
        for word in words.split(' ') {
            assert_eq!(kind(word), expected, "{word}");
        }
    }
    assert_eq!(kind(""), LineKind::Payment);
}

#[test]
fn an_amount_is_read_as_its_column_says_and_then_as_declared() {
    let mut mapping = usual();
    mapping.amounts = Amounts::Decimal;
    let total = |name: &str, amount: &str| {
        let text = format!("order_id,{name},currency,at\nA-1,{amount},EUR,2026-11-22\n");
        let orders = csv::orders(text.as_bytes(), &mapping, &options()).unwrap();
        orders.rows.first().and_then(|order| order.total)
    };
    assert_eq!(total("total", "19.99"), Some(1999));
    assert_eq!(total("total", "19"), Some(1900));
    assert_eq!(total("total_minor", "1999"), Some(1999));
    assert_eq!(total("total_minor", "19.99"), None);
    assert_eq!(total("total", "+19.99"), Some(1999));
}

#[test]
fn a_row_without_a_currency_takes_the_declared_one_or_is_not_sound() {
    let text = "order_id,total_minor,currency,at\nA-1,1999,,2026-11-22\nA-2,1999,SEK,2026-11-22\n";
    let orders = csv::orders(text.as_bytes(), &usual(), &options()).unwrap();
    assert_eq!(rejected(&orders), [(2, "the currency is missing")]);
    let mut mapping = usual();
    mapping.currency = Some(Currency::NOK);
    let orders = csv::orders(text.as_bytes(), &mapping, &options()).unwrap();
    let currencies: Vec<_> = orders.rows.iter().map(|order| order.currency).collect();
    assert_eq!(currencies, [Currency::NOK, Currency::SEK]);
}

#[test]
fn the_delimiter_is_told_from_the_header_or_declared() {
    let text = "order_id,total_minor,currency,at\nA-1,1999,EUR,2026-11-22\n";
    let read = |text: &str, mapping: &CsvMapping| csv::orders(text.as_bytes(), mapping, &options());
    for delimiter in [',', ';', '\t', '|'] {
        let text = text.replace(',', &delimiter.to_string());
        assert_eq!(read(&text, &usual()).unwrap().rows[0].id, "A-1");
    }
    let mut mapping = usual();
    mapping.delimiter = Some('^');
    let orders = read(&text.replace(',', "^"), &mapping).unwrap();
    assert_eq!(orders.rows[0].id, "A-1");
    // As many commas as semicolons: it is named after its commas.
    let both = "order_id,total_minor,currency,at;;;\nA-1,1999,EUR,2026-11-22\n";
    let error = read(both, &usual()).unwrap_err().to_string();
    assert!(
        error.ends_with("its columns are order_id, total_minor, currency, at;;;"),
        "{error}"
    );
}

#[test]
fn what_is_no_such_table_is_told_by_its_columns() {
    let sentence = |text: &str| {
        let error = csv::orders(text.as_bytes(), &usual(), &options()).unwrap_err();
        assert!(matches!(error, ReadError::NotThat { .. }), "{error}");
        error.to_string()
    };
    let of_one_column = "this is not a table of orders: it begins with “order_id,”";
    assert_eq!(sentence("order_id,\nA-1,\n"), of_one_column);
    let two = "this is not a table of orders: it has no column total_minor or amount_minor or \
               total or amount; its columns are order_id, sum";
    assert_eq!(sentence("order_id,sum\nA-1,5\n"), two);
    let long = format!("order_id,{}", "x".repeat(190));
    assert!(sentence(&long).ends_with("xx"), "200 characters are shown");
    assert!(sentence(&(long + "x")).ends_with("xx…"), "and no more");
    let mut mapping = usual();
    mapping.columns.insert(Field::Id, " Beleg ".to_owned());
    let error = csv::orders(
        &b"order_id,total_minor,currency,at\n"[..],
        &mapping,
        &options(),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no column beleg;"), "{error}");
}

#[test]
fn a_bad_row_is_told_by_its_line_and_costs_no_other() {
    let text = "order_id,total_minor,currency,at,customer\n\
                A-1,1,EUR,2026-11-22\n\
                A-2,1,EUR,2026-11-22,\"two\nlines\"\n\
                A-3,1,EUR,2026-11-22,c,more\n\
                ,1,EUR,2026-11-22,c\n\
                A-5,1,EUR,2026-11-22,c\n";
    let mut bytes = text.as_bytes().to_vec();
    bytes.extend(b"A-6,1,EUR,2026-11-22,\xff\n");
    let orders = csv::orders(bytes.as_slice(), &usual(), &options()).unwrap();
    let ids: Vec<_> = orders.rows.iter().map(|order| order.id.as_str()).collect();
    assert_eq!(ids, ["A-2", "A-5"]);
    assert_eq!(
        rejected(&orders),
        [
            (2, "4 fields, where the header has 5"),
            (5, "6 fields, where the header has 5"),
            (6, "the order's id is missing"),
            (8, "not UTF-8"),
        ]
    );
    let mut few = options();
    few.rejected_max = 2;
    let orders = csv::orders(bytes.as_slice(), &usual(), &few).unwrap();
    assert_eq!((orders.rejected.len(), orders.rejected_count), (2, 4));
}

#[test]
fn a_file_of_the_largest_size_is_read_and_none_beyond() {
    let row = "A-1,1999,EUR,2026-11-22\n";
    let text = format!("order_id,total_minor,currency,at\n{}", row.repeat(900));
    let bytes = text.len() as u64;
    let read = |bytes, row_bytes| {
        let options = options()
            .with_file_bytes_max(bytes)
            .with_row_bytes_max(row_bytes);
        csv::orders(text.as_bytes(), &usual(), &options).map(|orders| orders.rows.len())
    };
    assert_eq!(read(bytes, 1 << 20).unwrap(), 900);
    let error = read(bytes - 1, 1 << 20).unwrap_err();
    assert!(
        matches!(error, ReadError::TooLarge(max) if max == bytes - 1),
        "{error}"
    );
    // What is read ahead is not taken for one long row.
    assert_eq!(read(bytes, row.len() as u64).unwrap(), 900);
}

#[test]
fn times_are_read_as_declared() {
    let mut mapping = usual();
    mapping.times = Times::Unix;
    let text = "payment_id,amount_minor,currency,paid_at\np1,500,EUR,1795348800\np2,5,EUR,noon\n";
    let entries = csv::entries(text.as_bytes(), &mapping, &options()).unwrap();
    assert_eq!(entries.rows[0].at.to_string(), "2026-11-22T12:00:00Z");
    assert!(!entries.rows[0].day_only);
    assert_eq!(rejected(&entries), [(3, "time “noon” is not one")]);
}

#[test]
fn what_moves_money_is_a_line_with_the_sign_that_it_has_in_the_payout() {
    let line = |kind: &str, minor: i64| {
        let text = format!(
            "payment_id,kind,type,installments,amount_minor,currency,at\n\
             p1,{kind},visa,3,{minor},EUR,2026-11-22\n"
        );
        let entries = csv::entries(text.as_bytes(), &usual(), &options()).unwrap();
        entries.rows[0].line().map(|line| {
            assert_eq!((line.id, line.method, line.instalments), ("p1", "visa", 3));
            (line.kind, line.gross.minor())
        })
    };
    for (kind, expected) in [
        ("payment", Some((LineKind::Payment, 500))),
        ("refund", Some((LineKind::Refund, -500))),
        ("failed_refund", Some((LineKind::Refund, 500))),
        ("reversal", Some((LineKind::Refund, -500))),
        ("dispute", Some((LineKind::Dispute, -500))),
        ("dispute_won", Some((LineKind::Dispute, 500))),
        ("dispute_lost", None),
        ("pending", None),
        ("failed", None),
    ] {
        // Files give the amount with a sign or without.
        for minor in [500, -500] {
            assert_eq!(line(kind, minor), expected, "{kind} {minor}");
        }
    }
}

#[test]
fn formats_are_told_by_what_no_other_has() {
    for (start, format) in [
        ("{1:F01BANKNL2AXXXX}", Format::Mt940),
        (":20:STARTUMS", Format::Mt940),
        ("\u{feff} \n:20:STARTUMS", Format::Mt940),
        ("0000 01\n:20:STARTUMS", Format::Mt940),
        ("{\"transaction_details\": []}", Format::PayPal),
        ("Psp Reference,Type,Net Currency", Format::Adyen),
        ("Psp Reference,Type", Format::Csv),
        ("Type,Net Currency", Format::Csv),
        ("Balance_Transaction_ID,Gross", Format::Stripe),
    ] {
        assert_eq!(Format::of(start.as_bytes()), format, "{start}");
    }
}
