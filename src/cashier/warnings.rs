//! Warnings about a payment before money is asked back, as something to review on its order.

use super::concerns::Watch;
use super::records::OrderRecord;
use crate::clock::Timestamp;
use crate::mode::Mode;
use crate::warning::{Warning, WarningKind};

impl<M: Mode> OrderRecord<M> {
    /// The warnings about payments of this order, by the provider's names for them.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning<M>> {
        self.warnings.values()
    }

    pub(super) fn fold_warning(&mut self, warning: Warning<M>, evidence: &str, now: Timestamp) {
        let name = format!("{}:{}", warning.payment.provider(), warning.id);
        let known = self.warnings.remove(&name);
        let before = known.as_ref().map(|known| known.is_open);
        let joined = match known {
            Some(known) => known.join(warning),
            None => warning,
        };
        if before != Some(joined.is_open) {
            let stands = if joined.is_open { "open" } else { "over" };
            let kind = match joined.kind {
                WarningKind::Fraud => "warning of fraud",
                WarningKind::Review => "review",
            };
            let what = format!("{kind} {} of {}: {stands}", joined.id, joined.payment);
            self.note(now, what, Some(evidence));
        }
        self.warnings.insert(name, joined);
    }

    /// A warning is raised until the provider says that it is over, or nothing is left that could
    /// be refunded; a dispute takes its place.
    pub(super) fn watch_warnings(&self, watch: &mut Watch<'_>) {
        for warning in self.warnings.values().filter(|warning| warning.is_open) {
            let (id, payment) = (&warning.id, &warning.payment);
            let known = self.payment(payment);
            let captured = known.and_then(|known| known.ledger.payment());
            let is_taken = captured.is_some_and(|payment| payment.captured.is_positive());
            let left = known.and_then(|known| known.ledger.refundable().ok());
            let is_gone = is_taken && left.is_some_and(|left| left.is_zero());
            let is_disputed = known.is_some_and(|known| known.ledger.disputes().next().is_some());
            let reason = warning.reason.as_deref().map(|code| format!(" ({code})"));
            let reason = reason.unwrap_or_default();
            match warning.kind {
                WarningKind::Fraud if is_gone || is_disputed => {}
                WarningKind::Fraud => {
                    let text = format!(
                        "the issuer of the card reports {payment} as fraud{reason}: refund it \
                         before it becomes a dispute, and do not deliver"
                    );
                    watch.add(format!("fraud_warning:{id}"), text);
                }
                WarningKind::Review => {
                    let text = format!(
                        "the provider has {payment} under review{reason}: approve or refund it \
                         in the dashboard before you deliver"
                    );
                    watch.add(format!("payment_review:{id}"), text);
                }
            }
        }
    }
}
