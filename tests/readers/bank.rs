//! What a bank's statement says has come, and by which name.

use counterfoil::matching::EntryKind;
use counterfoil::matching::readers::{ReadError, camt, mt940};

use super::{options, rejected};

/// A statement of one account: its own id and its entries.
fn camt_statement(id: &str, entries: &str) -> String {
    format!(
        r#"<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
        <Id>{id}</Id><Acct><Id><IBAN>NO9386011117947</IBAN></Id></Acct>{entries}
        </Stmt></BkToCstmrStmt></Document>"#
    )
}

fn camt_credit(amount: &str, more: &str) -> String {
    format!(
        r#"<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>
        <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-05</Dt></BookgDt>{more}</Ntry>"#
    )
}

#[test]
fn entries_without_a_name_of_their_own_stay_apart_from_those_of_other_statements() {
    let ids = |statement: &str| -> Vec<String> {
        let entries = camt::entries(statement.as_bytes(), &options()).unwrap();
        entries.rows.into_iter().map(|entry| entry.id).collect()
    };
    let monday = camt_statement("S-1", &camt_credit("10.00", ""));
    let tuesday = camt_statement("S-2", &camt_credit("20.00", ""));
    assert_ne!(ids(&monday), ids(&tuesday), "not a redelivery of Monday's");
    assert_eq!(
        ids(&monday),
        ids(&camt_statement("S-9", &camt_credit("10.00", ""))),
        "the same entry in another export"
    );
    for reference in ["BATCH-7", "NONREF", "NOTPROVIDED"] {
        let reference = format!("<AcctSvcrRef>{reference}</AcctSvcrRef>");
        let twice = camt_credit("10.00", &reference) + &camt_credit("20.00", &reference);
        let found = ids(&camt_statement("S-3", &twice));
        assert_ne!(
            found[0], found[1],
            "two entries of a batch are two payments"
        );
        // Equal ones are counted.
        let twice = camt_credit("10.00", &reference).repeat(2);
        let found = ids(&camt_statement("S-3", &twice));
        assert_eq!(found[1], format!("{}/2", found[0]));
    }
    let mt940 = |year: u8| {
        let text = format!(
            ":20:STARTUMS\n:25:DE1\n:28C:00001/001\n:60F:C{year}0102EUR0,00\n\
             :61:{year}01020102C10,00NTRFNONREF\n:62F:C{year}0102EUR10,00\n-"
        );
        let entries = mt940::entries(text.as_bytes(), &options()).unwrap();
        entries.rows[0].id.clone()
    };
    assert_ne!(
        mt940(26),
        mt940(27),
        "statements are counted anew each year"
    );
}

#[test]
fn a_camt_entry_counts_as_it_was_booked() {
    let amounts = |entries: &str| -> Vec<(EntryKind, String)> {
        let statement = camt_statement("S-1", entries);
        let read = camt::entries(statement.as_bytes(), &options()).unwrap();
        assert_eq!(rejected(&read), []);
        let rows = read.rows.into_iter();
        rows.map(|row| (row.kind, row.amount.to_string())).collect()
    };
    let payment = |amount: &str| (EntryKind::Payment, amount.to_owned());
    // What the payer sent is told beside what was booked, before charges and in another currency.
    let sent = r#"<AmtDtls><TxAmt><Amt Ccy="USD">120.00</Amt></TxAmt></AmtDtls>"#;
    assert_eq!(amounts(&camt_credit("95.00", sent)), [payment("95.00 EUR")]);
    let detail = |amount: &str| format!(r#"<TxDtls><Amt Ccy="EUR">{amount}</Amt>{sent}</TxDtls>"#);
    let details = format!(
        "<NtryDtls>{}{}</NtryDtls>",
        detail("60.00"),
        detail("35.00")
    );
    assert_eq!(
        amounts(&camt_credit("95.00", &details)),
        [payment("60.00 EUR"), payment("35.00 EUR")]
    );
    // What is only announced has not come.
    for status in [
        "<Sts>PDNG</Sts>",
        "<Sts><Cd>INFO</Cd></Sts>",
        "<Sts><Cd>FUTR</Cd></Sts>",
    ] {
        let announced = camt_credit("95.00", "").replace("<Sts><Cd>BOOK</Cd></Sts>", status);
        assert_eq!(amounts(&announced), [], "{status}");
    }
    let reversed = camt_credit("95.00", "<RvslInd>1</RvslInd>").replace("CRDT", "DBIT");
    assert_eq!(
        amounts(&reversed),
        [(EntryKind::Reversal, "-95.00 EUR".to_owned())]
    );
}

#[test]
fn what_a_camt_entry_says_of_itself_is_kept() {
    let more = "<ValDt><DtTm>2026-11-06T09:30:00</DtTm></ValDt><NtryDtls><TxDtls>\
                <Refs><EndToEndId>E2E-7</EndToEndId></Refs>\
                <RmtInf><Ustrd>A&#38;B &lt;&quot;7&apos;&gt; &#x41;&#65;</Ustrd>\
                <Ustrd><![CDATA[<second>]]></Ustrd></RmtInf></TxDtls></NtryDtls>";
    let statement = camt_statement("S-1", &camt_credit("95.00", more));
    let read = camt::entries(statement.as_bytes(), &options()).unwrap();
    let entry = &read.rows[0];
    assert_eq!(
        (entry.source.as_str(), entry.account.as_str()),
        ("bank", "NO9386011117947")
    );
    assert_eq!(
        entry.text.as_deref(),
        Some("E2E-7\nA&B <\"7'> AA\n<second>")
    );
    // The value date counts, and where there is none the date of booking.
    assert_eq!(entry.at.to_string(), "2026-11-06T09:30:00Z");
    assert!(!entry.day_only);
    let statement = camt_statement("S-1", &camt_credit("95.00", ""));
    let read = camt::entries(statement.as_bytes(), &options()).unwrap();
    assert_eq!(read.rows[0].at.to_string(), "2026-11-05T00:00:00Z");
    assert_eq!(read.rows[0].text, None);
}

#[test]
fn only_what_came_in_is_a_payout() {
    let debit = camt_credit("5.00", "").replace("CRDT", "DBIT");
    let entries = camt_credit("95.00", "") + &debit + &camt_credit("0.00", "");
    let payouts = camt::payouts(camt_statement("S-1", &entries).as_bytes(), &options()).unwrap();
    let nets: Vec<_> = payouts
        .rows
        .iter()
        .map(|payout| payout.net.minor())
        .collect();
    assert_eq!(nets, [9500, 0]);
    let text = mt940_statement(&[
        ":61:2611051105C23,00NTRFNONREF",
        ":61:2611051105D3,00NTRFNONREF",
        ":61:2611051105RC2,00NTRFNONREF",
        ":61:2611051105RD1,00NTRFNONREF",
    ]);
    let payouts = mt940::payouts(text.as_bytes(), &options()).unwrap();
    let nets: Vec<_> = payouts
        .rows
        .iter()
        .map(|payout| payout.net.minor())
        .collect();
    assert_eq!(nets, [2300]);
    assert_eq!(payouts.rows[0].value_date.to_string(), "2026-11-05");
    let entries = mt940::entries(text.as_bytes(), &options()).unwrap();
    let kinds: Vec<_> = entries.rows.iter().map(|entry| entry.kind).collect();
    // A reversed debit is money that had been sent and came back.
    assert_eq!(
        kinds,
        [
            EntryKind::Payment,
            EntryKind::Reversal,
            EntryKind::FailedRefund
        ]
    );
}

#[test]
fn each_statement_of_a_file_counts_its_entries_anew() {
    let one = |id: &str, account: &str| {
        let reference = "<AcctSvcrRef>R-1</AcctSvcrRef>";
        let entries = camt_credit("10.00", "") + &camt_credit("20.00", reference);
        let statement = camt_statement(id, &entries).replace("NO9386011117947", account);
        let (start, end) = (
            statement.find("<Stmt>").unwrap(),
            statement.find("</BkTo").unwrap(),
        );
        statement[start..end].to_owned()
    };
    let both = one("S-1", "NO1") + &one("S-1", "NO2");
    let file = format!("<Document><BkToCstmrStmt>{both}</BkToCstmrStmt></Document>");
    let read = camt::entries(file.as_bytes(), &options()).unwrap();
    let accounts: Vec<_> = read.rows.iter().map(|row| row.account.as_str()).collect();
    assert_eq!(accounts, ["NO1", "NO1", "NO2", "NO2"]);
    let ids: std::collections::HashSet<_> = read.rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), 4, "the account is in the name");
    assert!(ids.iter().all(|id| !id.ends_with("/2")), "{ids:?}");
    assert!(read.rows[1].id.starts_with("R-1/2026-11-05/"));

    let one =
        |number: &str| mt940_statement(&[":61:2611051105C23,00NTRFNONREF"]).replace("307", number);
    let file = one("307") + "\n" + &one("308").replace("DE1", "DE2");
    let read = mt940::entries(file.as_bytes(), &options()).unwrap();
    let [first, second] = read.rows.as_slice() else {
        panic!("{read:?}");
    };
    assert_eq!(
        (first.account.as_str(), second.account.as_str()),
        ("DE1", "DE2")
    );
    assert_ne!(first.id, second.id, "the account is in the name");
    assert!(!second.id.ends_with("/2"));
}

#[test]
fn transactions_of_an_entry_that_are_not_sound_are_told_by_their_own_lines() {
    let detail = "\n<TxDtls><Amt Ccy=\"EUR\">5.00</Amt></TxDtls>";
    let details = format!("<NtryDtls>{detail}{detail}</NtryDtls>");
    let entry = camt_credit("10.00", &details).replace("<Dt>2026-11-05</Dt>", "");
    let read = camt::entries(camt_statement("S-1", &entry).as_bytes(), &options()).unwrap();
    let missing = "the value date is missing";
    assert_eq!(rejected(&read), [(4, missing), (5, missing)]);
    // Details that do not add up to their entry are not told apart.
    let entry = camt_credit("11.00", &details);
    let read = camt::entries(camt_statement("S-1", &entry).as_bytes(), &options()).unwrap();
    let found: Vec<_> = read.rows.iter().map(|row| row.amount.minor()).collect();
    assert_eq!(found, [1100]);
}

#[test]
fn elements_of_a_statement_may_nest_as_deep_as_the_bound_and_no_deeper() {
    let nested = |depth: usize| {
        let depth = depth - "Document BkToCstmrStmt Stmt".split(' ').count();
        let inner = format!("{}{}", "<X>".repeat(depth), "</X>".repeat(depth));
        camt::entries(camt_statement("S-1", &inner).as_bytes(), &options())
    };
    assert!(nested(64).is_ok());
    assert!(
        nested(65)
            .unwrap_err()
            .to_string()
            .contains("nest too deep")
    );
}

#[test]
fn a_statement_of_the_largest_size_is_read_and_none_beyond() {
    let statement = camt_statement("S-1", &camt_credit("10.00", ""));
    let read = |most| camt::entries(statement.as_bytes(), &options().with_file_bytes_max(most));
    let bytes = statement.len() as u64;
    assert_eq!(read(bytes).unwrap().rows.len(), 1);
    assert!(matches!(read(bytes - 1), Err(ReadError::TooLarge(_))));
}

/// A statement in MT940 with these fields between its opening and its closing balance.
fn mt940_statement(fields: &[&str]) -> String {
    format!(
        ":20:STARTUMS\n:25:DE1\n:28C:307\n:60F:C261105EUR5,00\n{}\n:62F:C261105EUR5,00\n-",
        fields.join("\n")
    )
}

#[test]
fn what_an_mt940_entry_says_of_itself_is_kept() {
    let text = mt940_statement(&[
        ":61:2611051105C23,00NTRFNONREF",
        ":86:first",
        ":note: second",
        ":5: third",
        ":12345: fourth",
    ]);
    let read = mt940::entries(text.as_bytes(), &options()).unwrap();
    let entry = &read.rows[0];
    assert_eq!(
        (entry.source.as_str(), entry.account.as_str()),
        ("bank", "DE1")
    );
    assert!(entry.day_only, "the time of day is not told");
    let text = "first\n:note: second\n:5: third\n:12345: fourth";
    assert_eq!(
        entry.text.as_deref(),
        Some(text),
        "only fields of the format begin a field, and breaks are kept"
    );
    // The end of a message is no text of its last entry.
    let text = mt940_statement(&[":61:2611051105C23,00NTRFNONREF", ":86:text"]);
    let text = text.replace("\n:62F:C261105EUR5,00", "") + "}{5:{CHK:1}}";
    let read = mt940::entries(text.as_bytes(), &options()).unwrap();
    assert_eq!(read.rows[0].text.as_deref(), Some("text"));
}

#[test]
fn the_years_of_mt940_are_those_of_its_age() {
    let day = |date: &str| {
        let entry = format!(":61:{date}C23,00NTRFNONREF");
        let read = mt940::payouts(mt940_statement(&[&entry]).as_bytes(), &options()).unwrap();
        read.rows[0].value_date.to_string()
    };
    assert_eq!(day("800102"), "1980-01-02");
    assert_eq!(day("790102"), "2079-01-02");
}

#[test]
fn what_is_no_mt940_statement_or_names_no_currency_is_told_so() {
    let text = mt940_statement(&[":61:2611051105C23,00NTRFNONREF"]).replace(":25:DE1\n", "");
    let error = mt940::entries(text.as_bytes(), &options()).unwrap_err();
    let expected = "this is not an MT940 statement: it begins with “:20:STARTUMS·";
    assert!(error.to_string().starts_with(expected), "{error}");
    let text = mt940_statement(&[":61:2611051105C23,00NTRFNONREF"]);
    let text = text.replace("EUR5", "5").replace("\n:62F:C2611055,00", "");
    let read = mt940::entries(text.as_bytes(), &options()).unwrap();
    assert_eq!(
        rejected(&read),
        [
            (4, "opening balance “C2611055,00” names no currency"),
            (
                5,
                "field 61 “2611051105C23,00NTRFNONREF”: the statement names no currency"
            ),
        ]
    );
}

#[test]
fn transactions_of_a_camt_entry_take_over_what_is_said_of_all() {
    let details = "<NtryDtls><TxDtls><Amt Ccy=\"EUR\">4.00</Amt></TxDtls>\
                   <TxDtls><Amt Ccy=\"EUR\">6.00</Amt><RmtInf><Ustrd>A-8</Ustrd></RmtInf></TxDtls>\
                   </NtryDtls><AddtlNtryInf>batch</AddtlNtryInf>";
    let entry = camt_credit("10.00", &format!("<RvslInd>true</RvslInd>{details}"));
    let entry = entry
        .replace("CRDT", "DBIT")
        .replace("Dt>2026-11-05</Dt", "DtTm>2026-11-05T09:30:00</DtTm");
    let read = camt::entries(camt_statement("S-1", &entry).as_bytes(), &options()).unwrap();
    let found: Vec<_> = read
        .rows
        .iter()
        .map(|row| {
            (
                row.kind,
                row.amount.minor(),
                row.at.to_string(),
                row.text.as_deref(),
            )
        })
        .collect();
    let at = "2026-11-05T09:30:00Z".to_owned();
    assert_eq!(
        found,
        [
            (EntryKind::Reversal, -400, at.clone(), None),
            (EntryKind::Reversal, -600, at, Some("A-8")),
        ]
    );
    // An entry whose amount cannot be read is not what its transactions are.
    let entry = camt_credit("ten", details);
    let read = camt::entries(camt_statement("S-1", &entry).as_bytes(), &options()).unwrap();
    assert!(read.rows.is_empty());
    assert_eq!(read.rejected_count, 1);
}

#[test]
fn a_state_that_is_not_known_makes_an_entry_neither_booked_nor_announced() {
    let status = |status: &str| {
        let entry = camt_credit("10.00", "").replace("<Sts><Cd>BOOK</Cd></Sts>", status);
        let read = camt::entries(camt_statement("S-1", &entry).as_bytes(), &options()).unwrap();
        let reasons = rejected(&read).into_iter().map(|(_, text)| text.to_owned());
        (read.rows.len(), reasons.collect::<Vec<_>>())
    };
    assert_eq!(status(""), (1, vec![]), "old versions do not say it");
    assert_eq!(status("<Sts>BOOK</Sts>"), (1, vec![]));
    for unknown in [
        "<Sts>HELD</Sts>",
        "<Sts><Cd>HELD</Cd></Sts>",
        "<Sts><Prtry>HELD</Prtry></Sts>",
    ] {
        assert_eq!(
            status(unknown),
            (0, vec!["Sts “HELD” is not known".to_owned()])
        );
    }
}

fn balance(kind: &str, amount: &str, mark: &str) -> String {
    format!(
        r#"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{amount}</Amt>
        <CdtDbtInd>{mark}</CdtDbtInd><Dt><Dt>2026-11-05</Dt></Dt></Bal>"#
    )
}

#[test]
fn balances_of_camt_are_compared_with_all_entries_and_told() {
    let debit = camt_credit("5.00", "").replace("CRDT", "DBIT");
    let entries = camt_credit("95.00", "") + &debit;
    let opening = balance("OPBD", "10.00", "DBIT");
    let problems = |closing: &str| {
        let text = camt_statement("S-1", &(opening.clone() + closing + &entries));
        let read = camt::entries(text.as_bytes(), &options()).unwrap();
        assert_eq!((read.rows.len(), read.statements.len()), (1, 1));
        let strict = camt::entries(text.as_bytes(), &options().with_strict(true));
        let told = read.statements[0].problems.iter();
        let told: Vec<_> = told.map(ToString::to_string).collect();
        assert_eq!(strict.is_err(), !told.is_empty());
        told
    };
    assert_eq!(
        problems(&balance("CLBD", "80.00", "CRDT")),
        Vec::<String>::new()
    );
    let wrong = problems(&balance("CLBD", "90.00", "CRDT"));
    assert!(
        wrong[0].contains("80.00 EUR") && wrong[0].contains("90.00 EUR"),
        "{wrong:?}"
    );
    assert!(problems("")[0].contains("no closing balance"));
    // Every line can be asked for.
    let text = camt_statement("S-1", &entries);
    let lines = camt::lines(text.as_bytes(), &options()).unwrap();
    let found: Vec<_> = lines.rows.iter().map(|line| line.amount.minor()).collect();
    assert_eq!(found, [9_500, -500]);
}

#[test]
fn credit_that_camt_marks_as_reversal_is_a_refund_that_came_back() {
    let entry = camt_credit("40.00", "<RvslInd>true</RvslInd>");
    let read = camt::entries(camt_statement("S-1", &entry).as_bytes(), &options()).unwrap();
    assert_eq!(read.rows[0].kind, EntryKind::FailedRefund);
}
