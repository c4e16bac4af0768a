//! Rows as read, with their own text.

use std::collections::HashMap;

use super::identity::folded;
use crate::clock::Timestamp;
use crate::id::{Namespace, Reference};
use crate::matching::payout::{Day, LineKind, LineRow, PayoutRow, ReportRow};
use crate::matching::{EntryKind, EntryRow, OrderRow};
use crate::mode::Mode;
use crate::money::{Currency, Money};

/// An order as read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderRecord {
    /// The order's id.
    pub id: String,
    /// What is owed, in minor units; `None` if nobody knows.
    pub total: Option<i64>,
    /// The currency.
    pub currency: Currency,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Who placed it.
    pub customer: Option<String>,
}

impl OrderRecord {
    /// The row that matching takes.
    #[must_use]
    pub fn row(&self) -> OrderRow<'_> {
        let row = match self.total {
            Some(total) => {
                OrderRow::new(&self.id, Money::new(total, self.currency), self.placed_at)
            }
            None => OrderRow::of_unknown_total(&self.id, self.currency, self.placed_at),
        };
        match &self.customer {
            Some(customer) => row.with_customer(customer),
            None => row,
        }
    }
}

/// A payment, refund or dispute as read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryRecord {
    /// The entry's id.
    pub id: String,
    /// Who reported it, such as `stripe`; empty if the file does not say.
    pub source: String,
    /// The account it is on; empty if the file does not say.
    pub account: String,
    /// What it is.
    pub kind: EntryKind,
    /// The amount as delivered.
    pub amount: Money,
    /// When it happened.
    pub at: Timestamp,
    /// Whether only the day is known.
    pub day_only: bool,
    /// The payment that it takes back or restores.
    pub parent: Option<String>,
    /// The payment that it is one capture of.
    pub part_of: Option<String>,
    /// The order reference.
    pub reference: Option<String>,
    /// Who paid, in the words of the host, as [`OrderRecord::customer`].
    pub customer: Option<String>,
    /// The name of who paid, in the words of a bank: see [`EntryRecord::paid_by_one_of`].
    pub payer: Option<String>,
    /// The account of who paid, mostly an IBAN.
    pub payer_account: Option<String>,
    /// How it was paid.
    pub method: Option<String>,
    /// In how many instalments.
    pub instalments: u32,
    /// Free text. A line break stands where a bank cut it.
    pub text: Option<String>,
}

impl EntryRecord {
    pub(super) const fn new(id: String, kind: EntryKind, amount: Money, at: Timestamp) -> Self {
        Self {
            id,
            source: String::new(),
            account: String::new(),
            kind,
            amount,
            at,
            day_only: false,
            parent: None,
            part_of: None,
            reference: None,
            customer: None,
            payer: None,
            payer_account: None,
            method: None,
            instalments: 1,
            text: None,
        }
    }

    /// The same entry with the order that its reference names, where this library made the
    /// reference and a provider's report gives it back. One of another installation than
    /// `namespace` is no reference here; a reference of the host's own making stays.
    ///
    /// ```
    /// use counterfoil::id::Namespace;
    /// use counterfoil::matching::readers::{ReadOptions, stripe};
    ///
    /// let report = "balance_transaction_id,reporting_category,currency,gross,created_utc,\
    ///               payment_metadata[counterfoil_reference]\n\
    ///               txn_1,charge,eur,49.90,2026-11-01 10:00:00,shop:A-1:1\n";
    /// let read = stripe::entries(report.as_bytes(), &ReadOptions::default())?;
    /// let shop = Namespace::new("shop")?;
    /// let entries = read.rows.into_iter().map(|entry| entry.within(&shop));
    /// let orders: Vec<_> = entries.map(|entry| entry.reference).collect();
    /// assert_eq!(orders, [Some("A-1".to_owned())]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn within(mut self, namespace: &Namespace) -> Self {
        let made_here = self.reference.as_deref().and_then(|text| {
            // At Adyen it ends so if the payment was only to be held.
            let text = text.strip_suffix(":held").unwrap_or(text);
            text.parse::<Reference>().ok()
        });
        if let Some(reference) = made_here {
            let is_ours = reference.namespace == *namespace;
            self.reference = is_ours.then(|| reference.order.as_str().to_owned());
        }
        self
    }

    /// The same entry with the customer among `customers` who is its payer: the one that is the
    /// payer's account, or else the payer's name, compared by letters and digits, whatever their
    /// case. A bank's name for somebody is not the host's, so that without this it says nothing of
    /// the customer. Where two customers fit, neither is taken.
    ///
    /// ```
    /// use counterfoil::matching::readers::{Customers, ReadOptions, mt940};
    ///
    /// let statement = ":20:S\n:25:DE1\n:28C:1/1\n:60F:C261105EUR0,00\n\
    ///                  :61:2611051105C49,90NTRFNONREF\n\
    ///                  :86:166?20thanks?31DE02120300000000202051?32KARI NORDMANN\n\
    ///                  :62F:C261105EUR49,90\n-\n";
    /// let read = mt940::entries(statement.as_bytes(), &ReadOptions::default())?;
    /// let customers = Customers::new(["Ola Nordmann", "Kari Nordmann"]);
    /// let entry = read.rows[0].clone().paid_by_one_of(&customers);
    /// assert_eq!(entry.customer.as_deref(), Some("Kari Nordmann"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn paid_by_one_of(mut self, customers: &Customers<'_>) -> Self {
        if self.customer.is_none() {
            let account = self.payer_account.as_deref();
            let found = account.and_then(|payer| customers.only(payer));
            let found = found.or_else(|| customers.only(self.payer.as_deref()?));
            self.customer = found.map(str::to_owned);
        }
        self
    }

    /// The row that matching takes.
    #[must_use]
    pub fn row<M: Mode>(&self) -> EntryRow<'_, M> {
        let mut row = EntryRow::new(&self.id, self.kind, self.amount, self.at)
            .with_source(&self.source, &self.account);
        row.at_day_only = self.day_only;
        row.parent = self.parent.as_deref();
        row.part_of = self.part_of.as_deref();
        row.reference = self.reference.as_deref();
        row.customer = self.customer.as_deref();
        row.rail = self.method.as_deref();
        row.text = self.text.as_deref();
        row
    }

    /// The line that a payout should contain, if it is one that moves money.
    #[must_use]
    pub fn line(&self) -> Option<LineRow<'_>> {
        let kind = match self.kind {
            EntryKind::Payment => LineKind::Payment,
            EntryKind::Refund | EntryKind::FailedRefund | EntryKind::Reversal => LineKind::Refund,
            EntryKind::DisputeOpened | EntryKind::DisputeWon => LineKind::Dispute,
            _ => return None,
        };
        let size = self.amount.minor().checked_abs()?;
        let comes_in = matches!(
            self.kind,
            EntryKind::Payment | EntryKind::FailedRefund | EntryKind::DisputeWon
        );
        let gross = Money::new(if comes_in { size } else { -size }, self.amount.currency());
        let method = self.method.as_deref().unwrap_or("");
        let line = LineRow::new(&self.id, kind, method, gross, self.at);
        Some(line.with_instalments(self.instalments))
    }
}

/// The customers of a host, found by the letters and digits of their names.
#[derive(Debug, Clone, Default)]
pub struct Customers<'c> {
    /// By folded name; `None` where two names fold alike.
    by_name: HashMap<String, Option<&'c str>>,
}

impl<'c> Customers<'c> {
    /// The customers of these names, which may be accounts too. One may be given again.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = &'c str>) -> Self {
        let mut by_name: HashMap<String, Option<&'c str>> = HashMap::new();
        for name in names {
            let known = by_name.entry(folded(name)).or_insert(Some(name));
            if *known != Some(name) {
                *known = None;
            }
        }
        by_name.remove("");
        Self { by_name }
    }

    /// The only customer whom a bank calls so.
    fn only(&self, payer: &str) -> Option<&'c str> {
        self.by_name.get(&folded(payer)).copied().flatten()
    }
}

/// A payout as read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PayoutRecord {
    /// The payout's id.
    pub id: String,
    /// The rail, if the file names it.
    pub rail: Option<String>,
    /// The day the money came.
    pub value_date: Day,
    /// What came.
    pub net: Money,
    /// The text on the statement.
    pub text: Option<String>,
    /// Whether the bank returned it, so that nothing came.
    pub is_returned: bool,
}

impl PayoutRecord {
    /// The row that matching takes. The rail is the one that the file names, or the one of `rails`
    /// that stands as a whole word in the text of the statement; a text with two names none.
    #[must_use]
    pub fn row<'a>(&'a self, rails: &[&'a str]) -> PayoutRow<'a> {
        let rail = self.rail.as_deref().or_else(|| {
            // A bank may have cut the text within a word.
            let cut = self.text.as_deref()?;
            let whole = cut.replace('\n', "");
            let of_text = |text: &'_ str, rail: &str| {
                text.split(|c: char| !c.is_alphanumeric())
                    .any(|word| word.eq_ignore_ascii_case(rail))
            };
            let mut named = rails
                .iter()
                .filter(|rail| of_text(cut, rail) || of_text(&whole, rail));
            let rail = named.next()?;
            named.next().is_none().then_some(*rail)
        });
        let row = PayoutRow::new(&self.id, rail.unwrap_or(""), self.value_date, self.net);
        row.with_returned(self.is_returned)
    }
}

/// A line of a provider's report as read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRecord {
    /// The line's id.
    pub id: String,
    /// The payout that it is in; empty if it is in none yet.
    pub payout: String,
    /// What it is.
    pub kind: LineKind,
    /// The payment, refund or dispute that it is for.
    pub source: String,
    /// Before fees, in minor units.
    pub gross: i64,
    /// What was kept, in minor units.
    pub fee: i64,
    /// What is in the payout, in minor units.
    pub net: i64,
    /// The currency of all three.
    pub currency: Currency,
}

impl ReportRecord {
    /// The row that is compared with the payout.
    #[must_use]
    pub fn row(&self) -> ReportRow<'_> {
        ReportRow::new(
            &self.id,
            &self.payout,
            self.kind,
            self.gross,
            self.fee,
            self.currency,
        )
        .with_source(&self.source)
        .with_net(self.net)
    }
}
