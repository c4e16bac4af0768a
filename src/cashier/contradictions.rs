//! What a provider says of one payment that cannot both be true. Nothing is guessed: both statements
//! are kept, and raised for review.

use serde::{Deserialize, Serialize};

use super::concerns::Watch;
use super::fold::{Fact, summary};
use super::records::OrderRecord;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::PaymentId;
use crate::mode::Mode;
use crate::money::Money;
use crate::payment::Payment;

/// What was said of a payment in another currency than it is known in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
pub(super) struct Contradiction<M: Mode> {
    /// All that was said in that currency.
    pub(super) payment: Payment<M>,
    /// Where it was said first.
    pub(super) evidence: String,
}

impl<M: Mode> Contradiction<M> {
    /// Whether money has come, or is held, by it.
    fn has_money(&self) -> bool {
        let Payment {
            captured,
            refunded,
            returned,
            ..
        } = &self.payment;
        let gone = refunded.minor().saturating_add(returned.minor());
        captured.minor() > gone || self.payment.is_held()
    }
}

impl<M: Mode> OrderRecord<M> {
    /// Keeps a snapshot that is in another currency than this payment is known in, and gives whether
    /// it is one.
    pub(super) fn contradicts(
        &mut self,
        payment: &Payment<M>,
        evidence: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let currency = payment.amount.currency();
        let is_other = |known: &Payment<M>| {
            let is_called = payment.ids().any(|id| known.ids().any(|its| its == id));
            is_called && known.amount.currency() != currency
        };
        let mut known = self.payments.iter().filter_map(|of| of.ledger.payment());
        let Some(known) = known.find(|known| is_other(known)).cloned() else {
            return Ok(false);
        };
        let mut kept = self.contradictions.iter_mut();
        let is_it = |kept: &&mut Contradiction<M>| {
            let is_same = kept.payment.amount.currency() == currency;
            is_same && kept.payment.is_same_as(payment)
        };
        if let Some(kept) = kept.find(is_it) {
            kept.payment = kept.payment.clone().join(payment.clone())?;
            return Ok(true);
        }
        self.contradictions.push(Contradiction {
            payment: payment.clone(),
            evidence: evidence.to_owned(),
        });
        let what = format!(
            "{} is known as {} of {}, and was reported as {} of {}",
            payment.id,
            summary(&known),
            known.amount,
            summary(payment),
            payment.amount
        );
        self.note(now, what, Some(evidence));
        Ok(true)
    }

    /// Raises for review what cannot be taken in, beside what is known.
    pub(super) fn raise_contradiction(
        &mut self,
        fact: &Fact<M>,
        error: &Error,
        evidence: &str,
        now: Timestamp,
    ) {
        let known = fact.payment().and_then(|id| self.payment(id));
        let known = known.and_then(|known| known.ledger.payment());
        let known = known.map_or_else(
            || "nothing of it is known here".to_owned(),
            |known| format!("it is known here as {} of {}", summary(known), known.amount),
        );
        let about = fact.statement();
        let name = fact
            .payment()
            .map_or_else(|| evidence.to_owned(), ToString::to_string);
        let text = format!(
            "{evidence} says: {about}; {known}, and that does not fit ({error}): see the \
             provider's dashboard"
        );
        self.raise_unclear(&format!("contradicts:{name}"), text, evidence, now);
    }

    /// Whether money has come, or is held, in a currency that contradicts what is known.
    pub(super) fn has_contradicting_money(&self) -> bool {
        self.contradictions.iter().any(Contradiction::has_money)
    }

    /// The names of the payments of contradictions, so that what is said of them is found.
    pub(super) fn contradicting_ids(&self) -> impl Iterator<Item = &PaymentId<M>> {
        self.contradictions.iter().flat_map(|of| of.payment.ids())
    }

    pub(super) fn watch_contradictions(&self, watch: &mut Watch<'_>) {
        for Contradiction { payment, evidence } in &self.contradictions {
            let id = &payment.id;
            let mut known = self.payments.iter().filter_map(|of| of.ledger.payment());
            let known =
                known.find(|known| payment.ids().any(|id| known.ids().any(|its| its == id)));
            let known = known.map(|known| format!("{} of {}", summary(known), known.amount));
            let known = known.unwrap_or_default();
            let text = format!(
                "{id} is reported in two currencies: here it is known as {known}, and {evidence} \
                 says {} of {}: see the provider's dashboard, and refund it or settle it by hand",
                summary(payment),
                payment.amount
            );
            watch.add(format!("wrong_currency:{id}"), text);
        }
        for entry in &self.payments {
            let Some(payment) = entry.ledger.payment() else {
                continue;
            };
            let is_other = |amount: Money| amount.currency() != payment.amount.currency();
            let captures = entry.ledger.captures();
            let captures = captures.map(|of| (of.id.to_string(), of.amount, "capture"));
            let refunds = entry.ledger.refunds();
            let refunds = refunds.map(|of| (of.id.to_string(), of.amount, "refund"));
            let disputes = entry.ledger.disputes();
            let disputes = disputes.map(|of| (of.id.to_string(), of.amount, "dispute"));
            let all = captures.chain(refunds).chain(disputes);
            for (id, amount, what) in all.filter(|(_, amount, _)| is_other(*amount)) {
                let text = format!(
                    "the {what} {id} is reported as {amount}, and its payment {} as {}: see the \
                     provider's dashboard, and settle it by hand",
                    payment.id, payment.amount
                );
                watch.add(format!("wrong_currency:{id}"), text);
            }
        }
    }
}

impl<M: Mode> Fact<M> {
    /// What it says, in one line.
    fn statement(&self) -> String {
        match self {
            Self::Payment(of) => format!("payment {}: {} of {}", of.id, summary(of), of.amount),
            Self::Capture(of) => format!("capture {} of {}: {:?}", of.id, of.amount, of.status),
            Self::Refund(of) => format!("refund {} of {}: {:?}", of.id, of.amount, of.status),
            Self::Dispute(of) => format!("dispute {} over {}: {:?}", of.id, of.amount, of.status),
            Self::Warning(of) => format!("warning {}: {:?}", of.id, of.kind),
            Self::Unclear(of) => of.text.to_string(),
            Self::Unreadable(of) => of.reason.to_string(),
            Self::Payout(of) => format!("payout {} of {}: {:?}", of.id, of.amount, of.status),
        }
    }
}
