//! MT940 as banks write it: amounts, names, texts, balances, and what stands around them.

use counterfoil::matching::EntryKind;
use counterfoil::matching::readers::{
    BalanceProblem, Customers, EntryRecord, Format, ReadError, Reading, StatementLine, mt940,
    tell_gaps,
};

use super::{options, rejected};

fn read(text: &str) -> Reading<EntryRecord> {
    mt940::entries(text.as_bytes(), &options()).unwrap()
}

fn lines(text: &str) -> Reading<StatementLine> {
    mt940::lines(text.as_bytes(), &options()).unwrap()
}

fn ids(text: &str) -> Vec<String> {
    read(text).rows.into_iter().map(|row| row.id).collect()
}

/// A statement of one account from `opening` to `closing`, balances in cents.
fn statement(number: &str, opening: (&str, i64), closing: (&str, i64), fields: &[&str]) -> String {
    let balance = |(day, cents): (&str, i64)| {
        let mark = if cents < 0 { 'D' } else { 'C' };
        let cents = cents.abs();
        format!("{mark}{day}EUR{},{:02}", cents / 100, cents % 100)
    };
    format!(
        ":20:STARTUMS\n:25:10020030/4567\n:28C:{number}\n:60F:{}\n{}\n:62F:{}\n-\n",
        balance(opening),
        fields.join("\n"),
        balance(closing)
    )
}

fn problems<T>(reading: &Reading<T>) -> Vec<String> {
    let statements = reading.statements.iter();
    statements
        .flat_map(|statement| &statement.problems)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn amount_with_a_dot_is_read_to_the_cent_or_rejected() {
    let amounts = |amounts: &[&str]| {
        let fields: Vec<String> = amounts
            .iter()
            .map(|amount| format!(":61:2611051105C{amount}NMSC"))
            .collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let text = statement("1", ("261105", 0), ("261105", 0), &fields);
        let read = read(&text);
        let minor: Vec<i64> = read.rows.iter().map(|row| row.amount.minor()).collect();
        (minor, read.rejected_count)
    };
    assert_eq!(amounts(&["000000137379.47"]), (vec![13_737_947], 0));
    assert_eq!(amounts(&["1.234,56"]), (vec![123_456], 0));
    assert_eq!(amounts(&["1.234.567,5"]), (vec![123_456_750], 0));
    // The balances write a decimal comma, so that one dot parts thousands.
    assert_eq!(amounts(&["1.234"]), (vec![123_400], 0));
    assert_eq!(
        amounts(&["12.34.56", "1x,00", "5,00-", "5,00*"]),
        (vec![], 4)
    );
}

#[test]
fn amount_without_the_type_behind_it_is_rejected_with_what_stands_there() {
    let text = statement(
        "1",
        ("261105", 0),
        ("261105", 0),
        &[":61:2611051105C30,00%NTRF"],
    );
    let read = read(&text);
    assert_eq!(
        rejected(&read),
        [(
            5,
            "field 61 “2611051105C30,00%NTRF”: after the amount “30,00” stands “%NTRF” and not \
             the type, such as NTRF"
        )]
    );
}

#[test]
fn amount_of_each_currency_has_its_decimals() {
    for (code, written, minor) in [
        ("JPY", "100,00", 100),
        ("JPY", "100,", 100),
        ("KWD", "18,600", 18_600),
        ("EUR", ",5", 50),
        ("EUR", "5", 500),
        ("HRK", "30,00", 3_000),
    ] {
        let text = format!(
            ":20:S\n:25:A1\n:28C:1\n:60F:C261105{code}0,\n:61:2611051105C{written}NTRF\n\
             :62F:C261105{code}{written}\n-"
        );
        let read = read(&text);
        assert_eq!(rejected(&read), [], "{code} {written}");
        assert_eq!(read.rows[0].amount.minor(), minor, "{code} {written}");
        assert_eq!(problems(&read), Vec::<String>::new());
    }
}

const FIRST: [&str; 2] = [
    ":61:2611041104C10,NTRFNONREF",
    ":86:166?00GUTSCHRIFT?20thanks?32Kari",
];
const SECOND: [&str; 2] = [
    ":61:2611051105C20,NTRFNONREF//NONREF",
    ":86:166?00GUTSCHRIFT?20A-7?32Ola",
];

#[test]
fn names_of_entries_are_the_same_in_every_cut_of_an_account() {
    let all = [FIRST, SECOND].concat();
    let month = statement("0", ("261103", 0), ("261105", 3_000), &all);
    let day = statement("0", ("261104", 0), ("261104", 1_000), &FIRST);
    let next = statement("0", ("261105", 1_000), ("261105", 3_000), &SECOND);
    let expected = ids(&month);
    assert_eq!(expected.len(), 2);
    assert_ne!(expected[0], expected[1]);
    assert_eq!([ids(&day), ids(&next)].concat(), expected);
    assert_eq!(ids(&(day.clone() + &next)), expected, "in one file");
    assert_eq!(
        ids(&(month.clone() + &day)),
        [expected.clone(), vec![expected[0].clone()]].concat(),
        "an overlap in one file is no second payment"
    );
    // How the lines are wrapped and end says nothing.
    let wrapped = month
        .replace("GUTSCHRIFT?2", "GUTSCHR\nIFT?2")
        .replace('\n', "\r\n");
    assert_eq!(ids(&wrapped), expected);
}

#[test]
fn names_of_equal_entries_are_counted_within_their_day_also_over_pages() {
    let twice = [FIRST, FIRST].concat();
    let whole = ids(&statement("1", ("261103", 0), ("261104", 2_000), &twice));
    assert_eq!(whole[1], format!("{}/2", whole[0]));
    let first = statement("1/1", ("261104", 0), ("261104", 1_000), &FIRST);
    let second = statement("1/2", ("261104", 1_000), ("261104", 2_000), &FIRST);
    assert_eq!(ids(&(first.clone() + &second)), whole);
    assert_eq!(
        ids(&(first.clone() + &first)),
        [whole[0].clone(), whole[0].clone()],
        "the same statement twice is not two payments"
    );
}

#[test]
fn names_of_entries_with_a_constant_number_stay_apart() {
    let of = |number: &str, day: &str, amount: &str, reference: &str| {
        let entry = format!(":61:{day}{}C{amount}NMSC{reference}", &day[2..]);
        ids(&statement(number, (day, 0), (day, 0), &[&entry]))
    };
    for reference in ["", "NONREF", "NONREF//NONREF", "//0000000000", "CONST//77"] {
        let monday = of("0", "261102", "49,90", reference);
        assert_ne!(monday, of("0", "261103", "49,90", reference), "{reference}");
        assert_ne!(monday, of("0", "261102", "75,00", reference), "{reference}");
        assert_eq!(
            monday,
            of("9/1", "261102", "49,90", reference),
            "{reference}"
        );
    }
}

#[test]
fn account_is_read_from_either_field_and_without_its_currency() {
    for field in [
        ":25:NL91ABNA0417164300",
        ":25:NL91ABNA0417164300 EUR",
        ":25:NL91ABNA0417164300EUR",
        ":25P:NL91ABNA0417164300\nABNANL2A",
    ] {
        let text = statement("1", ("261105", 0), ("261105", 3_000), &FIRST);
        let text = text.replace(":25:10020030/4567", field);
        assert_eq!(read(&text).rows[0].account, "NL91ABNA0417164300", "{field}");
    }
}

#[test]
fn payer_account_and_rail_are_read_where_the_format_has_them() {
    let of = |fields: &[&str]| {
        let text = statement("1", ("261105", 0), ("261105", 0), fields);
        let row = read(&text).rows.remove(0);
        (row.payer, row.payer_account, row.method.unwrap_or_default())
    };
    let kari = (Some("Kari".to_owned()), None, "bank_transfer".to_owned());
    assert_eq!(of(&FIRST), kari);
    let dutch = ":86:/TRTP/SEPA OVERBOEKING/IBAN/NL91ABNA0417164300/NAME/Ola/REMI/A-7";
    let expected = (
        Some("Ola".to_owned()),
        Some("NL91ABNA0417164300".to_owned()),
        "bank_transfer".to_owned(),
    );
    assert_eq!(of(&[FIRST[0], dutch]), expected);
    let (_, _, rail) = of(&[":61:2611051105C10,NDDTNONREF", ":86:171?20A-7"]);
    assert_eq!(rail, "sepa_debit");
    let (_, _, rail) = of(&[":61:2611051105C10,NCHKNONREF"]);
    assert_eq!(rail, "cheque");
}

#[test]
fn payer_is_the_customer_only_if_the_application_knows_one_so() {
    let text = statement(
        "1",
        ("261105", 0),
        ("261105", 1_000),
        &[
            FIRST[0],
            ":86:166?20thanks?31NL91ABNA0417164300?32Kari Nordmann",
        ],
    );
    let customer = |customers: &[&str]| {
        let customers = Customers::new(customers.iter().copied());
        let row = read(&text).rows.remove(0).paid_by_one_of(&customers);
        row.customer
    };
    assert_eq!(customer(&[]), None);
    assert_eq!(customer(&["Ola", "C-77"]), None, "no contradiction to C-77");
    assert_eq!(
        customer(&["Ola", "KARI  NORDMANN"]).as_deref(),
        Some("KARI  NORDMANN")
    );
    assert_eq!(
        customer(&["Kari Nordmann", "NL91 ABNA 0417 1643 00"]).as_deref(),
        Some("NL91 ABNA 0417 1643 00"),
        "an account says more than a name"
    );
    assert_eq!(
        customer(&["Kari Nordmann", "kari nordmann"]),
        None,
        "two are none"
    );
}

#[test]
fn reversed_and_returned_lines_are_what_they_take_back() {
    let text = statement(
        "1",
        ("261105", 0),
        ("261105", 0),
        &[
            ":61:2611051105RC10,NTRFNONREF",
            ":61:2611051105RD11,NTRFNONREF",
            ":61:2611051105D12,NRTINONREF",
            ":61:2611051105D13,NDDTNONREF",
            ":86:109?00RETURN?20A-7",
            ":61:2611051105C14,NTRFNONREF",
            ":86:159?00RETURN?20A-7",
            ":61:2611051105D15,NTRFNONREF",
            ":61:2611051105D0,00NCHGNONREF",
            ":61:2611051105EC16,NTRFNONREF",
            ":86:166?20expected",
        ],
    );
    let found: Vec<_> = read(&text)
        .rows
        .iter()
        .map(|row| (row.kind, row.amount.minor()))
        .collect();
    assert_eq!(
        found,
        [
            (EntryKind::Reversal, -1_000),
            (EntryKind::FailedRefund, 1_100),
            (EntryKind::Reversal, -1_200),
            (EntryKind::Reversal, -1_300),
            (EntryKind::FailedRefund, 1_400),
        ]
    );
    // All of them, the debit too; what is only expected is none.
    let all: Vec<_> = lines(&text)
        .rows
        .iter()
        .map(|line| (line.kind().is_some(), line.amount.minor()))
        .collect();
    assert_eq!(all[5], (false, -1_500));
    assert_eq!(all[6], (false, 0), "a debit of nothing is no payment");
    assert_eq!(all.len(), 7);
    assert_eq!(lines(&text).rows[4].text.as_deref(), Some("A-7"));
}

#[test]
fn text_of_an_entry_is_all_that_is_written_of_it() {
    let text = |fields: &[&str]| {
        let text = statement("1", ("261105", 0), ("261105", 0), fields);
        read(&text).rows.remove(0).text.unwrap_or_default()
    };
    let entry = ":61:2611051105C10,NTRFNONREF";
    for (fields, expected) in [
        (vec![entry, "/TRCD/00100/A-7"], "/TRCD/00100/A-7"),
        (vec![":61:2611051105C10,NTRFA-7//B-1"], "A-7"),
        (
            vec![entry, ":86:Payment for order", "- A-7"],
            "Payment for order\n- A-7",
        ),
        (vec![entry, ":86:Payment", "-", "A-7"], "Payment\n-\nA-7"),
        (vec![entry, ":86:first", ":86:A-7"], "first\nA-7"),
        (vec![entry, ":86:at", ":12:30 A-7"], "at\n:12:30 A-7"),
        (vec![entry, ":NS:01no text", "02nor this", ":86:A-7"], "A-7"),
        (vec![entry, ":86:A   ", "      ", " 7"], "A\n 7"),
    ] {
        assert_eq!(text(&fields), expected, "{fields:?}");
    }
    let long = format!(":86:{}", "é".repeat(5_000));
    let cut = text(&[entry, &long]);
    assert!(cut.len() <= 4_096 && cut.chars().all(|c| c == 'é'));
}

#[test]
fn entry_that_is_wrapped_is_read_whole() {
    for field in [
        ":61:2611051105CR\n30,00N062NONREF",
        ":61:2611051105C30\n,00N062NONREF",
        ":61:2611051105\nC30,00N062NONREF",
    ] {
        let read = read(&statement(
            "1",
            ("261105", 0),
            ("261105", 3_000),
            &[field, ":86:A-7"],
        ));
        assert_eq!(rejected(&read), [], "{field}");
        assert_eq!(read.rows[0].amount.minor(), 3_000);
        assert_eq!(read.rows[0].text.as_deref(), Some("A-7"));
        assert_eq!(problems(&read), Vec::<String>::new());
    }
}

#[test]
fn lines_may_end_as_they_like_and_files_begin_so() {
    let plain = statement("1", ("261103", 0), ("261104", 1_000), &FIRST);
    let expected = ids(&plain);
    let body = plain.trim_start_matches(":20:STARTUMS\n");
    for (what, text) in [
        ("CR LF", plain.replace('\n', "\r\n")),
        ("CR", plain.replace('\n', "\r")),
        ("@@", format!("@@{}", plain.replace('\n', "@@"))),
        ("a mark of UTF-8", format!("\u{feff}{plain}")),
        ("control characters", format!("\u{1}\n{plain}\u{3}")),
        ("an empty line", format!("\n{plain}")),
        (
            "an envelope",
            format!("{{1:F01BANK}}{{2:O940}}{{4:\n{plain}}}"),
        ),
        (
            "a bank's own lines",
            format!("ABNANL2A\n940\nABNANL2A\n{body}"),
        ),
        ("no field 20", body.to_owned()),
    ] {
        assert_eq!(Format::of(text.as_bytes()), Format::Mt940, "{what}");
        let read = read(&text);
        let found: Vec<_> = read.rows.iter().map(|row| row.id.clone()).collect();
        assert_eq!(found, expected, "{what}");
        assert_eq!(problems(&read), Vec::<String>::new(), "{what}");
    }
}

#[test]
fn interim_report_is_read_and_its_counts_compared() {
    let report = ":20:S\n:25:10020030/4567\n:28C:1\n:34F:EUR0,\n:13D:2611041200+0100\n\
                  :61:2611041104C10,NTRFNONREF\n\
                  :86:166?00GUTSCHRIFT?20thanks?32Kari\n:90D:0EUR0,\n:90C:1EUR10,00\n";
    let read = read(report);
    let statement = statement("1", ("261104", 0), ("261104", 1_000), &FIRST);
    assert_eq!(
        read.rows[0].id,
        ids(&statement)[0],
        "what the statement says later"
    );
    assert_eq!(problems(&read), Vec::<String>::new());
    let short = report.replace(":90C:1EUR10,00", ":90C:2EUR30,00");
    let told = problems(&self::read(&short));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("2 credits of 30.00 EUR"), "{told:?}");
    assert!(told[0].contains("1 of 10.00 EUR"), "{told:?}");
}

#[test]
fn balances_that_do_not_hold_are_told_and_end_a_strict_reading() {
    let sound = statement("1", ("261104", 500), ("261104", 1_500), &FIRST);
    let wrong = sound.replace("EUR15,00", "EUR99,00");
    let cut = &sound[..sound.find(":62F:").unwrap()];
    let debit = statement(
        "1",
        ("261104", 500),
        ("261104", 1_200),
        &[FIRST[0], FIRST[1], ":61:2611041104D3,NCHGNONREF"],
    );
    let overdrawn = sound.replace("C261104EUR5,00", "C261104EUR-5,00");
    let overdrawn = overdrawn.replace("EUR15,00", "EUR5,00");
    let gap = sound.clone() + &statement("3", ("261106", 2_000), ("261106", 2_000), &[]);
    for (what, text, expected) in [
        ("sound", sound.as_str(), ""),
        ("with a debit", &debit, ""),
        ("overdrawn", &overdrawn, ""),
        (
            "wrong",
            &wrong,
            "come to 15.00 EUR, and its closing balance is 99.00 EUR",
        ),
        ("cut off", cut, "no closing balance"),
        (
            "a gap",
            &gap,
            "it begins with 20.00 EUR, and the one before it ends with 15.00 EUR",
        ),
        (
            "headless",
            &sound.replace(":60F:", ":13:"),
            "no opening balance",
        ),
    ] {
        let read = read(text);
        assert_eq!(read.rows.len(), 1, "{what}: what can be read is read");
        let told = problems(&read);
        assert_eq!(
            told.len(),
            usize::from(!expected.is_empty()),
            "{what}: {told:?}"
        );
        assert!(
            told.iter().all(|told| told.contains(expected)),
            "{what}: {told:?}"
        );
        let strict = mt940::entries(text.as_bytes(), &options().with_strict(true));
        match strict {
            Ok(_) => assert_eq!(expected, "", "{what}"),
            Err(error) => assert!(error.to_string().contains(expected), "{what}: {error}"),
        }
    }
    let statement = &read(&debit).statements[0];
    assert_eq!(
        (statement.entries, statement.net.unwrap().minor()),
        (2, 700)
    );
}

#[test]
fn gap_between_files_is_told_once_their_statements_are_together() {
    let read_of = |text: &str| read(text).statements;
    let first = read_of(&statement("1", ("261104", 0), ("261104", 1_000), &FIRST));
    let third = read_of(&statement("3", ("261106", 9_000), ("261106", 9_000), &[]));
    let mut all = [first, third].concat();
    assert!(all.iter().all(|statement| statement.problems.is_empty()));
    tell_gaps(&mut all);
    assert!(matches!(all[1].problems[..], [BalanceProblem::Gap { .. }]));
}

#[test]
fn file_that_cannot_be_read_is_called_what_it_is() {
    for (text, expected) in [
        ("PK\u{3}\u{4}\u{14}", "ZIP"),
        (
            ":20:S\n:28C:1\n:60F:C261105EUR0,\n",
            "it names no account (field 25)",
        ),
        (
            ":20:S\n:25:A1\n:61:2611051105C1,NTRF\n",
            "it has no balance (field 60F)",
        ),
        (":86:166?20A-7\n", "names no account"),
    ] {
        let error = mt940::entries(text.as_bytes(), &options()).unwrap_err();
        assert!(matches!(error, ReadError::NotThat { .. }));
        assert!(error.to_string().contains(expected), "{error}");
    }
    let text = ":20:S\n:25:A1\n:28C:1\n:60F:C001105DEM0,00\n:61:0011051105C1,00NTRF\n\
                :62F:C001105DEM1,00\n";
    let read = read(text);
    let reasons = rejected(&read);
    assert_eq!(reasons.len(), 3);
    assert!(
        reasons.iter().all(|(_, reason)| reason.contains("DEM")),
        "{reasons:?}"
    );
    assert!(reasons[1].1.contains("EUR"), "{reasons:?}");
}

#[test]
fn days_of_banks_that_count_thirty_a_month_are_read() {
    let text = statement(
        "1",
        ("160229", 0),
        ("160301", 600),
        &[":61:1602300301CR6,00N024"],
    );
    let read = read(&text);
    assert_eq!(rejected(&read), []);
    assert_eq!(read.rows[0].at.to_string(), "2016-02-29T00:00:00Z");
    assert_eq!(
        lines(&text).rows[0].booked.unwrap().to_string(),
        "2016-03-01"
    );
}
