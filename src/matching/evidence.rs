//! Why a verdict was given, kept so that it can be explained a year later.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::verdict::{Candidate, Verdict};
use crate::money::Money;

/// The version of the rules below. It changes with every change of what they accept.
pub const RULES_VERSION: u32 = 2;

/// A verdict with its evidence: what a host stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// The entry that was judged; `None` where an order was.
    pub entry: Option<String>,
    /// The orders that the entry's money goes to, or the order that was judged.
    pub allocations: Vec<Allocation>,
    /// What matching says.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why.
    pub evidence: Evidence,
}

/// The part of a payment that is set against an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Allocation {
    /// The order.
    pub order: String,
    /// The amount, in the currency of the payment.
    pub amount: Money,
}

/// Why a verdict was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The rule that led to the order, or the last one that was tried.
    pub rule: Rule,
    /// The [`RULES_VERSION`] of that time.
    pub rules_version: u32,
    /// What was compared, with both values.
    pub compared: Vec<Compared>,
    /// How many orders were looked at.
    pub considered: u32,
    /// The next best order, if there was one.
    pub runner_up: Option<Candidate>,
    /// By how many seconds the order was nearer than the next best.
    pub margin_seconds: Option<i64>,
    /// What remains between the order's total and what arrived.
    pub residual: Residual,
    /// The difference that the host's policy lets pass as rounding, in minor units.
    pub rounding_minor: i64,
    /// Another entry of the same content, where there is one.
    pub twin: Option<Twin>,
}

/// Another entry of the same order with the same amount, currency and rail, under another id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Twin {
    /// The other entry.
    pub entry: String,
    /// Whether the order would be paid exactly without one of the two. Honest orders have equal
    /// parts, so that without this a twin proves nothing.
    pub exact_without: bool,
}

/// One thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compared {
    /// What.
    pub field: Field,
    /// The value on the entry, or what arrived.
    pub entry: String,
    /// The value on the order, on the parent payment, or on the entry of the same name that counts.
    pub order: String,
    /// Whether they agree.
    pub agrees: bool,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Field {
    /// The order reference against the order's id.
    Reference,
    /// The parent's id against the payment's.
    Parent,
    /// The amount against what was open, or the sum that arrived against the total.
    Amount,
    /// The currency.
    Currency,
    /// The customer.
    Customer,
    /// The time.
    Time,
}

/// How an entry came to its order.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// No rule applied.
    #[default]
    None,
    /// The reference, whole.
    Reference,
    /// A provider's id that the host had registered.
    RegisteredId,
    /// Through the payment that it takes back or restores, or that has the same id.
    Parent,
    /// A reference found in free text.
    Remittance,
    /// The same customer and the amount that is open, unique on both sides.
    CustomerAmount,
    /// The amount within the rail's window, unique on both sides.
    AmountWindow,
    /// Several payments that make up the order's total, as the only ones that do.
    Split,
    /// One payment that makes up the totals of several orders, as the only ones that do.
    ManyOrders,
    /// The amount, with one order near in time and every rival far.
    NearestInTime,
    /// The only open order of the same customer, with a difference that the evidence shows.
    CustomerOnly,
    /// The time, and almost the amount.
    NearMiss,
    /// The best assignment of what was left.
    Assignment,
}

/// What remains between the total and what arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Residual {
    /// What it is.
    pub kind: ResidualKind,
    /// What arrived less the total, in minor units of the order's currency.
    pub minor: i64,
}

/// What a residual is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResidualKind {
    /// Nothing remains and one payment made it.
    #[default]
    Exact,
    /// Nothing remains and several payments made it.
    Split,
    /// A difference within the host's rounding.
    Rounding,
    /// Too much, and no rule of the host explains it.
    Over,
    /// Too little, and no rule of the host explains it.
    Under,
    /// Too little by the fee that the rail keeps back.
    Fee,
    /// Too much by interest that the rail adds.
    Interest,
    /// What a conversion at the host's rate leaves.
    Fx,
    /// The total is unknown.
    UnknownTotal,
    /// Nothing has arrived.
    Unpaid,
    /// All that arrived was taken back.
    FullRefund,
    /// A part of what arrived was taken back.
    PartialRefund,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no rule applied",
            Self::Reference => "by its reference",
            Self::RegisteredId => "by the registered provider id",
            Self::Parent => "through its payment",
            Self::Remittance => "by a reference in its text",
            Self::CustomerAmount => "by customer and amount, the only pair",
            Self::AmountWindow => "by amount and time, the only pair",
            Self::Split => "as parts of one sum, the only one that fits",
            Self::ManyOrders => "as the sum of several orders, the only one that fits",
            Self::NearestInTime => "by amount, near in time with every rival far",
            Self::CustomerOnly => "as the customer's only open order",
            Self::NearMiss => "by time and almost the amount",
            Self::Assignment => "as the best assignment of what was left",
        })
    }
}

/// A sentence for a person: who, what, and how it was found.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.entry, self.allocations.as_slice()) {
            (Some(entry), []) => write!(f, "{entry}: {}", self.verdict)?,
            (Some(entry), allocations) => {
                write!(f, "{entry}")?;
                for (place, allocation) in allocations.iter().enumerate() {
                    let word = if place == 0 { " for order" } else { " and" };
                    write!(f, "{word} {}", allocation.order)?;
                }
                write!(f, ": {}, found {}", self.verdict, self.evidence.rule)?;
            }
            (None, [order, ..]) => write!(f, "order {}: {}", order.order, self.verdict)?,
            (None, []) => write!(f, "{}", self.verdict)?,
        }
        if let Some(runner_up) = &self.evidence.runner_up {
            write!(f, "; next best was order {}", runner_up.order)?;
            if let Some(margin) = self.evidence.margin_seconds {
                write!(f, ", {margin} s further away")?;
            }
        }
        if let Some(twin) = &self.evidence.twin {
            write!(f, "; same content as {}", twin.entry)?;
        }
        f.write_str(".")
    }
}
