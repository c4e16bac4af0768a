//! Payouts and their lines, from the settlement details report.
//!
//! Adyen lists no payouts. When a batch is paid out, the notice `REPORT_AVAILABLE` says where the
//! report is; fetch it with the credentials of a report user, and send those to Adyen's own hosts
//! alone, since the address in the notice is not signed.
//!
//! Source: <https://docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report>.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::Adyen;
use super::convert::{reference_of, unexpected};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{DisputeId, IdError, PayoutId, RefundId};
use crate::matching::readers::ReadOptions;
use crate::matching::readers::adyen::{JournalType, SettlementRow, rows};
use crate::mode::{Mode, ModeKind};
use crate::money::Money;
use crate::payout::{Payout, PayoutLine, PayoutLineKind, PayoutLineSource, PayoutStatus};

/// One batch of a settlement details report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settlement<M: Mode> {
    /// What is paid out; its lines are complete where they sum to it.
    pub payout: Payout<M>,
    /// Every row of the batch but the payout itself.
    pub lines: Vec<PayoutLine<M>>,
}

impl<M: Mode> Adyen<M> {
    /// Reads a settlement details report of this merchant account, by the names in its header.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedResponse`] if it is another file, or has a row that is not sound.
    pub fn settlements(&self, report: impl BufRead) -> Result<Vec<Settlement<M>>> {
        let read = rows(report, &ReadOptions::default().with_strict(true));
        let read = read.map_err(|error| unexpected(error.to_string()))?;
        let mut batches: BTreeMap<(u64, String), Vec<SettlementRow>> = BTreeMap::new();
        for row in read.rows {
            let number = row.batch.parse().unwrap_or(u64::MAX);
            batches
                .entry((number, row.batch.clone()))
                .or_default()
                .push(row);
        }
        let batches = batches.into_iter();
        batches
            .map(|((_, batch), rows)| self.settlement(&batch, &rows))
            .collect()
    }

    fn settlement(&self, batch: &str, rows: &[SettlementRow]) -> Result<Settlement<M>> {
        let Some(first) = rows.first() else {
            return Err(unexpected("a batch of the report has no rows"));
        };
        let raw = format!("batch-{batch}");
        let id = PayoutId::new(self.name.clone(), &raw).map_err(bad_id)?;
        let (paid_out, booked): (Vec<_>, Vec<_>) = rows
            .iter()
            .partition(|row| JournalType::of(&row.kind) == JournalType::Payout);
        let lines: Vec<_> = booked
            .into_iter()
            .map(|row| self.line(batch, row))
            .collect::<Result<_>>()?;
        let sum = Money::sum(first.currency, lines.iter().map(|line| line.net))?;
        let (status, amount, at) = match paid_out.as_slice() {
            [payout] => {
                let amount = Money::new(payout.net, payout.currency).checked_neg()?;
                (PayoutStatus::InTransit, amount, payout.booked_at)
            }
            [] => (PayoutStatus::Pending, sum, first.booked_at),
            _ => {
                return Err(unexpected(
                    "a batch of the report is paid out more than once",
                ));
            }
        };
        let mut payout = Payout::new(id, status, amount, at);
        payout.lines_complete = sum == amount;
        Ok(Settlement { payout, lines })
    }

    fn line(&self, batch: &str, row: &SettlementRow) -> Result<PayoutLine<M>> {
        let net = Money::new(row.net, row.currency);
        let fee = Money::new(row.fee, row.currency);
        let gross = net.checked_add(fee)?;
        // Rows such as fees have no reference: only their place tells them apart.
        let name = row.modification.as_ref().or(row.psp_reference.as_ref());
        let id = match name {
            Some(name) => format!("{name}/{}", row.kind),
            None => format!("batch {batch}/{}/line {}", row.kind, row.line),
        };
        let kind = line_kind(&row.kind);
        let source = self.source(&kind, row)?;
        let mut line = PayoutLine::new(&id, kind, gross, fee, source, row.booked_at)?;
        line.reference = row
            .reference
            .as_deref()
            .and_then(reference_of)
            .map(|(of, _)| of);
        Ok(line)
    }

    fn source(&self, kind: &PayoutLineKind, row: &SettlementRow) -> Result<PayoutLineSource<M>> {
        let payment = row.psp_reference.as_deref().map(|raw| self.payment_id(raw));
        let payment = payment.transpose()?;
        let name = || self.name.clone();
        Ok(match (kind, payment, row.modification.as_deref()) {
            (PayoutLineKind::Payment | PayoutLineKind::PaymentReversal, Some(payment), _) => {
                PayoutLineSource::Payment(payment)
            }
            (PayoutLineKind::Refund | PayoutLineKind::RefundFailure, of, Some(own)) => {
                PayoutLineSource::Refund(RefundId::new(name(), own).map_err(bad_id)?, of)
            }
            (PayoutLineKind::Dispute | PayoutLineKind::DisputeReversal, of, Some(own)) => {
                PayoutLineSource::Dispute(DisputeId::new(name(), own).map_err(bad_id)?, of)
            }
            _ => PayoutLineSource::None,
        })
    }

    /// Whether the address of a report is Adyen's own, in this mode: only there may the credentials
    /// of a report user go.
    ///
    /// # Errors
    /// [`ErrorKind::NotAuthentic`] if it is not.
    pub fn check_report_url(&self, url: &str) -> Result<()> {
        let host = match M::KIND {
            ModeKind::Test => "ca-test.adyen.com",
            ModeKind::Live => "ca-live.adyen.com",
        };
        let parsed: Option<http::Uri> = url.parse().ok();
        // The whole authority, so that neither a user nor a port stands beside the host.
        let is_adyens = parsed.is_some_and(|url| {
            let authority = url.authority().map(http::uri::Authority::as_str);
            url.scheme_str() == Some("https") && authority == Some(host)
        });
        if is_adyens {
            return Ok(());
        }
        let message = format!("the report is not at https://{host}: send no credentials there");
        Err(Error::new(ErrorKind::NotAuthentic, message))
    }
}

fn line_kind(kind: &str) -> PayoutLineKind {
    match JournalType::of(kind) {
        JournalType::Settled => PayoutLineKind::Payment,
        JournalType::SettledReversed => PayoutLineKind::PaymentReversal,
        JournalType::Refunded => PayoutLineKind::Refund,
        JournalType::RefundedReversed => PayoutLineKind::RefundFailure,
        JournalType::Chargeback => PayoutLineKind::Dispute,
        JournalType::ChargebackReversed => PayoutLineKind::DisputeReversal,
        JournalType::Fee => PayoutLineKind::Fee,
        JournalType::Reserve => PayoutLineKind::Reserve,
        JournalType::PayoutReturned => PayoutLineKind::ReturnedPayout,
        _ if kind == "ManualCorrected" => PayoutLineKind::Adjustment,
        _ => PayoutLineKind::Other(kind.into()),
    }
}

fn bad_id(error: IdError) -> Error {
    unexpected(error.to_string())
}
