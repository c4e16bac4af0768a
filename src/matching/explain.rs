//! The evidence of a verdict, written out from the rows when it is asked for.

use super::evidence::{
    Allocation, Compared, Decision, Evidence, Field, RULES_VERSION, Residual, ResidualKind, Rule,
    Twin,
};
use super::report::Report;
use super::standing::{Line, Standing, repeated};
use super::table::{Entry, NONE, Order};
use super::verdict::VerdictKind;
use crate::clock::Timestamp;
use crate::money::Money;

impl Report<'_> {
    /// The verdict on an entry with its evidence, to be stored. `None` past the last row and for
    /// an entry that its payment's ledger states no more.
    #[must_use]
    pub fn entry_decision(&self, row: usize) -> Option<Decision> {
        let at = u32::try_from(row).ok()?;
        let entry = self.table.entry(at).filter(|entry| !entry.is_withdrawn())?;
        let order = self.found.order_of(at);
        let lines = if order == NONE {
            Vec::new()
        } else {
            self.lines(order)
        };
        let place = lines.iter().position(|line| line.entry == at);
        let line = place.and_then(|place| lines.get(place));
        let parent = line.and_then(|line| line.parent);
        let parent = parent.and_then(|parent| lines.get(parent as usize));
        let candidates = self.candidates(at);
        let shown = self.table.order(order);
        let mut compared = match (shown, parent) {
            (Some(kept), Some(parent)) => self.compared_with_parent(entry, kept, parent.entry),
            (Some(kept), None) => self.compared(at, entry, order, kept),
            (None, _) => self.compared_alone(entry),
        };
        if let Some(counted) = self.conflict(at, entry) {
            compared.insert(0, counted);
        }
        let (runner_up, margin_seconds) = self.runner_up(at, entry, order);
        let searched = self.found.considered.get(&at).copied().unwrap_or_default();
        let shown_orders = u32::from(order != NONE).max(candidates.len() as u32);
        Some(Decision {
            entry: Some(self.table.entry_id(at).to_owned()),
            allocations: self.allocations(row),
            verdict: self.entry(at).verdict,
            evidence: Evidence {
                rule: self.found.rule_of(at),
                rules_version: RULES_VERSION,
                compared,
                considered: searched.max(shown_orders),
                runner_up,
                margin_seconds,
                residual: self.entry_residual(entry, order, parent),
                rounding_minor: self.policy.rounding_minor,
                twin: line.and_then(|line| self.twin(order, &lines, line)),
            },
        })
    }

    /// The verdict on an order with its evidence, to be stored. `None` past the last row and for
    /// a row that a higher revision replaces.
    #[must_use]
    pub fn order_decision(&self, row: usize) -> Option<Decision> {
        let at = u32::try_from(row).ok()?;
        let outcome = self.order(at)?;
        let (order, standing) = (self.table.order(at)?, self.standings.get(row)?);
        let lines = self.lines(at);
        let rule_of = |line: &Line| self.found.rule_of(line.entry);
        Some(Decision {
            entry: None,
            allocations: vec![Allocation {
                order: outcome.id.to_owned(),
                amount: Money::new(standing.net(), order.currency),
            }],
            verdict: outcome.verdict,
            evidence: Evidence {
                rule: lines.first().map(rule_of).unwrap_or_default(),
                rules_version: RULES_VERSION,
                compared: vec![amounts(standing, order)],
                considered: lines.len() as u32,
                runner_up: None,
                margin_seconds: None,
                residual: residual(standing, order),
                rounding_minor: self.policy.rounding_minor,
                twin: lines.iter().find_map(|line| self.twin(at, &lines, line)),
            },
        })
    }

    /// Both amounts, where an entry has the name of another that counts and does not agree with it.
    fn conflict(&self, row: u32, entry: &Entry) -> Option<Compared> {
        let counted = self.counted(row)?;
        let is_conflict = matches!(repeated(entry, counted), VerdictKind::Unmatched(_));
        let amount = |entry: &Entry| Money::new(entry.amount, entry.currency).to_string();
        is_conflict.then(|| shown(Field::Amount, &amount(entry), &amount(counted), false))
    }

    /// All decisions on entries, in the order of their rows.
    pub fn entry_decisions(&self) -> impl Iterator<Item = Decision> {
        (0..self.table.entries.len()).filter_map(|row| self.entry_decision(row))
    }

    fn compared(&self, row: u32, entry: &Entry, order: u32, kept: &Order) -> Vec<Compared> {
        let mut compared = Vec::new();
        let id = self.table.order_id(order);
        if let Some(reference) = entry.reference() {
            let agrees =
                self.table.text(entry.key().unwrap_or(reference)) == self.table.text(kept.key());
            compared.push(shown(
                Field::Reference,
                self.table.text(reference),
                id,
                agrees,
            ));
        } else if self.found.rule_of(row) == Rule::Remittance {
            let text = entry.free_text().map_or("", |text| self.table.text(text));
            compared.push(shown(Field::Reference, text, id, true));
        }
        let open = self.candidate(row, order).and_then(|c| c.open_minor);
        let amount = Money::new(entry.amount, entry.currency);
        let owed = open.map_or_else(
            || "unknown".to_owned(),
            |open| Money::new(open, kept.currency).to_string(),
        );
        compared.push(Compared {
            field: Field::Amount,
            agrees: owed == amount.to_string(),
            entry: amount.to_string(),
            order: owed,
        });
        if let (Some(a), Some(b)) = (entry.customer(), kept.customer()) {
            let (a, b) = (self.table.text(a), self.table.text(b));
            compared.push(shown(Field::Customer, a, b, a == b));
        }
        let (at, placed) = (entry.at, kept.placed_at);
        let [at_text, placed_text] = [at, placed].map(|s| Timestamp::from_unix(s).to_string());
        let before = self.policy.window(self.table.rail(entry.rail)).before_s;
        let agrees = at >= placed.saturating_sub(before);
        compared.push(shown(Field::Time, &at_text, &placed_text, agrees));
        compared
    }

    fn compared_with_parent(&self, entry: &Entry, kept: &Order, parent: u32) -> Vec<Compared> {
        let id = self.table.entry_id(parent);
        let named = entry.parent().map_or("", |parent| self.table.text(parent));
        let amount = |amount: i64| Money::new(amount, entry.currency).to_string();
        let paid = self.table.entry(parent).map_or(0, |parent| parent.amount);
        let reference = entry.reference().map_or("", |span| self.table.text(span));
        let order = self.table.text(kept.id());
        let agrees =
            entry.key().map(|key| self.table.bytes(key)) == Some(self.table.bytes(kept.key()));
        vec![
            shown(Field::Parent, named, id, named == id),
            shown(
                Field::Amount,
                &amount(entry.amount),
                &amount(paid),
                entry.amount.unsigned_abs() == paid.unsigned_abs(),
            ),
            shown(Field::Reference, reference, order, agrees),
        ]
    }

    fn compared_alone(&self, entry: &Entry) -> Vec<Compared> {
        let reference = entry.reference().map(|span| self.table.text(span));
        let missing = |text| shown(Field::Reference, text, "", false);
        reference.map(missing).into_iter().collect()
    }

    /// The best order that was not taken, and by how much it was further away.
    fn runner_up(
        &self,
        row: u32,
        entry: &Entry,
        order: u32,
    ) -> (Option<super::Candidate>, Option<i64>) {
        let others = self.found.candidates.get(&row).map(Vec::as_slice);
        let mut others = others.unwrap_or_default().iter().filter(|o| **o != order);
        let best = if order == NONE {
            others.next().copied()
        } else {
            Some(order)
        };
        let next = others.next().copied();
        let apart = |order: u32| {
            let placed = self.table.order(order)?.placed_at;
            Some(entry.at.saturating_sub(placed).saturating_abs())
        };
        let margin = best.and_then(apart).zip(next.and_then(apart));
        (
            next.and_then(|next| self.candidate(row, next)),
            margin.map(|(best, next)| next.saturating_sub(best)),
        )
    }

    fn entry_residual(&self, entry: &Entry, order: u32, parent: Option<&Line>) -> Residual {
        let Some(kept) = self.table.order(order) else {
            return Residual {
                kind: ResidualKind::Unpaid,
                minor: 0,
            };
        };
        let standing = self.standings.get(order as usize);
        let paid = parent.and_then(|parent| self.table.entry(parent.entry));
        match (paid, standing) {
            (Some(paid), _) => {
                let left = paid.amount.saturating_sub(entry.amount.saturating_abs());
                let kind = if left <= 0 {
                    ResidualKind::FullRefund
                } else {
                    ResidualKind::PartialRefund
                };
                Residual { kind, minor: left }
            }
            (_, Some(standing)) => residual(standing, kept),
            (_, None) => Residual {
                kind: ResidualKind::Unpaid,
                minor: 0,
            },
        }
    }

    fn twin(&self, order: u32, lines: &[Line], line: &Line) -> Option<Twin> {
        let first = lines.get(line.twin? as usize)?;
        let (entry, kept) = (self.table.entry(line.entry)?, self.table.order(order)?);
        let net = self.standings.get(order as usize)?.net();
        let exact = kept.total == net.checked_sub(entry.amount);
        Some(Twin {
            entry: self.table.entry_id(first.entry).to_owned(),
            exact_without: exact || line.kind == VerdictKind::DuplicatePayment,
        })
    }
}

fn shown(field: Field, entry: &str, order: &str, agrees: bool) -> Compared {
    Compared {
        field,
        entry: entry.to_owned(),
        order: order.to_owned(),
        agrees,
    }
}

fn amounts(standing: &Standing, order: &Order) -> Compared {
    let money = |minor| Money::new(minor, order.currency).to_string();
    Compared {
        field: Field::Amount,
        entry: money(standing.net()),
        order: order.total.map_or_else(|| "unknown".to_owned(), money),
        agrees: order.total == Some(standing.net()),
    }
}

fn residual(standing: &Standing, order: &Order) -> Residual {
    Residual {
        kind: standing.residual,
        minor: order
            .total
            .map_or(0, |total| standing.net().saturating_sub(total)),
    }
}
