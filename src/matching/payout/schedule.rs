//! Payouts compared with what is due in them by the declared terms.

use std::collections::HashSet;

use super::evidence::{LineKind, LineMatch, LineReason, LineVerdict, PayoutMatch, PayoutMatches};
use super::timeline::{Rails, Timeline};
use super::{Day, PayoutRow, PayoutTerms};
use crate::clock::Timestamp;
use crate::money::Money;

/// A payment, or a refund or dispute of one, that a payout should contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LineRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it is. Fees are kept of payments only; what goes back goes back in full.
    pub kind: LineKind,
    /// How it was paid, as [`MethodTerm::method`](super::MethodTerm::method) names it.
    pub method: &'a str,
    /// In how many instalments; 1 unless set.
    pub instalments: u32,
    /// The amount before fees; negative for what goes back.
    pub gross: Money,
    /// When it happened.
    pub at: Timestamp,
}

impl<'a> LineRow<'a> {
    /// A line of `kind` over `gross`.
    #[must_use]
    pub const fn new(
        id: &'a str,
        kind: LineKind,
        method: &'a str,
        gross: Money,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            method,
            instalments: 1,
            gross,
            at,
        }
    }

    /// Says in how many instalments it is paid.
    #[must_use]
    pub const fn with_instalments(mut self, instalments: u32) -> Self {
        self.instalments = instalments;
        self
    }
}

/// Compares `payouts` with what is due in them by `terms`.
#[must_use]
pub fn match_by_terms(
    payouts: &[PayoutRow<'_>],
    lines: &[LineRow<'_>],
    terms: &PayoutTerms,
) -> PayoutMatches {
    let mut rails = Rails::default();
    for (place, payout) in payouts.iter().enumerate() {
        let slot = rails.slot(payout.rail, payout.net.currency(), payout.value_date);
        slot.payouts.push(place);
    }
    let mut seen = HashSet::with_capacity(lines.len());
    let mut found: Vec<LineMatch> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        let due = if seen.insert((line.id, line.kind)) {
            due(line, terms)
        } else {
            Err(LineReason::Repeated)
        };
        if let Ok(due) = &due {
            let slot = rails.slot(due.rail, line.gross.currency(), due.on);
            slot.lines.push((place, due.net));
        }
        let reason = due.as_ref().err().copied();
        found.push(LineMatch {
            line: line.id.to_owned(),
            kind: line.kind,
            payout: None,
            net: due
                .as_ref()
                .ok()
                .map(|due| Money::new(due.net, line.gross.currency())),
            due: due.ok().map(|due| due.on),
            verdict: LineVerdict::Open(reason.unwrap_or(LineReason::NoPayout)),
            wrong_one_in: None,
        });
    }
    let mut closed: Vec<Option<PayoutMatch>> = vec![None; payouts.len()];
    for slots in rails.into_slots() {
        Timeline::new(slots, payouts, lines, terms).close(&mut closed, &mut found);
    }
    PayoutMatches {
        payouts: closed.into_iter().flatten().collect(),
        lines: found,
    }
}

/// Where and when a line is due, and how much of it.
struct Due<'a> {
    rail: &'a str,
    on: Day,
    net: i64,
}

fn due<'t>(line: &LineRow<'_>, terms: &'t PayoutTerms) -> Result<Due<'t>, LineReason> {
    let term = terms.method(line.method, line.instalments);
    let term = term.ok_or(LineReason::NotPaidOut)?;
    let gross = line.gross.minor();
    if gross == 0 {
        return Err(LineReason::NotPaidOut);
    }
    let fee = match line.kind {
        LineKind::Payment => term.fee(gross).ok_or(LineReason::OutOfRange)?,
        _ => 0,
    };
    let net = gross.checked_sub(fee).ok_or(LineReason::OutOfRange)?;
    let booked = terms.calendar.book_day(line.at);
    let on = booked.and_then(|day| {
        terms
            .calendar
            .business_days_after(day, term.lag_business_days)
    });
    let on = on.ok_or(LineReason::OutOfRange)?;
    let rail = &term.rail;
    Ok(Due { rail, on, net })
}

#[cfg(test)]
mod tests {
    use super::super::evidence::{PayoutReason, PayoutVerdict, ResidualLabel};
    use super::super::{Calendar, MethodTerm};
    use super::*;
    use crate::money::Currency;

    fn terms() -> PayoutTerms {
        PayoutTerms {
            calendar: Calendar {
                cut_off_s: 21 * 3600,
                ..Calendar::default()
            },
            methods: vec![MethodTerm::new("card", "CARD", 2).with_fee(299, 39)],
            ..PayoutTerms::default()
        }
    }

    fn brl(minor: i64) -> Money {
        Money::new(minor, Currency::BRL)
    }

    /// A card payment at noon of `day`.
    fn card<'a>(id: &'a str, gross: i64, day: &str) -> LineRow<'a> {
        let day: Day = day.parse().unwrap();
        let noon = Timestamp::from_unix(day.start_utc().unix() + 12 * 3600);
        LineRow::new(id, LineKind::Payment, "card", brl(gross), noon)
    }

    fn payout<'a>(id: &'a str, net: i64, day: &str) -> PayoutRow<'a> {
        PayoutRow::new(id, "CARD", day.parse().unwrap(), brl(net))
    }

    /// What is left of a card payment.
    fn net(gross: i64) -> i64 {
        gross - terms().methods[0].fee(gross).unwrap()
    }

    #[test]
    fn a_payout_that_is_what_was_due_has_all_its_lines() {
        // Thursday and Friday evening; the cut-off has moved the second to Saturday.
        let mut late = card("p_2", 2_000, "2026-11-20");
        late.at = Timestamp::from_unix(late.at.unix() + 9 * 3600);
        let lines = [card("p_1", 1_000, "2026-11-19"), late];
        let payouts = [
            payout("po_1", net(1_000), "2026-11-23"),
            payout("po_2", net(2_000), "2026-11-24"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        for (line, payout) in found.lines.iter().zip(["po_1", "po_2"]) {
            assert_eq!(line.payout.as_deref(), Some(payout));
            assert_eq!(line.verdict, LineVerdict::OnTime);
        }
        assert!(
            found
                .payouts
                .iter()
                .all(|p| p.verdict == PayoutVerdict::Closed)
        );
    }

    #[test]
    fn a_late_line_is_found_and_both_payouts_close() {
        let lines = [
            card("p_1", 1_000, "2026-11-16"),
            card("p_2", 7_777, "2026-11-16"),
            card("p_3", 3_000, "2026-11-17"),
        ];
        let payouts = [
            payout("po_1", net(1_000), "2026-11-18"),
            payout("po_2", net(3_000) + net(7_777), "2026-11-19"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        let places: Vec<_> = found.lines.iter().map(|l| l.payout.as_deref()).collect();
        assert_eq!(places, [Some("po_1"), Some("po_2"), Some("po_2")]);
        assert_eq!(found.lines[1].verdict, LineVerdict::Late);
        assert!(
            found
                .payouts
                .iter()
                .all(|p| p.verdict == PayoutVerdict::Closed)
        );
        // That nothing slipped and two corrections happen to match is kept beside it.
        let [other] = &*found.payouts[0].alternatives else {
            panic!("{:?}", found.payouts[0])
        };
        assert_eq!(other.slipped_out, brl(0));
        assert!(other.one_in > 1_000_000 && other.one_in < u64::MAX);
        let labels: Vec<_> = found.payouts.iter().map(|p| p.residuals[0].label).collect();
        assert_eq!(
            labels,
            [ResidualLabel::SlippedOut, ResidualLabel::SlippedIn]
        );
    }

    #[test]
    fn equal_lines_stay_open_and_the_payouts_close_without_them() {
        let lines = [
            card("p_1", 1_000, "2026-11-16"),
            card("p_2", 7_777, "2026-11-16"),
            card("p_3", 7_777, "2026-11-16"),
            card("p_4", 3_000, "2026-11-17"),
        ];
        let payouts = [
            payout("po_1", net(1_000) + net(7_777), "2026-11-18"),
            payout("po_2", net(3_000) + net(7_777), "2026-11-19"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        let places: Vec<_> = found.lines.iter().map(|l| l.payout.as_deref()).collect();
        assert_eq!(places, [Some("po_1"), None, None, Some("po_2")]);
        assert_eq!(
            found.lines[1].verdict,
            LineVerdict::Open(LineReason::SeveralExplanations)
        );
        assert_eq!(found.payouts[0].lines_open, 2);
        assert!(
            found
                .payouts
                .iter()
                .all(|p| p.verdict == PayoutVerdict::Closed)
        );
    }

    #[test]
    fn refunds_count_in_full_and_an_adjustment_is_named() {
        let mut refund = card("rf_1", -500, "2026-11-16");
        refund.kind = LineKind::Refund;
        let lines = [
            card("p_1", 1_000, "2026-11-16"),
            refund,
            card("p_2", 9_000, "2026-11-17"),
            card("p_3", 4_321, "2026-11-18"),
        ];
        let payouts = [
            payout("po_1", net(1_000) - 500, "2026-11-18"),
            payout("po_2", net(9_000) - 1_500, "2026-11-19"),
            payout("po_3", net(4_321), "2026-11-20"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        assert!(found.lines.iter().all(|line| line.payout.is_some()));
        assert_eq!(found.payouts[0].verdict, PayoutVerdict::Closed);
        assert_eq!(found.payouts[1].verdict, PayoutVerdict::ClosedWithResidual);
        let named = &found.payouts[1].residuals[0];
        assert_eq!(
            (named.label, named.amount),
            (ResidualLabel::Unexplained, brl(-1_500))
        );
    }

    #[test]
    fn what_cannot_be_placed_says_why() {
        let mut voucher = card("p_v", 500, "2026-11-16");
        voucher.method = "voucher";
        let mut never = card("p_n", 500, "2026-11-16");
        never.at = Timestamp::from_unix(i64::MAX);
        let known = card("p_1", 1_000, "2026-11-16");
        let lines = [known, known, voucher, never, card("p_z", 10, "2026-12-01")];
        let payouts = [payout("po_1", net(1_000), "2026-11-18")];
        let found = match_by_terms(&payouts, &lines, &terms());
        let verdicts: Vec<_> = found.lines.iter().map(|line| line.verdict).collect();
        assert_eq!(
            verdicts,
            [
                LineVerdict::OnTime,
                LineVerdict::Open(LineReason::Repeated),
                LineVerdict::Open(LineReason::NotPaidOut),
                LineVerdict::Open(LineReason::OutOfRange),
                LineVerdict::Open(LineReason::NoPayout),
            ]
        );
    }

    #[test]
    fn a_day_without_its_payout_and_a_payout_without_its_day_are_told_apart() {
        let mut refund = card("rf_1", -500, "2026-11-17");
        refund.kind = LineKind::Refund;
        let lines = [
            card("p_1", 1_000, "2026-11-16"),
            refund,
            card("p_3", 3_000, "2026-11-19"),
        ];
        // Of the 17th nothing was paid out, and of the 18th something although nothing was due.
        let payouts = [
            payout("po_1", net(1_000), "2026-11-18"),
            payout("po_x", 555, "2026-11-20"),
            payout("po_3", net(3_000), "2026-11-23"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        let verdicts: Vec<_> = found.lines.iter().map(|line| line.verdict).collect();
        let never = LineVerdict::Open(LineReason::NoPayout);
        assert_eq!(verdicts, [LineVerdict::OnTime, never, LineVerdict::OnTime]);
        let verdicts: Vec<_> = found.payouts.iter().map(|p| p.verdict).collect();
        let no_lines = PayoutVerdict::Open(PayoutReason::NoLines);
        assert_eq!(
            verdicts,
            [PayoutVerdict::Closed, no_lines, PayoutVerdict::Closed]
        );
    }

    #[test]
    fn a_payout_of_late_lines_only_is_explained_by_them() {
        let lines = [
            card("p_1", 1_000, "2026-11-16"),
            card("p_2", 7_777, "2026-11-16"),
        ];
        let payouts = [
            payout("po_1", net(1_000), "2026-11-18"),
            payout("po_2", net(7_777), "2026-11-19"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        let verdicts: Vec<_> = found.payouts.iter().map(|p| p.verdict).collect();
        assert_eq!(verdicts, [PayoutVerdict::Closed; 2]);
        assert_eq!(found.lines[1].payout.as_deref(), Some("po_2"));
    }

    #[test]
    fn two_payouts_of_one_day_leave_their_lines_open() {
        let lines = [card("p_1", 1_000, "2026-11-16")];
        let half = net(1_000) / 2;
        let payouts = [
            payout("po_1", half, "2026-11-18"),
            payout("po_2", net(1_000) - half, "2026-11-18"),
        ];
        let found = match_by_terms(&payouts, &lines, &terms());
        let several = PayoutVerdict::Open(PayoutReason::SeveralPayouts);
        assert!(found.payouts.iter().all(|p| p.verdict == several));
        let open = LineVerdict::Open(LineReason::SeveralPayouts);
        assert_eq!(found.lines[0].verdict, open);
    }

    #[test]
    fn sums_that_do_not_fit_explain_nothing() {
        let mut terms = terms();
        terms.methods = vec![MethodTerm::new("card", "CARD", 2)];
        let most = |id| card(id, i64::MAX, "2026-11-16");
        let payouts = [payout("po_1", i64::MAX, "2026-11-18")];
        let found = match_by_terms(&payouts, &[most("p_1"), most("p_2")], &terms);
        let too_large = PayoutVerdict::Open(PayoutReason::TooLarge);
        assert_eq!(found.payouts[0].verdict, too_large);
        assert!(found.lines.iter().all(|line| line.payout.is_none()));
    }

    #[test]
    fn evidence_survives_storage() {
        let lines = [
            card("p_1", 1_000, "2026-11-16"),
            card("p_2", 7_777, "2026-11-16"),
        ];
        let payouts = [payout("po_1", net(1_000), "2026-11-18")];
        let found = match_by_terms(&payouts, &lines, &terms());
        let stored = serde_json::to_string(&found).unwrap();
        assert_eq!(
            serde_json::from_str::<PayoutMatches>(&stored).unwrap(),
            found
        );
    }
}
