//! How an order stands, computed from the facts about its payments, and what a person must look at.

use std::cmp::Ordering;
use std::fmt;

use crate::capture::CaptureStatus;
use crate::clock::Timestamp;
use crate::dispute::DisputeStatus;
use crate::error::{Error, ErrorKind, Result};
use crate::id::PaymentId;
use crate::matching::{Balance, Facts, VerdictKind, decide};
use crate::mode::Mode;
use crate::money::{Money, MoneyError};
use crate::payment::PaymentStatus;
use crate::refund::RefundStatus;

use super::due::{is_on_its_way, silent_since};
use super::patience::Patience;
use super::records::{CommandRecord, CommandState, OrderRecord};

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

/// Something that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Concern {
    /// A stable name, to resolve it by.
    pub name: String,
    /// What is wrong and what can be done.
    pub text: String,
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
    /// [`ErrorKind::Conflict`] if a payment is in another currency than the order.
    pub fn received(&self) -> Result<Money> {
        let mut sum = Money::zero(self.order.total.currency());
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

    /// What a person must look at now, without what was resolved. The cashier's own
    /// [`Patience`] is in [`Cashier::concerns`](super::Cashier::concerns).
    #[must_use]
    pub fn concerns(&self, now: Timestamp, patience: &Patience) -> Vec<Concern> {
        let mut all = Vec::new();
        let mut add = |name: String, text: String| all.push(Concern { name, text });
        self.add_what_is_not_owed(&mut add);
        for attempt in self.unknown_attempts() {
            let waited = now.abs_diff(attempt.begun_at);
            if waited > patience.unknown {
                let number = attempt.attempt;
                add(
                    format!("attempt_unknown:{number}"),
                    format!("nobody knows whether attempt {number} was paid: see the dashboard"),
                );
            }
        }
        for command in &self.commands {
            let waited = now.abs_diff(command.requested_at);
            let name = command.operation.name();
            let of = &command.payment;
            match command.state {
                CommandState::Unknown | CommandState::Requested if waited > patience.unknown => {
                    add(
                        format!("{name}_unknown:{}", command.key),
                        format!("nobody knows whether the {name} of {of} was done"),
                    );
                }
                // Of a refund that has an id the ledger tells below.
                CommandState::Pending
                    if command.refund.is_none() && waited > command.patience(patience) =>
                {
                    add(
                        format!("{name}_pending:{}", command.key),
                        format!(
                            "the {name} of {of} has been pending since {}",
                            command.requested_at
                        ),
                    );
                }
                _ if command.has_failed_since() && !self.was_reversed(command) => {
                    let amount = command.amount.map(|amount| format!(" {amount}"));
                    let amount = amount.unwrap_or_default();
                    add(
                        format!("{name}_failed:{}", command.key),
                        format!("the {name} of{amount} by {of} was not done after all: ask anew"),
                    );
                }
                _ => {}
            }
        }
        for (about, text) in &self.unclear {
            add(format!("unclear:{about}"), text.clone());
        }
        for payment in &self.payments {
            let ledger = &payment.ledger;
            for capture in ledger.captures() {
                if capture.status == CaptureStatus::Reversed {
                    add(
                        format!("capture_failed:{}", capture.id),
                        format!(
                            "{} of {} was taken and is not yours after all: ask for it anew",
                            capture.amount, capture.payment
                        ),
                    );
                }
            }
            if let Some(known) = ledger.payment() {
                let is_proven = ledger.captures().next().is_some();
                if payment.said_ended && known.captured == known.amount && !is_proven {
                    add(
                        format!("contradicted:{}", known.id),
                        format!(
                            "{} counts as taken, and its provider says that it ended without \
                             money: see the dashboard",
                            known.id
                        ),
                    );
                }
                if known.returned.is_positive() {
                    add(
                        format!("returned:{}", known.id),
                        format!(
                            "{} of {} went back to the payer without a refund: ask for it anew",
                            known.returned, known.id
                        ),
                    );
                }
                if known.is_held() && self.is_closed_unpaid() {
                    add(
                        format!("held_after_close:{}", known.id),
                        format!(
                            "{} is held by {} for an order that was closed: void it, or capture \
                             it and deliver",
                            known.capturable, known.id
                        ),
                    );
                }
                let lapses = known
                    .capture_before
                    .is_some_and(|before| now >= before.saturating_sub(patience.lapse));
                if known.is_held() && lapses {
                    add(
                        format!("lapsing:{}", known.id),
                        format!("the amount held by {} lapses: capture or void it", known.id),
                    );
                }
            }
            if let Some(known) = ledger.payment()
                && let Some(since) = silent_since(known)
                && now.abs_diff(since) > patience.silence
            {
                add(
                    format!("silent:{}", known.id),
                    format!(
                        "nothing that is known here was heard of {} since {since}: see the \
                         dashboard",
                        known.id
                    ),
                );
            }
            for refund in ledger.refunds() {
                let waited = now.abs_diff(refund.created_at);
                if is_on_its_way(&refund.status) && waited > patience.refund {
                    add(
                        format!("refund_pending:{}", refund.id),
                        format!(
                            "{} of {} has been on its way since {}",
                            refund.amount, refund.id, refund.created_at
                        ),
                    );
                }
                if matches!(refund.status, RefundStatus::Failed | RefundStatus::Canceled) {
                    add(
                        format!("refund_failed:{}", refund.id),
                        format!("{} of {} did not reach the payer", refund.amount, refund.id),
                    );
                }
            }
            for dispute in ledger.disputes() {
                let (id, amount) = (&dispute.id, dispute.amount);
                match &dispute.status {
                    DisputeStatus::NeedsResponse => add(
                        format!("dispute:{id}"),
                        format!("{amount} is disputed: answer the bank"),
                    ),
                    DisputeStatus::Unrecognized(status) => add(
                        format!("dispute_unclear:{id}"),
                        format!(
                            "{amount} is disputed, and the dispute stands at {status}, which is \
                             not known here: see the dashboard"
                        ),
                    ),
                    _ => {}
                }
            }
        }
        all.retain(|concern| !self.resolved.contains(&concern.name));
        all
    }

    /// The payments that have brought what the order does not ask for. Each is a concern of its
    /// own, so that the next one is told of after a person has dealt with the first.
    fn add_what_is_not_owed(&self, add: &mut impl FnMut(String, String)) {
        match self.standing() {
            Standing::WrongCurrency => {
                for entry in &self.payments {
                    let (Some(payment), net) = (entry.ledger.payment(), entry.ledger.net()) else {
                        continue;
                    };
                    let is_ours = |net: Money| net.currency() == self.order.total.currency();
                    if !net.is_ok_and(|net| net.is_zero() || is_ours(net)) {
                        add(
                            format!("wrong_currency:{}", payment.id),
                            format!(
                                "money has come by {} in another currency: refund it or settle it \
                                 by hand",
                                payment.id
                            ),
                        );
                    }
                }
            }
            Standing::PaidAfterClose { .. } => {
                for entry in &self.payments {
                    if let (Some(payment), Ok(net)) = (entry.ledger.payment(), entry.ledger.net())
                        && net.is_positive()
                    {
                        add(
                            format!("paid_after_close:{}", payment.id),
                            format!(
                                "{net} has come by {} after the order was closed: refund it or \
                                 deliver",
                                payment.id
                            ),
                        );
                    }
                }
            }
            Standing::Overpaid { .. } => {
                let allocations = self.allocations().unwrap_or_default().into_iter();
                for Allocation {
                    payment, excess, ..
                } in allocations.filter(|allocation| allocation.excess.is_positive())
                {
                    add(
                        format!("overpaid:{payment}"),
                        format!("{excess} of {payment} is more than the total: refund it"),
                    );
                }
            }
            _ => {}
        }
    }

    /// Whether the provider has taken back what this capture took: its ledger tells.
    fn was_reversed(&self, command: &CommandRecord<M>) -> bool {
        let of = self.payment(&command.payment);
        let mut captures = of.into_iter().flat_map(|of| of.ledger.captures());
        captures.any(|capture| {
            let is_its = capture.command.is_some() && capture.command == command.command;
            is_its && capture.status == CaptureStatus::Reversed
        })
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
