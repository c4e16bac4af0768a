//! Names for the entries of bank statements, made of what an entry says.
//!
//! A bank numbers its statements as it likes, an export may begin on any day, and few banks give
//! every entry a reference of its own. So the name of an entry is made of its content: account,
//! dates, amount, mark, references and text. It is the same in every export that has the entry,
//! whatever else the export has. Entries alike in all of that are counted.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::balance::StatementRecord;
use super::line::StatementLine;
use crate::matching::payout::Day;
use crate::money::Money;

/// How much of the hash a name has: enough that nobody finds two contents of one name.
const HASH_BYTES: usize = 16;

/// What an entry says, as far as it names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    /// The account, as the statement names it.
    pub(super) account: &'a str,
    /// When it was booked.
    pub(super) booked: Option<Day>,
    /// From when it bears interest.
    pub(super) valued: Option<Day>,
    /// Credit or debit, and whether it takes back another.
    pub(super) mark: &'a str,
    /// The amount.
    pub(super) amount: Money,
    /// The bank's own reference. One that it gives to all alike is no harm: the rest is in the name
    /// too.
    pub(super) bank_reference: Option<&'a str>,
    /// All else that is written: references of the payer, remittance, names.
    pub(super) texts: &'a [&'a str],
}

/// A line whose name waits for the end of its statement.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub(super) line: StatementLine,
    pub(super) valued: Option<Day>,
    /// Credit or debit, and whether it takes back another: `C`, `D`, `RC` or `RD`.
    pub(super) mark: &'static str,
    /// All that is written, as it comes.
    pub(super) texts: Vec<String>,
}

/// The names given so far, account by account.
#[derive(Debug, Default)]
pub(super) struct Named {
    accounts: HashMap<String, OfAccount>,
}

#[derive(Debug, Default)]
struct OfAccount {
    names: Names,
    last: Option<StatementRecord>,
    statements: HashSet<String>,
}

impl Named {
    /// Gives the lines of a statement their names and its account, in the order of the file.
    ///
    /// Equal entries are counted on where a statement goes on from the last one, as the pages of one
    /// day do. One that was read already, or that begins elsewhere, counts anew.
    pub(super) fn finish(
        &mut self,
        statement: &StatementRecord,
        lines: Vec<Unnamed>,
        mut take: impl FnMut(&StatementLine),
    ) {
        let account = &statement.account;
        let of_account = self.accounts.entry(account.clone()).or_default();
        let named = |names: &mut Names| -> Vec<String> {
            let name = |unnamed: &Unnamed| {
                let texts: Vec<&str> = unnamed.texts.iter().map(String::as_str).collect();
                names.name(&Content {
                    account,
                    booked: unnamed.line.booked,
                    valued: unnamed.valued,
                    mark: unnamed.mark,
                    amount: unnamed.line.amount,
                    bank_reference: unnamed.line.bank_reference.as_deref(),
                    texts: &texts,
                })
            };
            lines.iter().map(name).collect()
        };
        let (opening, closing) = (statement.opening, statement.closing);
        let content = named(&mut Names::default());
        let whole = format!("{} {opening:?} {closing:?} {content:?}", statement.number);
        let is_new = of_account.statements.insert(whole);
        let last = of_account.last.as_ref();
        if !is_new || !last.is_some_and(|last| statement.continues(last)) {
            of_account.names.restart();
        }
        let names = named(&mut of_account.names);
        for (mut unnamed, name) in lines.into_iter().zip(names) {
            unnamed.line.id = name;
            account.clone_into(&mut unnamed.line.account);
            take(&unnamed.line);
        }
        of_account.last = Some(statement.clone());
    }
}

/// Gives the entries of one account their names, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: HashMap<String, u32>,
}

impl Names {
    /// The name of the next entry. Those of the same content are counted from the second on.
    pub(super) fn name(&mut self, content: &Content<'_>) -> String {
        let name = content.name();
        let count = self.seen.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            nth => format!("{name}/{nth}"),
        }
    }

    /// Counts anew: what follows repeats what was read, or begins another account.
    pub(super) fn restart(&mut self) {
        self.seen.clear();
    }
}

impl Content<'_> {
    fn name(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update(part.as_bytes());
            hash.update([0x1f]);
        };
        let day = |day: Option<Day>| day.map_or_else(String::new, |day| day.to_string());
        add(&folded(self.account));
        add(&day(self.booked));
        add(&day(self.valued));
        add(self.mark);
        add(&self.amount.to_string());
        let reference = self.bank_reference.filter(|text| is_reference(text));
        add(&reference.map_or_else(String::new, folded));
        // Where a text is cut into pieces differs from export to export.
        let texts = self.texts.iter().filter(|text| is_reference(text));
        add(&texts.map(|text| folded(text)).collect::<String>());
        let mut name = String::new();
        if let Some(reference) = reference {
            let _ = write!(name, "{}/", reference.trim());
        }
        if let Some(day) = self.booked.or(self.valued) {
            let _ = write!(name, "{day}/");
        }
        for byte in hash.finalize().iter().take(HASH_BYTES) {
            let _ = write!(name, "{byte:02x}");
        }
        name
    }
}

/// Whether a reference says anything: banks fill the field where they have none.
pub(super) fn is_reference(text: &str) -> bool {
    const FILLERS: [&str; 8] = [
        "",
        "nonref",
        "noref",
        "none",
        "na",
        "notprovided",
        "notprovidedbyoriginator",
        "notavailable",
    ];
    let folded = folded(text);
    !FILLERS.contains(&folded.as_str()) && !folded.bytes().all(|byte| byte == b'0')
}

/// Letters and digits only, small: how a bank wraps, pads and spaces its text says nothing.
pub(super) fn folded(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn content<'a>() -> Content<'a> {
        Content {
            account: "DE02 1203",
            booked: Day::new(2026, 11, 5),
            valued: Day::new(2026, 11, 6),
            mark: "C",
            amount: Money::new(4_990, Currency::EUR),
            bank_reference: Some("B-7"),
            texts: &["invoice", "A-1"],
        }
    }

    fn name(content: &Content<'_>) -> String {
        Names::default().name(content)
    }

    #[test]
    fn name_of_entry_with_any_part_changed_is_another() {
        let same = content();
        let mut changed = vec![same; 8];
        changed[0].account = "DE02 1204";
        changed[1].booked = Day::new(2026, 11, 4);
        changed[2].valued = None;
        changed[3].mark = "RD";
        changed[4].amount = Money::new(4_991, Currency::EUR);
        changed[5].amount = Money::new(4_990, Currency::USD);
        changed[6].bank_reference = Some("B-8");
        changed[7].texts = &["invoice", "A-2"];
        let mut names: Vec<_> = changed.iter().map(name).collect();
        names.push(name(&same));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 9);
        assert!(name(&same).starts_with("B-7/2026-11-05/"));
    }

    #[test]
    fn name_of_entry_wrapped_spaced_or_filled_otherwise_is_the_same() {
        let same = content();
        let mut other = same;
        other.account = "de021203";
        other.texts = &["NONREF", "INVO", "ICE A-1"];
        assert_eq!(name(&other), name(&same));
        let (mut none, mut filled) = (same, same);
        none.bank_reference = None;
        for filler in ["NONREF", "NOTPROVIDED", "0000000000", " ", "Not Provided"] {
            filled.bank_reference = Some(filler);
            assert_eq!(name(&filled), name(&none), "{filler}");
        }
    }

    #[test]
    fn name_of_equal_entries_counts_them_and_a_restart_counts_anew() {
        let mut names = Names::default();
        let (first, second) = (names.name(&content()), names.name(&content()));
        assert_eq!(second, format!("{first}/2"));
        assert_eq!(names.name(&content()), format!("{first}/3"));
        names.restart();
        assert_eq!(names.name(&content()), first);
    }
}
