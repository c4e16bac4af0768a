//! Payouts compared with the provider's own report.

use std::collections::{HashMap, HashSet};

use super::PayoutRow;
use super::evidence::{
    LineKind, LineMatch, LineReason, LineVerdict, PayoutMatch, PayoutMatches, PayoutReason,
    PayoutRule, PayoutVerdict, Residual, ResidualLabel,
};
use crate::matching::RULES_VERSION;
use crate::mode::Mode;
use crate::money::{Currency, Money};
use crate::payout::{Payout, PayoutLine, PayoutLineKind, PayoutLineSource};

/// One line of a provider's settlement report, amounts in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportRow<'a> {
    /// The id of the line, unique in the report together with its kind.
    pub id: &'a str,
    /// The payout that it is in.
    pub payout: &'a str,
    /// What it is.
    pub kind: LineKind,
    /// The id of the payment, refund or dispute that it is for. The line's own id unless set.
    pub source: &'a str,
    /// Before fees, signed as it counts in the payout.
    pub gross: i64,
    /// What was kept, positive.
    pub fee: i64,
    /// What is in the payout.
    pub net: i64,
    /// The currency of all three.
    pub currency: Currency,
}

impl<'a> ReportRow<'a> {
    /// A line of `kind` in `payout`, its net being `gross` less `fee`.
    #[must_use]
    pub const fn new(
        id: &'a str,
        payout: &'a str,
        kind: LineKind,
        gross: i64,
        fee: i64,
        currency: Currency,
    ) -> Self {
        Self {
            id,
            payout,
            kind,
            source: id,
            gross,
            fee,
            net: gross.saturating_sub(fee),
            currency,
        }
    }

    /// The line of `payout` as a provider gave it. Its source is named as in the provider's ids,
    /// without mode and provider.
    #[must_use]
    pub fn of<M: Mode>(payout: &'a Payout<M>, line: &'a PayoutLine<M>) -> Self {
        let kind = match line.kind {
            PayoutLineKind::Payment | PayoutLineKind::PaymentReversal => LineKind::Payment,
            PayoutLineKind::Refund | PayoutLineKind::RefundFailure => LineKind::Refund,
            PayoutLineKind::Dispute | PayoutLineKind::DisputeReversal => LineKind::Dispute,
            PayoutLineKind::Fee => LineKind::Fee,
            PayoutLineKind::Reserve => LineKind::Reserve,
            PayoutLineKind::ReturnedPayout => LineKind::ReturnedPayout,
            _ => LineKind::Adjustment,
        };
        let source = match &line.source {
            PayoutLineSource::Payment(payment) => payment.raw(),
            PayoutLineSource::Refund(refund, _) => refund.raw(),
            PayoutLineSource::Dispute(dispute, _) => dispute.raw(),
            PayoutLineSource::None => &line.id,
        };
        let (gross, fee) = (line.gross.minor(), line.fee.minor());
        Self::new(
            &line.id,
            payout.id.raw(),
            kind,
            gross,
            fee,
            line.net.currency(),
        )
        .with_source(source)
        .with_net(line.net.minor())
    }

    /// Names the payment, refund or dispute that the line is for.
    #[must_use]
    pub const fn with_source(mut self, source: &'a str) -> Self {
        self.source = source;
        self
    }

    /// Gives the net as the report has it.
    #[must_use]
    pub const fn with_net(mut self, net: i64) -> Self {
        self.net = net;
        self
    }
}

/// Compares `payouts` with the lines of the provider's report.
///
/// `known` are the ids of the payments, refunds and disputes that the host has. A line that names
/// none of them counts in its payout all the same, since the money moved, and says so.
#[must_use]
pub fn match_by_report<'a>(
    payouts: &[PayoutRow<'a>],
    report: &[ReportRow<'a>],
    known: &HashSet<&str>,
) -> PayoutMatches {
    let mut sums: HashMap<&str, Sum> = HashMap::with_capacity(payouts.len());
    for payout in payouts {
        sums.entry(payout.id).or_insert_with(|| Sum::new(payout));
    }
    let mut seen = HashSet::with_capacity(report.len());
    let mut lines = Vec::with_capacity(report.len());
    for row in report {
        let verdict = if !seen.insert((row.id, row.kind)) {
            LineVerdict::Open(LineReason::Repeated)
        } else {
            match sums.get_mut(row.payout) {
                None => LineVerdict::Open(LineReason::UnknownPayout),
                Some(sum) => sum.add(row, known),
            }
        };
        let is_open = matches!(verdict, LineVerdict::Open(_));
        lines.push(LineMatch {
            line: row.id.to_owned(),
            kind: row.kind,
            payout: (!is_open).then(|| row.payout.to_owned()),
            net: Some(Money::new(row.net, row.currency)),
            due: None,
            verdict,
            wrong_one_in: None,
        });
    }
    // The lines explain a payout once, however often it is given. What is left has been given before.
    let payouts = payouts.iter().map(|payout| match sums.remove(payout.id) {
        Some(sum) => sum.close(payout),
        None => repeated(payout),
    });
    PayoutMatches {
        payouts: payouts.collect(),
        lines,
    }
}

/// A payout that was given before: its lines are in that one.
fn repeated(payout: &PayoutRow<'_>) -> PayoutMatch {
    let mut found = Sum::new(payout).close(payout);
    found.verdict = PayoutVerdict::Open(PayoutReason::Repeated);
    found
}

/// The lines of one payout, added up.
#[derive(Debug)]
struct Sum {
    currency: Currency,
    lines: usize,
    lines_open: usize,
    net: Option<i64>,
    /// Where a line's net is not its gross less its fee, by how much.
    hidden_fees: Option<i64>,
    foreign: bool,
}

impl Sum {
    const fn new(payout: &PayoutRow<'_>) -> Self {
        Self {
            currency: payout.net.currency(),
            lines: 0,
            lines_open: 0,
            net: Some(0),
            hidden_fees: Some(0),
            foreign: false,
        }
    }

    fn add(&mut self, row: &ReportRow<'_>, known: &HashSet<&str>) -> LineVerdict {
        if row.currency != self.currency {
            self.foreign = true;
            self.lines_open += 1;
            return LineVerdict::Open(LineReason::WrongCurrency);
        }
        self.lines += 1;
        self.net = self.net.and_then(|sum| sum.checked_add(row.net));
        let shown = row.gross.checked_sub(row.fee);
        let hidden = shown.and_then(|shown| row.net.checked_sub(shown));
        self.hidden_fees = self
            .hidden_fees
            .and_then(|sum| hidden.and_then(|hidden| sum.checked_add(hidden)));
        if row.kind.has_source() && !known.contains(row.source) {
            LineVerdict::ReportedUnknown
        } else {
            LineVerdict::Reported
        }
    }

    fn close(&self, payout: &PayoutRow<'_>) -> PayoutMatch {
        let money = |minor| Money::new(minor, self.currency);
        let shown = self.net.and_then(|net| net.checked_sub(self.hidden_fees?));
        let apart = shown.and_then(|shown| payout.net.minor().checked_sub(shown));
        let mut residuals = Vec::new();
        let verdict = match apart {
            None => PayoutVerdict::Open(PayoutReason::TooLarge),
            Some(_) if payout.is_returned => PayoutVerdict::Open(PayoutReason::Returned),
            Some(_) if self.lines == 0 && self.lines_open == 0 => {
                PayoutVerdict::Open(PayoutReason::NotInReport)
            }
            Some(apart) => {
                let hidden = self.hidden_fees.unwrap_or(0);
                let rest = apart.saturating_sub(hidden);
                let label = if self.foreign {
                    ResidualLabel::Fx
                } else {
                    ResidualLabel::Unexplained
                };
                for (label, minor) in [(ResidualLabel::Fee, hidden), (label, rest)] {
                    if minor != 0 {
                        let amount = money(minor);
                        residuals.push(Residual { label, amount });
                    }
                }
                if rest == 0 {
                    PayoutVerdict::Closed
                } else {
                    PayoutVerdict::ClosedWithResidual
                }
            }
        };
        PayoutMatch {
            payout: payout.id.to_owned(),
            value_date: payout.value_date,
            rule: PayoutRule::Report,
            rules_version: RULES_VERSION,
            net: payout.net,
            expected: money(shown.unwrap_or(0)),
            lines: self.lines,
            lines_open: self.lines_open,
            residuals,
            verdict,
            alternatives: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRL: Currency = Currency::BRL;

    fn payout(net: i64) -> PayoutRow<'static> {
        PayoutRow::new(
            "po_1",
            "CARD",
            "2026-11-20".parse().unwrap(),
            Money::new(net, BRL),
        )
    }

    fn close(net: i64, report: &[ReportRow<'_>]) -> PayoutMatches {
        let known = HashSet::from(["p_1", "p_2"]);
        match_by_report(&[payout(net)], report, &known)
    }

    #[test]
    fn a_payout_closes_by_its_lines() {
        let found = close(
            1_870,
            &[
                ReportRow::new("p_1", "po_1", LineKind::Payment, 1_000, 30, BRL),
                ReportRow::new("p_2", "po_1", LineKind::Payment, 2_000, 100, BRL),
                ReportRow::new("p_2", "po_1", LineKind::Refund, -1_000, 0, BRL),
            ],
        );
        assert_eq!(found.payouts[0].verdict, PayoutVerdict::Closed);
        assert!(found.payouts[0].residuals.is_empty());
        assert!(
            found
                .lines
                .iter()
                .all(|line| line.verdict == LineVerdict::Reported)
        );
        assert_eq!(
            found.payouts[0].to_string(),
            "payout po_1 of 2026-11-20 over 18.70 BRL closes to the minor unit: 3 lines of 18.70 BRL"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let line = ReportRow::new("p_9", "po_1", LineKind::Payment, 1_000, 30, BRL);
        let found = close(900, &[line.with_net(960)]);
        assert_eq!(found.payouts[0].verdict, PayoutVerdict::ClosedWithResidual);
        let parts: Vec<_> = found.payouts[0].residuals.iter().collect();
        assert_eq!(
            (parts[0].label, parts[0].amount.minor()),
            (ResidualLabel::Fee, -10)
        );
        assert_eq!(
            (parts[1].label, parts[1].amount.minor()),
            (ResidualLabel::Unexplained, -60)
        );
        assert_eq!(found.lines[0].verdict, LineVerdict::ReportedUnknown);
    }

    #[test]
    fn repeated_foreign_and_stray_lines_do_not_count() {
        let line = ReportRow::new("p_1", "po_1", LineKind::Payment, 1_000, 0, BRL);
        let foreign = ReportRow::new("p_2", "po_1", LineKind::Payment, 1_000, 0, Currency::EUR);
        let stray = ReportRow::new("p_3", "po_7", LineKind::Payment, 1_000, 0, BRL);
        let found = close(1_000, &[line, line, foreign, stray]);
        let verdicts: Vec<_> = found.lines.iter().map(|line| line.verdict).collect();
        assert_eq!(
            verdicts,
            [
                LineVerdict::Reported,
                LineVerdict::Open(LineReason::Repeated),
                LineVerdict::Open(LineReason::WrongCurrency),
                LineVerdict::Open(LineReason::UnknownPayout),
            ]
        );
        assert_eq!(found.payouts[0].expected.minor(), 1_000);
        let places: Vec<_> = found.lines.iter().map(|l| l.payout.as_deref()).collect();
        assert_eq!(places, [Some("po_1"), None, None, None]);
        assert_eq!(
            (found.payouts[0].lines, found.payouts[0].lines_open),
            (1, 1)
        );
        let euros = PayoutRow {
            net: Money::new(1_000, Currency::EUR),
            ..payout(0)
        };
        let known = HashSet::from(["p_1"]);
        let twice = match_by_report(&[payout(1_000), payout(1_000), euros], &[line], &known);
        let verdicts: Vec<_> = twice.payouts.iter().map(|p| p.verdict).collect();
        let again = PayoutVerdict::Open(PayoutReason::Repeated);
        assert_eq!(verdicts, [PayoutVerdict::Closed, again, again]);
        let none = close(1_000, &[]);
        assert_eq!(
            none.payouts[0].verdict,
            PayoutVerdict::Open(PayoutReason::NotInReport)
        );
    }

    #[test]
    fn the_lines_that_a_provider_lists_are_taken_as_they_are() {
        use crate::Test;
        use crate::clock::Timestamp;
        use crate::id::{PaymentId, PayoutId, ProviderName};
        use crate::payout::PayoutStatus;

        let at = Timestamp::from_unix(1_795_348_800);
        let provider = || ProviderName::new("stripe").unwrap();
        let id = PayoutId::<Test>::new(provider(), "po_1").unwrap();
        let paid = Payout::new(id, PayoutStatus::Paid, Money::new(970, BRL), at);
        let payment = PaymentId::<Test>::new(provider(), "p_1").unwrap();
        let line = PayoutLine::new(
            "txn_1",
            PayoutLineKind::Payment,
            Money::new(1_000, BRL),
            Money::new(30, BRL),
            PayoutLineSource::Payment(payment),
            at,
        )
        .unwrap();
        let row = PayoutRow::of(&paid, 0).unwrap();
        assert_eq!(row.value_date.to_string(), "2026-11-22");
        let known = HashSet::from(["p_1"]);
        let found = match_by_report(&[row], &[ReportRow::of(&paid, &line)], &known);
        assert_eq!(found.payouts[0].verdict, PayoutVerdict::Closed);
        assert_eq!(found.lines[0].verdict, LineVerdict::Reported);
    }

    #[test]
    fn a_line_of_a_provider_keeps_its_kind() {
        use crate::Test;
        use crate::clock::Timestamp;
        use crate::id::{PayoutId, ProviderName};
        use crate::payout::PayoutStatus;

        let (at, brl) = (Timestamp::from_unix(0), |minor| Money::new(minor, BRL));
        let id = PayoutId::<Test>::new(ProviderName::new("psp").unwrap(), "po_1").unwrap();
        let payout = Payout::new(id, PayoutStatus::Paid, brl(10), at);
        for (given, kind) in [
            (PayoutLineKind::Payment, LineKind::Payment),
            (PayoutLineKind::PaymentReversal, LineKind::Payment),
            (PayoutLineKind::ReturnedPayout, LineKind::ReturnedPayout),
            (PayoutLineKind::Refund, LineKind::Refund),
            (PayoutLineKind::RefundFailure, LineKind::Refund),
            (PayoutLineKind::Dispute, LineKind::Dispute),
            (PayoutLineKind::DisputeReversal, LineKind::Dispute),
            (PayoutLineKind::Fee, LineKind::Fee),
            (PayoutLineKind::Reserve, LineKind::Reserve),
            (PayoutLineKind::Adjustment, LineKind::Adjustment),
            (PayoutLineKind::Other("topup".into()), LineKind::Adjustment),
        ] {
            let source = PayoutLineSource::None;
            let line = PayoutLine::new("txn_1", given, brl(10), brl(0), source, at).unwrap();
            assert_eq!(ReportRow::of(&payout, &line).kind, kind);
        }
    }

    #[test]
    fn sums_past_64_bits_are_refused() {
        let line = ReportRow::new("p_1", "po_1", LineKind::Payment, i64::MAX, 0, BRL);
        let other = ReportRow::new("p_2", "po_1", LineKind::Payment, 1, 0, BRL);
        let found = close(5, &[line, other]);
        assert_eq!(
            found.payouts[0].verdict,
            PayoutVerdict::Open(PayoutReason::TooLarge)
        );
    }
}
