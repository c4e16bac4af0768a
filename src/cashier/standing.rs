//! How an order stands, computed from the facts about its payments.

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::id::PaymentId;
use crate::matching::{Balance, Facts, VerdictKind, decide};
use crate::mode::Mode;
use crate::money::{Money, MoneyError};
use crate::payment::PaymentStatus;

use super::records::OrderRecord;

/// How an order stands. The first that applies is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Money has come in another currency than the order's. It is never converted.
    WrongCurrency,
    /// It was closed unpaid, and this much has come all the same.
    PaidAfterClose {
        /// What the host holds.
        received: Money,
    },
    /// More than the total has come.
    Overpaid {
        /// How much more.
        excess: Money,
    },
    /// Exactly the total has come.
    Paid,
    /// It was paid, and money has gone back by refunds, disputes or returns.
    Reversed {
        /// What the host still holds.
        left: Money,
    },
    /// A payment is under way. Do not fulfil, and do not let the shopper pay again.
    Pending,
    /// The whole amount, or what is missing of it, is held and not taken.
    Authorized,
    /// Less than the total has come.
    PartlyPaid {
        /// How much is missing.
        short: Money,
    },
    /// No money has come.
    Unpaid,
}

/// One sentence for a person.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongCurrency => f.write_str("paid in another currency than the order's"),
            Self::PaidAfterClose { received } => {
                write!(f, "{received} came after the order was closed")
            }
            Self::Overpaid { excess } => write!(f, "overpaid by {excess}"),
            Self::Paid => f.write_str("paid"),
            Self::Reversed { left } => write!(f, "paid, and money went back: {left} is left"),
            Self::Pending => f.write_str("a payment is under way"),
            Self::Authorized => f.write_str("the amount is held, and not taken yet"),
            Self::PartlyPaid { short } => write!(f, "partly paid, {short} short"),
            Self::Unpaid => f.write_str("unpaid"),
        }
    }
}

/// What one payment counts for its order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocation<M: Mode> {
    /// The payment.
    pub payment: PaymentId<M>,
    /// The part of it that is set against the order.
    pub amount: Money,
    /// What it has brought beyond that, which is the payer's: refund it.
    pub excess: Money,
}

impl<M: Mode> OrderRecord<M> {
    /// What each payment counts for the order, the one that was taken first coming first. What went
    /// back of a payment counts no more, and money in another currency is excess.
    ///
    /// # Errors
    /// [`MoneyError`] if a refund or dispute is in another currency than its payment.
    pub fn allocations(&self) -> Result<Vec<Allocation<M>>, MoneyError> {
        let mut taken = Vec::new();
        for entry in &self.payments {
            let payment = entry.ledger.payment();
            if let Some(payment) = payment.filter(|payment| payment.captured.is_positive()) {
                taken.push((entry, payment));
            }
        }
        taken.sort_by_key(|(_, payment)| payment.captured_at.unwrap_or(payment.created_at));
        let mut left = self.order.total;
        let mut all = Vec::with_capacity(taken.len());
        for (entry, payment) in taken {
            let net = entry.ledger.net()?;
            let is_ours = net.currency() == left.currency() && net.is_positive();
            let amount = match is_ours {
                true => Money::new(net.minor().min(left.minor()), left.currency()),
                false => Money::zero(net.currency()),
            };
            if is_ours {
                left = left.checked_sub(amount)?;
            }
            all.push(Allocation {
                payment: payment.id.clone(),
                amount,
                excess: net.checked_sub(amount)?,
            });
        }
        Ok(all)
    }

    /// What the host holds for the order: captured, less returned, refunded and disputed.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if a payment is in another currency than the order, or was reported
    /// in two.
    pub fn received(&self) -> Result<Money> {
        let mut sum = Money::zero(self.order.total.currency());
        if self.has_contradicting_money() {
            let message = "a payment was reported in two currencies: see what needs review";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        for payment in &self.payments {
            let net = payment.ledger.net()?;
            if net.is_zero() {
                continue;
            }
            if net.currency() != sum.currency() {
                let message = "money has come in another currency than the order's";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            sum = sum.checked_add(net)?;
        }
        Ok(sum)
    }

    /// What is missing of the total, which is what a checkout must ask for: below zero if more has
    /// come.
    ///
    /// # Errors
    /// As for [`received`](Self::received).
    pub fn left_to_pay(&self) -> Result<Money> {
        Ok(self.order.total.checked_sub(self.received()?)?)
    }

    /// How it stands, by the verdict table of [`matching`](crate::matching).
    #[must_use]
    pub fn standing(&self) -> Standing {
        let total = self.order.total;
        let received = self.received();
        let balance = match received
            .as_ref()
            .map(|received| received.minor().cmp(&total.minor()))
        {
            Err(_) => Balance::TotalUnknown,
            Ok(Ordering::Less) => Balance::Short,
            Ok(Ordering::Equal) => Balance::Even,
            Ok(Ordering::Greater) => Balance::Excess,
        };
        let currency_fits = received.is_ok();
        let received = received.unwrap_or(Money::zero(total.currency()));
        let was_paid = self.paid_at.is_some();
        let verdict = decide(&Facts {
            currency_fits,
            after_close: self.order.closed_at.is_some() && !was_paid && received.is_positive(),
            taken_back: was_paid,
            announced: self.has_payment(|status| matches!(status, PaymentStatus::Pending)),
            ..Facts::plain(balance)
        });
        let apart = total.minor().abs_diff(received.minor());
        let apart = Money::new(i64::try_from(apart).unwrap_or(i64::MAX), total.currency());
        match verdict {
            VerdictKind::WrongCurrency => Standing::WrongCurrency,
            VerdictKind::PaidAfterClose => Standing::PaidAfterClose { received },
            VerdictKind::Reversed => Standing::Reversed { left: received },
            VerdictKind::Overpaid => Standing::Overpaid { excess: apart },
            VerdictKind::Paid => Standing::Paid,
            VerdictKind::Pending => Standing::Pending,
            _ if self
                .held()
                .is_some_and(|held| held.minor() >= apart.minor()) =>
            {
                Standing::Authorized
            }
            _ if received.is_positive() => Standing::PartlyPaid { short: apart },
            _ => Standing::Unpaid,
        }
    }

    /// Whether any payment has a status like that.
    pub(super) fn has_payment(&self, is_like: impl Fn(&PaymentStatus) -> bool) -> bool {
        let payments = self.payments.iter().filter_map(|p| p.ledger.payment());
        payments.into_iter().any(|payment| is_like(&payment.status))
    }

    /// Whether it was closed before it was paid.
    pub(super) const fn is_closed_unpaid(&self) -> bool {
        self.order.closed_at.is_some() && self.paid_at.is_none()
    }

    /// What is held and not taken, if all of it is in the order's currency.
    fn held(&self) -> Option<Money> {
        let payments = self.payments.iter().filter_map(|p| p.ledger.payment());
        let held = payments.filter(|payment| payment.is_held());
        let amounts = held.map(|payment| payment.capturable);
        Money::sum(self.order.total.currency(), amounts).ok()
    }
}
