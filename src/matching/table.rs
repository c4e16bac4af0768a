//! The rows as they are kept: fixed-size records beside one arena of text.

use std::collections::HashMap;

use super::input::{EntryKind, EntryRow, OrderRow, ProviderLink};
use super::reference::ReferenceRules;
use crate::clock::Timestamp;
use crate::mode::Mode;
use crate::money::Currency;

/// Stands for "no row".
pub(crate) const NONE: u32 = u32::MAX;

/// Why a row was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// The id of the row is empty.
    #[error("the row has no id")]
    NoId,
    /// A text of the row is longer than 4,096 bytes.
    #[error("a text of the row is longer than 4,096 bytes")]
    TooLong,
    /// One book or batch takes 4 GiB of text and 4 billion rows.
    #[error("the batch is full: it takes 4 GiB of text and 4 billion rows")]
    Full,
    /// There are more than 65,535 sources, accounts or rails.
    #[error("more than 65,535 sources, accounts or rails")]
    TooManyNames,
}

/// All rows, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Table {
    text: String,
    pub(crate) orders: Vec<Order>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) links: Vec<Link>,
    names: Names,
    rules: ReferenceRules,
    has_parents: bool,
}

/// A piece of the arena.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u16,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) total: Option<i64>,
    pub(crate) placed_at: i64,
    pub(crate) closed_at: i64,
    start: u32,
    pub(crate) revision: u32,
    id_len: u16,
    key_len: u16,
    customer_len: u16,
    pub(crate) currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) amount: i64,
    pub(crate) at: i64,
    start: u32,
    id_len: u16,
    reference_len: u16,
    key_len: u16,
    customer_len: u16,
    parent_len: u16,
    text_len: u16,
    others_len: u16,
    source: u16,
    account: u16,
    pub(crate) rail: u16,
    pub(crate) currency: Currency,
    pub(crate) kind: EntryKind,
    flags: u8,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) provider_id: Span,
    pub(crate) order: Span,
    pub(crate) order_key: Span,
}

/// Lengths are kept in 16 bits and some are added up, so that each must stay well below.
const TEXT_MAX: u16 = 4096;
/// All texts of one row are shorter than this: seven of those at most, and the other ids of an entry.
const ROW_TEXT_MAX: u32 = 131_072;

const HAS_REFERENCE: u8 = 1;
const HAS_CUSTOMER: u8 = 2;
const HAS_PARENT: u8 = 4;
const DAY_ONLY: u8 = 8;
/// Between the other ids of an entry: no id has a control character.
const BETWEEN_IDS: char = '\u{1f}';

impl Table {
    pub(crate) fn new(rules: ReferenceRules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    pub(crate) fn rules(&self) -> &ReferenceRules {
        &self.rules
    }

    /// Whether any entry, now or before, names a parent.
    pub(crate) fn has_parents(&self) -> bool {
        self.has_parents
    }

    /// How many orders and entries there are.
    pub(crate) fn rows(&self) -> usize {
        self.orders.len() + self.entries.len()
    }

    /// The bytes of memory that the rows take.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity()
            + self.orders.capacity() * size_of::<Order>()
            + self.entries.capacity() * size_of::<Entry>()
    }

    pub(crate) fn push_order(&mut self, row: &OrderRow<'_>) -> Result<u32, RowError> {
        let at = next_row(self.orders.len())?;
        let customer = row.customer.unwrap_or_default();
        let (id_len, customer_len) = (id_length(row.id)?, length(customer)?);
        let start = self.room()?;
        self.text.push_str(row.id);
        let key_len = self.push_key(row.id)?;
        self.text.push_str(customer);
        self.orders.push(Order {
            total: row.total,
            placed_at: row.placed_at.unix(),
            closed_at: row.closed_at.map_or(i64::MAX, Timestamp::unix),
            start,
            revision: row.revision,
            id_len,
            key_len,
            customer_len,
            currency: row.currency,
        });
        Ok(at)
    }

    pub(crate) fn push_entry<M: Mode>(&mut self, row: &EntryRow<'_, M>) -> Result<u32, RowError> {
        let at = next_row(self.entries.len())?;
        let reference = row.reference.unwrap_or_default();
        let customer = row.customer.unwrap_or_default();
        let parent = row.parent.unwrap_or_default();
        let text = row.text.unwrap_or_default();
        let other_ids = || row.other_ids.iter().copied().chain(row.part_of);
        let others: usize = other_ids().map(|id| id.len() + 1).sum();
        let id_len = id_length(row.id)?;
        let lengths = [reference, customer, parent, text].map(length);
        let [reference_len, customer_len, parent_len, text_len] = lengths;
        let others_len = u16::try_from(others).map_err(|_| RowError::TooLong)?;
        let (reference_len, customer_len) = (reference_len?, customer_len?);
        let (parent_len, text_len) = (parent_len?, text_len?);
        let source = self.names.number(row.source)?;
        let account = self.names.number(row.account)?;
        let rail = self.names.number(row.rail.unwrap_or_default())?;
        let start = self.room()?;
        self.text.push_str(row.id);
        self.text.push_str(reference);
        let key_len = self.push_key(reference)?;
        self.text.push_str(customer);
        self.text.push_str(parent);
        self.text.push_str(text);
        for id in other_ids() {
            self.text.push_str(id);
            self.text.push(BETWEEN_IDS);
        }
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let flags = flag(!reference.is_empty(), HAS_REFERENCE)
            | flag(!customer.is_empty(), HAS_CUSTOMER)
            | flag(!parent.is_empty(), HAS_PARENT)
            | flag(row.at_day_only, DAY_ONLY);
        self.has_parents |= row.parent.is_some();
        self.entries.push(Entry {
            amount: row.amount,
            at: row.at.unix(),
            start,
            id_len,
            reference_len,
            key_len,
            customer_len,
            parent_len,
            text_len,
            others_len,
            source,
            account,
            rail,
            currency: row.currency,
            kind: row.kind,
            flags,
        });
        Ok(at)
    }

    /// The entries of another table, with their text taken over; not yet among the rows of this one.
    pub(crate) fn copies_of(&mut self, other: &Self) -> Result<Vec<Entry>, RowError> {
        next_row(self.entries.len() + other.entries.len())?;
        self.has_parents |= other.has_parents;
        let copies = other.entries.iter().map(|entry| {
            let text = other.all_text(entry);
            let start = self.room()?;
            self.text.push_str(text);
            Ok(Entry {
                start,
                source: self.names.number(other.source(entry))?,
                account: self.names.number(other.account(entry))?,
                rail: self.names.number(other.rail(entry.rail))?,
                ..*entry
            })
        });
        copies.collect()
    }

    /// Adds an entry of which the text is here already.
    pub(crate) fn add_entry(&mut self, entry: Entry) -> u32 {
        self.entries.push(entry);
        self.entries.len() as u32 - 1
    }

    /// Puts an entry of which the text is here already in place of another.
    pub(crate) fn set_entry(&mut self, at: u32, entry: Entry) -> u32 {
        if let Some(slot) = self.entries.get_mut(at as usize) {
            *slot = entry;
        }
        at
    }

    /// Whether an entry says the same as one of another table with the same rules.
    pub(crate) fn says_the_same(&self, entry: &Entry, other: &Self, its: &Entry) -> bool {
        let names = |table: &'_ Self, e: &Entry| -> [Box<str>; 3] {
            [e.source, e.account, e.rail].map(|name| table.names.name(name).into())
        };
        let numbered_alike = Entry {
            start: its.start,
            source: its.source,
            account: its.account,
            rail: its.rail,
            ..*entry
        };
        numbered_alike == *its
            && self.all_text(entry) == other.all_text(its)
            && names(self, entry) == names(other, its)
    }

    pub(crate) fn push_link(&mut self, link: ProviderLink<'_>) -> Result<(), RowError> {
        let key = self.rules.normalise(link.order);
        let texts = [link.provider_id, link.order, &key];
        let mut start = self.room()?;
        let [provider_id, order, order_key] = texts.map(|text| {
            let len = id_length(text)?;
            let span = Span { start, len };
            start += u32::from(len);
            Ok(span)
        });
        let link = Link {
            provider_id: provider_id?,
            order: order?,
            order_key: order_key?,
        };
        texts.iter().for_each(|text| self.text.push_str(text));
        self.links.push(link);
        Ok(())
    }

    pub(crate) fn arena(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        let start = span.start as usize;
        let found = self.text.get(start..start + usize::from(span.len));
        found.unwrap_or_default()
    }

    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        let found = self
            .text
            .as_bytes()
            .get(start..start + usize::from(span.len));
        found.unwrap_or_default()
    }

    /// All that was written of an entry: its texts stand in a row, the other ids at the end.
    fn all_text(&self, entry: &Entry) -> &str {
        let others = entry.others();
        let end = others.start as usize + usize::from(others.len);
        self.text.get(entry.start as usize..end).unwrap_or_default()
    }

    pub(crate) fn order(&self, at: u32) -> Option<&Order> {
        self.orders.get(at as usize)
    }

    pub(crate) fn entry(&self, at: u32) -> Option<&Entry> {
        self.entries.get(at as usize)
    }

    pub(crate) fn order_id(&self, at: u32) -> &str {
        self.order(at).map_or("", |order| self.text(order.id()))
    }

    pub(crate) fn entry_id(&self, at: u32) -> &str {
        self.entry(at).map_or("", |entry| self.text(entry.id()))
    }

    pub(crate) fn source(&self, entry: &Entry) -> &str {
        self.names.name(entry.source)
    }

    pub(crate) fn account(&self, entry: &Entry) -> &str {
        self.names.name(entry.account)
    }

    pub(crate) fn rail(&self, rail: u16) -> &str {
        self.names.name(rail)
    }

    pub(crate) fn other_ids(&self, entry: &Entry) -> impl Iterator<Item = Span> {
        let mut start = entry.others().start;
        self.text(entry.others())
            .split(BETWEEN_IDS)
            .map(move |id| {
                let len = u16::try_from(id.len()).unwrap_or_default();
                let span = Span { start, len };
                start += u32::from(len) + 1;
                span
            })
            .filter(|span| span.len > 0)
    }

    /// Where the texts of the next row start, if there is room for them.
    fn room(&self) -> Result<u32, RowError> {
        let start = u32::try_from(self.text.len()).map_err(|_| RowError::Full)?;
        let end = start.checked_add(ROW_TEXT_MAX);
        end.map(|_| start).ok_or(RowError::Full)
    }

    /// Writes the normalised form of `raw` behind it, unless they are the same.
    fn push_key(&mut self, raw: &str) -> Result<u16, RowError> {
        if self.rules.is_normal(raw) {
            return Ok(0);
        }
        let key = self.rules.normalise(raw);
        if key == raw {
            return Ok(0);
        }
        self.text.push_str(&key);
        length(&key)
    }
}

impl Order {
    pub(crate) fn id(&self) -> Span {
        Span {
            start: self.start,
            len: self.id_len,
        }
    }

    /// The normalised id.
    pub(crate) fn key(&self) -> Span {
        match self.key_len {
            0 => self.id(),
            len => self.id().then(len),
        }
    }

    /// Which of two statements of one order counts: the later revision, and of equal ones the
    /// larger by content.
    pub(crate) fn rank<'t>(&self, table: &'t Table) -> impl Ord + use<'t> {
        let customer = self.customer().map(|span| table.text(span));
        let times = (self.placed_at, self.closed_at);
        (self.revision, self.total, self.currency, times, customer)
    }

    pub(crate) fn customer(&self) -> Option<Span> {
        let before = Span {
            start: self.start,
            len: self.id_len + self.key_len,
        };
        (self.customer_len > 0).then(|| before.then(self.customer_len))
    }
}

impl Entry {
    /// What stands in the place of an entry that its source states no more: it has no id and is
    /// about nothing.
    pub(crate) const WITHDRAWN: Self = Self {
        amount: 0,
        at: 0,
        start: 0,
        id_len: 0,
        reference_len: 0,
        key_len: 0,
        customer_len: 0,
        parent_len: 0,
        text_len: 0,
        others_len: 0,
        source: 0,
        account: 0,
        rail: 0,
        currency: Currency::EUR,
        kind: EntryKind::FailedPayment,
        flags: 0,
    };

    pub(crate) fn is_withdrawn(&self) -> bool {
        self.id_len == 0
    }

    pub(crate) fn id(&self) -> Span {
        Span {
            start: self.start,
            len: self.id_len,
        }
    }

    pub(crate) fn reference(&self) -> Option<Span> {
        (self.flags & HAS_REFERENCE != 0).then(|| self.id().then(self.reference_len))
    }

    /// The normalised reference.
    pub(crate) fn key(&self) -> Option<Span> {
        self.reference().map(|reference| match self.key_len {
            0 => reference,
            len => reference.then(len),
        })
    }

    pub(crate) fn customer(&self) -> Option<Span> {
        (self.flags & HAS_CUSTOMER != 0).then(|| self.customer_place())
    }

    pub(crate) fn parent(&self) -> Option<Span> {
        (self.flags & HAS_PARENT != 0).then(|| self.parent_place())
    }

    pub(crate) fn free_text(&self) -> Option<Span> {
        (self.text_len > 0).then(|| self.text_place())
    }

    /// Whether the reference had to be normalised.
    pub(crate) fn is_noisy(&self) -> bool {
        self.key_len > 0
    }

    pub(crate) fn day_only(&self) -> bool {
        self.flags & DAY_ONLY != 0
    }

    /// Whether two entries come from the same account of the same source.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        (self.source, self.account) == (other.source, other.account)
    }

    fn customer_place(&self) -> Span {
        Span {
            start: self.start + u32::from(self.id_len) + u32::from(self.reference_len),
            len: self.key_len,
        }
        .then(self.customer_len)
    }

    fn parent_place(&self) -> Span {
        self.customer_place().then(self.parent_len)
    }

    fn text_place(&self) -> Span {
        self.parent_place().then(self.text_len)
    }

    fn others(&self) -> Span {
        self.text_place().then(self.others_len)
    }
}

impl Span {
    /// The piece of `len` bytes behind this one.
    fn then(self, len: u16) -> Self {
        Self {
            start: self.start + u32::from(self.len),
            len,
        }
    }
}

/// The few names that repeat: sources, accounts and rails.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Box<str>, u16>,
    names: Vec<Box<str>>,
    last: [u16; 4],
}

impl Names {
    fn number(&mut self, name: &str) -> Result<u16, RowError> {
        // Neighbours mostly share their names.
        let recent = self.last.iter().find(|&&at| self.name_at(at) == Some(name));
        if let Some(&at) = recent {
            return Ok(at);
        }
        let at = match self.numbers.get(name) {
            Some(&at) => at,
            None => {
                let at = u16::try_from(self.names.len()).map_err(|_| RowError::TooManyNames)?;
                self.names.push(name.into());
                self.numbers.insert(name.into(), at);
                at
            }
        };
        self.last.rotate_right(1);
        if let Some(first) = self.last.first_mut() {
            *first = at;
        }
        Ok(at)
    }

    fn name_at(&self, at: u16) -> Option<&str> {
        self.names.get(usize::from(at)).map(|name| &**name)
    }

    fn name(&self, at: u16) -> &str {
        self.name_at(at).unwrap_or_default()
    }
}

fn length(text: &str) -> Result<u16, RowError> {
    match u16::try_from(text.len()) {
        Ok(length) if length <= TEXT_MAX => Ok(length),
        _ => Err(RowError::TooLong),
    }
}

fn id_length(id: &str) -> Result<u16, RowError> {
    match length(id)? {
        0 => Err(RowError::NoId),
        len => Ok(len),
    }
}

fn next_row(rows: usize) -> Result<u32, RowError> {
    let at = u32::try_from(rows).map_err(|_| RowError::Full)?;
    if at == NONE {
        Err(RowError::Full)
    } else {
        Ok(at)
    }
}

#[cfg(test)]
mod tests;
