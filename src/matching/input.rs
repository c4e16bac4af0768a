//! The rows that a host feeds in, the same for the batch and for the order book.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::mode::Mode;
use crate::money::{Currency, Money};

/// An order as the host knows it: what is owed, since when, and by whom.
///
/// ```
/// use counterfoil::clock::Timestamp;
/// use counterfoil::matching::OrderRow;
/// use counterfoil::money::{Currency, Money};
///
/// let placed_at = Timestamp::from_unix(1_767_225_600);
/// let order = OrderRow::new("A-1001", Money::new(1999, Currency::EUR), placed_at)
///     .with_customer("c-77");
/// assert_eq!(order.total, Some(1999));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderRow<'a> {
    /// The host's name for the order. Given again, it is the same order.
    pub id: &'a str,
    /// What is owed, in minor units of `currency`; `None` where nobody knows yet, which is not
    /// zero.
    pub total: Option<i64>,
    /// The currency that the order is owed in.
    pub currency: Currency,
    /// When the order was placed.
    pub placed_at: Timestamp,
    /// Who placed it, in the same words as [`EntryRow::customer`].
    pub customer: Option<&'a str>,
    /// Since when the order takes no more money: it was cancelled, or it expired. `None` while it
    /// is open.
    pub closed_at: Option<Timestamp>,
    /// Which statement of the order this is. The highest revision counts, whatever came last; 0
    /// unless set.
    pub revision: u32,
}

impl<'a> OrderRow<'a> {
    /// An open order of a known total.
    #[must_use]
    pub const fn new(id: &'a str, total: Money, placed_at: Timestamp) -> Self {
        Self {
            id,
            total: Some(total.minor()),
            currency: total.currency(),
            placed_at,
            customer: None,
            closed_at: None,
            revision: 0,
        }
    }

    /// An open order whose total nobody knows yet.
    #[must_use]
    pub const fn of_unknown_total(id: &'a str, currency: Currency, placed_at: Timestamp) -> Self {
        Self {
            total: None,
            ..Self::new(id, Money::zero(currency), placed_at)
        }
    }

    /// Says who placed the order.
    #[must_use]
    pub const fn with_customer(mut self, customer: &'a str) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Says since when the order takes no more money.
    #[must_use]
    pub const fn with_closed_at(mut self, closed_at: Timestamp) -> Self {
        self.closed_at = Some(closed_at);
        self
    }

    /// Says which statement of the order this is.
    #[must_use]
    pub const fn with_revision(mut self, revision: u32) -> Self {
        self.revision = revision;
        self
    }
}

/// One entry on an account: a payment that came in, or a refund, dispute or reversal of one.
///
/// Entries of mode `M` are matched in a book of mode `M` only: a test payment given to a live
/// book does not compile. An entry with the `source`, `account`, `id` and `kind` of another is a
/// redelivery of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryRow<'a, M: Mode> {
    /// The id of the entry in its source, such as a provider's payment id.
    pub id: &'a str,
    /// Who reported it, such as `stripe` or `bank`; empty unless set.
    pub source: &'a str,
    /// The account it is on; empty unless set.
    pub account: &'a str,
    /// What it is.
    pub kind: EntryKind,
    /// The amount, signed as it was delivered. For what takes money back the kind gives the
    /// direction, so that −500 and 500 are the same refund.
    pub amount: i64,
    /// The currency of `amount`.
    pub currency: Currency,
    /// When it happened.
    pub at: Timestamp,
    /// Whether `at` names only a day, as bank statements do, and the hour is not known.
    pub at_day_only: bool,
    /// The id of the payment that is refunded, disputed or reversed.
    pub parent: Option<&'a str>,
    /// Other ids of the same payment, such as its charge and its checkout session.
    pub other_ids: &'a [&'a str],
    /// The id of the whole payment, where this is one of several captures of it.
    pub part_of: Option<&'a str>,
    /// The order reference as it was delivered.
    pub reference: Option<&'a str>,
    /// Who paid, in the same words as [`OrderRow::customer`].
    pub customer: Option<&'a str>,
    /// How it was paid, such as `card` or `boleto`; the rules of a rail are the host's.
    pub rail: Option<&'a str>,
    /// Free text that a payer wrote, in which a structured reference may be found. A line break
    /// stands where a bank cut the text, between words or within one.
    pub text: Option<&'a str>,
    mode: PhantomData<M>,
}

impl<'a, M: Mode> EntryRow<'a, M> {
    /// A payment that has arrived.
    #[must_use]
    pub const fn payment(id: &'a str, amount: Money, at: Timestamp) -> Self {
        Self::new(id, EntryKind::Payment, amount, at)
    }

    /// An entry of any kind.
    #[must_use]
    pub const fn new(id: &'a str, kind: EntryKind, amount: Money, at: Timestamp) -> Self {
        Self {
            id,
            source: "",
            account: "",
            kind,
            amount: amount.minor(),
            currency: amount.currency(),
            at,
            at_day_only: false,
            parent: None,
            other_ids: &[],
            part_of: None,
            reference: None,
            customer: None,
            rail: None,
            text: None,
            mode: PhantomData,
        }
    }

    /// Says who reported it, and on which account.
    #[must_use]
    pub const fn with_source(mut self, source: &'a str, account: &'a str) -> Self {
        self.source = source;
        self.account = account;
        self
    }

    /// Names the payment that is refunded, disputed or reversed.
    #[must_use]
    pub const fn with_parent(mut self, parent: &'a str) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Gives other ids of the same payment.
    #[must_use]
    pub const fn with_other_ids(mut self, other_ids: &'a [&'a str]) -> Self {
        self.other_ids = other_ids;
        self
    }

    /// Says of which payment this is one capture. What takes money back and names that payment is
    /// led to the same order.
    #[must_use]
    pub const fn with_part_of(mut self, payment: &'a str) -> Self {
        self.part_of = Some(payment);
        self
    }

    /// Gives the order reference as it was delivered.
    #[must_use]
    pub const fn with_reference(mut self, reference: &'a str) -> Self {
        self.reference = Some(reference);
        self
    }

    /// Says who paid.
    #[must_use]
    pub const fn with_customer(mut self, customer: &'a str) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Says how it was paid.
    #[must_use]
    pub const fn with_rail(mut self, rail: &'a str) -> Self {
        self.rail = Some(rail);
        self
    }

    /// Gives the free text that the payer wrote.
    #[must_use]
    pub const fn with_text(mut self, text: &'a str) -> Self {
        self.text = Some(text);
        self
    }

    /// Says that the time names only a day.
    #[must_use]
    pub const fn with_day_only(mut self) -> Self {
        self.at_day_only = true;
        self
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A payment that is announced and has not arrived. A later [`EntryKind::Payment`] or
    /// [`EntryKind::FailedPayment`] of the same id settles it.
    PendingPayment,
    /// A payment that has arrived.
    Payment,
    /// An announced payment that will not arrive.
    FailedPayment,
    /// Money given back.
    Refund,
    /// A refund that came back, so that the money is here again.
    FailedRefund,
    /// A dispute that was opened: the money is withdrawn until it is decided.
    DisputeOpened,
    /// A dispute that was won: the money is here again.
    DisputeWon,
    /// A dispute that was lost: the money stays away.
    DisputeLost,
    /// A payment that its bank or provider took back, such as a returned direct debit.
    Reversal,
}

impl EntryKind {
    /// Whether it is a payment, announced, arrived or failed, and not a consequence of one.
    #[must_use]
    pub const fn is_payment(self) -> bool {
        matches!(
            self,
            Self::PendingPayment | Self::Payment | Self::FailedPayment
        )
    }
}

/// A provider's id that the host registered for an order before any payment came.
///
/// It leads entries without a reference. Where the ids of one entry are registered for several
/// orders, it is ambiguous between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderLink<'a> {
    /// The provider's id: of the payment, or of its charge or checkout session.
    pub provider_id: &'a str,
    /// The order that it was made for.
    pub order: &'a str,
}
