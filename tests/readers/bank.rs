//! What a bank's statement says has come, and by which name.

use counterfoil::matching::EntryKind;
use counterfoil::matching::readers::{camt, mt940};

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
    assert_eq!(ids(&monday), ["S-1/1"]);
    assert_eq!(ids(&tuesday), ["S-2/1"], "not a redelivery of Monday's");
    let reference = "<AcctSvcrRef>BATCH-7</AcctSvcrRef>";
    let twice = camt_credit("10.00", reference) + &camt_credit("20.00", reference);
    assert_eq!(
        ids(&camt_statement("S-3", &twice)),
        ["BATCH-7", "BATCH-7/S-3/2"],
        "two entries of a batch are two payments"
    );
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
