//! A payout compared with what the cashier knows: what each line is for, and what is left over.

use std::collections::{BTreeMap, HashSet};

use futures_util::TryStreamExt;

use super::{Cashier, OrderRecord};
use crate::capability::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::handle::Provider;
use crate::id::{OrderId, PaymentId};
use crate::matching::payout::{PayoutMatch, PayoutRow, PayoutVerdict, ReportRow, match_by_report};
use crate::mode::Mode;
use crate::money::Money;
use crate::payment::{Payment, PaymentStatus};
use crate::payout::{Payout, PayoutLine, PayoutLineKind, PayoutLineSource, PayoutStatus};

impl<M: Mode> Cashier<M> {
    /// Explains a payout line by line, and names what the lines leave over. Nothing is changed, so
    /// it can be done again. List payouts by [`Provider::list_payouts`].
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the provider lists no lines, [`ErrorKind::Conflict`] if it
    /// does not list all lines of this payout, or not yet, or if no money came of it since it was
    /// called off or sent back, and the provider's.
    pub async fn reconcile_payout(&self, payout: &Payout<M>) -> Result<ReconciledPayout<M>> {
        let provider = self.provider(payout.id.provider())?;
        if !payout.lines_complete {
            let message = "the provider does not list all lines of this payout, or not yet";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if matches!(payout.status, PayoutStatus::Canceled | PayoutStatus::Failed) {
            let message = "the payout was called off or sent back: no money came of it";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let listed = provider.list_payout_lines(payout.id.clone());
        let listed: Vec<PayoutLine<M>> = listed.try_collect().await?;
        let mut lines = Vec::with_capacity(listed.len());
        let mut explained = Explained::default();
        for line in listed {
            lines.push(self.explain(provider, line, &mut explained).await?);
        }
        name_canceling(&mut lines);
        let row = PayoutRow::of(payout, 0).ok_or_else(|| {
            let message = "the payout's time is outside the calendar";
            Error::new(ErrorKind::UnexpectedResponse, message)
        })?;
        let report: Vec<_> = lines
            .iter()
            .map(|l| ReportRow::of(payout, &l.line))
            .collect();
        let explained = lines
            .iter()
            .zip(&report)
            .filter(|(line, _)| line.order.is_some());
        let known: HashSet<&str> = explained.map(|(_, row)| row.source).collect();
        let matched = match_by_report(&[row], &report, &known);
        let sums = matched.payouts.into_iter().next().ok_or_else(|| {
            Error::new(ErrorKind::UnexpectedResponse, "the payout was not compared")
        })?;
        Ok(ReconciledPayout { sums, lines })
    }

    async fn explain(
        &self,
        provider: &Provider<M>,
        line: PayoutLine<M>,
        explained: &mut Explained<M>,
    ) -> Result<ReconciledLine<M>> {
        let payment = payment_of(provider, &line).await?;
        let mut order = None;
        if let Some(payment) = &payment {
            order = self.store.order_of_payment(&payment.to_string()).await?;
        }
        if let (None, Some(reference)) = (&order, &line.reference)
            && reference.namespace == *provider.namespace()
        {
            order = Some(reference.order.clone());
        }
        if let Some(id) = &order
            && !explained.orders.contains_key(id)
        {
            let record = self.read(id).await?.map(|stored| stored.record);
            explained.orders.insert(id.clone(), record);
        }
        let gross = explained.with(&line);
        let record = order
            .as_ref()
            .and_then(|id| explained.orders.get(id)?.as_ref());
        let finding = match record {
            Some(record) => record.judge(&line, gross, payment.as_ref()),
            None if line.source == PayoutLineSource::None => LineFinding::NotAboutOrders,
            None => LineFinding::Stranger,
        };
        Ok(ReconciledLine {
            order: record.map(|record| record.order.id.clone()),
            payment,
            finding,
            line,
            cancels: Vec::new(),
        })
    }
}

/// What the lines so far were about.
struct Explained<M: Mode> {
    orders: BTreeMap<OrderId, Option<OrderRecord<M>>>,
    /// What they add up to, in minor units, for each thing that they are for.
    sums: BTreeMap<(PayoutLineKind, String, &'static str), Option<i64>>,
}

impl<M: Mode> Default for Explained<M> {
    fn default() -> Self {
        Self {
            orders: BTreeMap::new(),
            sums: BTreeMap::new(),
        }
    }
}

impl<M: Mode> Explained<M> {
    /// What the lines of one kind and source come to with this one: a payment that is listed twice,
    /// each time under another id, is more than what was taken. `None` past 64 bits.
    fn with(&mut self, line: &PayoutLine<M>) -> Option<Money> {
        let source = match &line.source {
            PayoutLineSource::Payment(payment) => payment.to_string(),
            PayoutLineSource::Refund(refund, _) => refund.to_string(),
            PayoutLineSource::Dispute(dispute, _) => dispute.to_string(),
            PayoutLineSource::None => return Some(line.gross),
        };
        let currency = line.gross.currency();
        let key = (line.kind.clone(), source, currency.code());
        let sum = self.sums.entry(key).or_insert(Some(0));
        *sum = sum.and_then(|sum| sum.checked_add(line.gross.minor()));
        sum.map(|minor| Money::new(minor, currency))
    }
}

/// The payment that a line is about. Some providers name only the refund.
async fn payment_of<M: Mode>(
    provider: &Provider<M>,
    line: &PayoutLine<M>,
) -> Result<Option<PaymentId<M>>> {
    let refund = match &line.source {
        PayoutLineSource::Payment(payment)
        | PayoutLineSource::Refund(_, Some(payment))
        | PayoutLineSource::Dispute(_, Some(payment)) => return Ok(Some(payment.clone())),
        PayoutLineSource::Refund(refund, None) => refund,
        PayoutLineSource::Dispute(_, None) | PayoutLineSource::None => return Ok(None),
    };
    if !provider.capabilities().supports(Operation::FetchRefund) {
        return Ok(None);
    }
    match provider.fetch_refund(refund).await {
        Ok(refund) => Ok(Some(refund.payment)),
        Err(error) if error.kind() == &ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl<M: Mode> OrderRecord<M> {
    /// Compares a line, `gross` with those before it of its kind, with what is known of its payment.
    fn judge(
        &self,
        line: &PayoutLine<M>,
        gross: Option<Money>,
        payment: Option<&PaymentId<M>>,
    ) -> LineFinding {
        let entry = payment.and_then(|payment| self.payment(payment));
        let Some((entry, payment)) = entry.and_then(|e| Some((e, e.ledger.payment()?))) else {
            return LineFinding::Unheard;
        };
        let known = match &line.source {
            PayoutLineSource::Payment(_) => {
                return of_payment(&line.kind, gross, payment);
            }
            PayoutLineSource::Refund(id, _) => {
                let mut refunds = entry.ledger.refunds();
                refunds.find(|refund| refund.id == *id).map(|r| r.amount)
            }
            PayoutLineSource::Dispute(id, _) => {
                let mut disputes = entry.ledger.disputes();
                disputes.find(|dispute| dispute.id == *id).map(|d| d.amount)
            }
            PayoutLineSource::None => return LineFinding::NotAboutOrders,
        };
        let is_given_back = matches!(
            line.kind,
            PayoutLineKind::RefundFailure | PayoutLineKind::DisputeReversal
        );
        match known {
            None => LineFinding::Unheard,
            Some(known) => {
                let sign = if is_given_back { 1 } else { -1 };
                let is_same = gross.is_some_and(|gross| {
                    known.currency() == gross.currency()
                        && known.minor().checked_mul(sign) == Some(gross.minor())
                });
                match is_same {
                    true => LineFinding::Explained,
                    false => LineFinding::OtherAmount { known },
                }
            }
        }
    }
}

/// Judges a line of a payment or of its reversal, `gross` with those before it of its kind.
fn of_payment<M: Mode>(
    kind: &PayoutLineKind,
    gross: Option<Money>,
    payment: &Payment<M>,
) -> LineFinding {
    let is_part_of = |whole: Money, sign: i64| {
        gross.is_some_and(|gross| {
            let part = gross.minor().checked_mul(sign);
            gross.currency() == whole.currency()
                && part.is_some_and(|part| (1..=whole.minor()).contains(&part))
        })
    };
    // It was booked before its bank took it back, and both are lines, of one payout or of two.
    let is_returned =
        matches!(payment.status, PaymentStatus::Failed(_)) && payment.captured.minor() == 0;
    let is_explained = match kind {
        PayoutLineKind::PaymentReversal if !is_returned => return LineFinding::Unheard,
        PayoutLineKind::PaymentReversal => is_part_of(payment.amount, -1),
        _ if is_returned => is_part_of(payment.amount, 1),
        // One line of several captures is a part of what was taken.
        _ => is_part_of(payment.captured, 1),
    };
    match is_explained {
        true => LineFinding::Explained,
        false => LineFinding::OtherAmount {
            known: payment.captured,
        },
    }
}

/// The payment, refund or dispute that lines may cancel each other for, in one currency.
type CancelKey = (&'static str, String, &'static str);

fn cancel_key<M: Mode>(line: &PayoutLine<M>) -> Option<CancelKey> {
    let (what, source) = match (&line.kind, &line.source) {
        (
            PayoutLineKind::Payment | PayoutLineKind::PaymentReversal,
            PayoutLineSource::Payment(id),
        ) => ("payment", id.to_string()),
        (
            PayoutLineKind::Refund | PayoutLineKind::RefundFailure,
            PayoutLineSource::Refund(id, _),
        ) => ("refund", id.to_string()),
        (
            PayoutLineKind::Dispute | PayoutLineKind::DisputeReversal,
            PayoutLineSource::Dispute(id, _),
        ) => ("dispute", id.to_string()),
        _ => return None,
    };
    Some((what, source, line.gross.currency().code()))
}

/// Names the lines that come to nothing together. What is known of an order does not speak against
/// them: they leave it as it was.
fn name_canceling<M: Mode>(lines: &mut [ReconciledLine<M>]) {
    let mut groups: BTreeMap<CancelKey, Vec<usize>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(key) = cancel_key(&line.line) {
            groups.entry(key).or_default().push(at);
        }
    }
    for group in groups.into_values() {
        let members = || group.iter().filter_map(|at| lines.get(*at));
        let sum = members().try_fold(0_i64, |sum, line| sum.checked_add(line.line.gross.minor()));
        let has_moved = members().any(|line| line.line.gross.minor() != 0);
        if sum != Some(0) || !has_moved {
            continue;
        }
        let ids: Vec<_> = members().map(|line| line.line.id.clone()).collect();
        for at in &group {
            let Some(line) = lines.get_mut(*at) else {
                continue;
            };
            let others = ids.iter().filter(|id| **id != line.line.id);
            line.cancels = others.cloned().collect();
            if line.order.is_some() {
                line.finding = LineFinding::Explained;
            }
        }
    }
}

/// A payout, explained.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReconciledPayout<M: Mode> {
    /// What came against what the lines add up to, and by name what lies between.
    pub sums: PayoutMatch,
    /// Each line.
    pub lines: Vec<ReconciledLine<M>>,
}

impl<M: Mode> ReconciledPayout<M> {
    /// Whether the sums agree to the minor unit and no line needs a look.
    #[must_use]
    pub fn is_explained(&self) -> bool {
        let is_fine = |line: &ReconciledLine<M>| {
            matches!(
                line.finding,
                LineFinding::Explained | LineFinding::NotAboutOrders
            )
        };
        self.sums.verdict == PayoutVerdict::Closed && self.lines.iter().all(is_fine)
    }
}

/// One line of a payout, with what it is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReconciledLine<M: Mode> {
    /// The line: gross, fee, net, and the refund or dispute that it is for.
    pub line: PayoutLine<M>,
    /// The payment that it is about.
    pub payment: Option<PaymentId<M>>,
    /// The order of that payment, if it is one of this cashier's.
    pub order: Option<OrderId>,
    /// What the cashier knows of it.
    pub finding: LineFinding,
    /// The ids of the lines of this payout that cancel it: a payment and its reversal, a refund and
    /// its failure, a dispute and its reversal. Together they come to nothing. Empty if it stands.
    pub cancels: Vec<Box<str>>,
}

/// What the cashier knows of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineFinding {
    /// The payment, refund or dispute is known, and the amount agrees; or the line and others of
    /// its order in this payout come to nothing together: see [`ReconciledLine::cancels`].
    Explained,
    /// A fee, a reserve or a correction: it belongs to no order.
    NotAboutOrders,
    /// It is known with this amount, which is another.
    OtherAmount {
        /// The amount that is known here.
        known: Money,
    },
    /// The order is known, and this was not heard of yet: resume the order, then look again.
    Unheard,
    /// It is about a payment that no order here has.
    Stranger,
}
