//! From what PayPal sends to values of a mode.

use std::marker::PhantomData;

use super::amount::from_wire;
use super::wire::{self, Amount, Link};
use crate::clock::Timestamp;
use crate::dispute::{Dispute, DisputeStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CommandId, DisputeId, IdError, PaymentId, PayoutId, ProviderName, RefundId};
use crate::mode::{Mode, ModeKind};
use crate::money::Money;
use crate::payout::{Payout, PayoutStatus};
use crate::refund::{Refund, RefundStatus};

/// What the `custom_id` of a refund begins with that was asked for here.
const COMMAND_PREFIX: &str = "cf.";
/// The most characters of a `custom_id`.
const CUSTOM_ID_LONGEST: usize = 127;

/// Reads what PayPal sent as values of mode `M`, as things stood at `as_of`.
///
/// Payments are read in [`payment`](super::payment). Its errors say what is wrong with the answer;
/// whether the request took effect is for the caller to add.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'p, M: Mode> {
    provider: &'p ProviderName,
    as_of: Timestamp,
    mode: PhantomData<M>,
}

impl<'p, M: Mode> Reader<'p, M> {
    pub(super) fn new(provider: &'p ProviderName, as_of: Timestamp) -> Self {
        Self {
            provider,
            as_of,
            mode: PhantomData,
        }
    }

    pub(super) fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Refuses what links to the other mode. PayPal says the mode of a thing nowhere else.
    pub(super) fn check_mode(&self, links: &[Link]) -> Result<()> {
        match mode_of_links(links) {
            Some(found) if found != M::KIND => {
                let expected = M::KIND;
                let message =
                    format!("PayPal answered in {found} mode to credentials of {expected} mode");
                Err(Error::new(ErrorKind::WrongMode, message))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn refund(&self, refund: &wire::Refund) -> Result<Refund<M>> {
        self.check_mode(&refund.links)?;
        let id = RefundId::new(self.provider.clone(), &refund.id).map_err(bad_id)?;
        let capture = capture_of(&refund.links)
            .ok_or_else(|| unexpected("PayPal's refund does not link to its capture"))?;
        let status = refund_status(refund.status.as_deref().unwrap_or_default());
        let amount = money(&refund.amount)?;
        let mut read = Refund::new(id, self.payment_id(capture)?, status, amount, self.as_of);
        read.command = refund.custom_id.as_deref().and_then(command_of);
        read.created_at = time_or(&refund.create_time, self.as_of)?;
        Ok(read)
    }

    pub(super) fn dispute(&self, dispute: &wire::Dispute) -> Result<Dispute<M>> {
        self.check_mode(&dispute.links)?;
        let id = DisputeId::new(self.provider.clone(), &dispute.dispute_id).map_err(bad_id)?;
        let transactions = dispute.disputed_transactions.iter();
        let payment = transactions
            .filter_map(|transaction| transaction.seller_transaction_id.as_deref())
            .next()
            .ok_or_else(|| missing("seller_transaction_id"))?;
        let status = dispute_status(dispute);
        let disputed = money(&dispute.dispute_amount)?;
        let amount = match status {
            DisputeStatus::Lost => taken_for(dispute, disputed)?,
            _ => disputed,
        };
        let payment = self.payment_id(payment)?;
        let mut read = Dispute::new(id, payment, status, amount, self.as_of);
        read.reason = dispute.reason.as_deref().map(Into::into);
        read.respond_by = dispute
            .seller_response_due_date
            .as_deref()
            .map(time)
            .transpose()?;
        read.created_at = time_or(&dispute.create_time, self.as_of)?;
        Ok(read)
    }

    /// A transfer to the host's bank, from its row in the transaction search.
    pub(super) fn payout(&self, row: &wire::Transaction) -> Result<Payout<M>> {
        let id = row.transaction_id.as_deref();
        let id = id.ok_or_else(|| missing("transaction_id"))?;
        let id = PayoutId::new(self.provider.clone(), id).map_err(bad_id)?;
        let left = money(&row.transaction_amount)?;
        // What leaves the balance arrives at the bank.
        let amount = left
            .checked_neg()
            .map_err(|error| unexpected(error.to_string()))?;
        let status = payout_status(row.transaction_status.as_deref().unwrap_or_default());
        let made_at = time_or(&row.transaction_initiation_date, self.as_of)?;
        Ok(Payout::new(id, status, amount, made_at))
    }

    pub(super) fn payment_id(&self, raw: &str) -> Result<PaymentId<M>> {
        PaymentId::new(self.provider.clone(), raw).map_err(bad_id)
    }
}

/// The mode of the hosts that links lead to, where they are PayPal's.
pub(super) fn mode_of_links(links: &[Link]) -> Option<ModeKind> {
    links.iter().find_map(|link| {
        let uri: http::Uri = link.href.parse().ok()?;
        mode_of_host(uri.host()?)
    })
}

/// The mode of a host of PayPal's.
pub(super) fn mode_of_host(host: &str) -> Option<ModeKind> {
    match host {
        "api.sandbox.paypal.com" | "api-m.sandbox.paypal.com" | "www.sandbox.paypal.com" => {
            Some(ModeKind::Test)
        }
        "api.paypal.com" | "api-m.paypal.com" | "www.paypal.com" => Some(ModeKind::Live),
        _ => None,
    }
}

/// The capture that a refund links up to.
pub(super) fn capture_of(links: &[Link]) -> Option<&str> {
    id_in_link(links, "up", "/v2/payments/captures/")
}

/// The id at the end of the link `rel`, if its path is this one.
pub(super) fn id_in_link<'l>(links: &'l [Link], rel: &str, path: &str) -> Option<&'l str> {
    let mut links = links.iter().filter(|link| link.rel == rel);
    links.find_map(|link| {
        let (_, id) = link.href.split_once(path)?;
        (!id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(id)
    })
}

/// The `custom_id` of a refund: the command that asked for it, in the characters that PayPal keeps.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] if the command is too long for that.
pub(super) fn mark_of(command: &CommandId) -> Result<String> {
    let mut mark = COMMAND_PREFIX.to_owned();
    for byte in command.as_str().bytes() {
        match byte {
            b'-' | b'.' | b',' => mark.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => mark.push(char::from(byte)),
            _ => mark.push_str(&format!("_{byte:02x}")),
        }
    }
    if mark.len() <= CUSTOM_ID_LONGEST {
        return Ok(mark);
    }
    let message = "PayPal keeps 127 characters, and the command is longer when it is written with \
                   letters, digits, hyphens, dots and commas only: take a shorter name";
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// The command that [`mark_of`] wrote. What was refunded elsewhere has none.
fn command_of(custom_id: &str) -> Option<CommandId> {
    let mut rest = custom_id.strip_prefix(COMMAND_PREFIX)?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_at_checked(1) {
        rest = match first {
            "_" => {
                let (code, after) = after.split_at_checked(2)?;
                bytes.push(u8::from_str_radix(code, 16).ok()?);
                after
            }
            _ => {
                bytes.extend_from_slice(first.as_bytes());
                after
            }
        };
    }
    let command = String::from_utf8(bytes).ok()?;
    CommandId::new(&command).ok()
}

pub(super) fn money(amount: &Option<Amount>) -> Result<Money> {
    from_wire(amount.as_ref().ok_or_else(|| missing("amount"))?)
}

/// A time as RFC 3339 has it.
pub(super) fn time(text: &str) -> Result<Timestamp> {
    let instant: std::result::Result<jiff::Timestamp, _> = text.parse();
    let instant = instant.map_err(|_| unexpected("PayPal's answer has a time that is none"))?;
    Ok(Timestamp::from_unix(instant.as_second()))
}

pub(super) fn time_or(text: &Option<String>, otherwise: Timestamp) -> Result<Timestamp> {
    text.as_deref().map_or(Ok(otherwise), time)
}

pub(super) fn missing(field: &'static str) -> Error {
    unexpected(format!("PayPal's answer has no {field}"))
}

pub(super) fn unexpected(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::UnexpectedResponse, message)
}

fn bad_id(error: IdError) -> Error {
    unexpected(error.to_string())
}

pub(super) fn refund_status(status: &str) -> RefundStatus {
    match status {
        "PENDING" => RefundStatus::Pending,
        "COMPLETED" => RefundStatus::Succeeded,
        "FAILED" => RefundStatus::Failed,
        "CANCELLED" => RefundStatus::Canceled,
        other => RefundStatus::Unrecognized(other.into()),
    }
}

/// An inquiry is between payer and merchant, and PayPal has not taken the money. Whether it holds
/// the money meanwhile was not checked again for this version.
fn dispute_status(dispute: &wire::Dispute) -> DisputeStatus {
    let status = dispute.status.as_deref().unwrap_or_default();
    let is_inquiry = dispute.dispute_life_cycle_stage.as_deref() == Some("INQUIRY");
    match status {
        "OPEN" | "WAITING_FOR_SELLER_RESPONSE" | "WAITING_FOR_BUYER_RESPONSE" | "UNDER_REVIEW"
            if is_inquiry =>
        {
            DisputeStatus::Inquiry
        }
        "OPEN" | "WAITING_FOR_SELLER_RESPONSE" => DisputeStatus::NeedsResponse,
        "WAITING_FOR_BUYER_RESPONSE" | "UNDER_REVIEW" => DisputeStatus::UnderReview,
        "RESOLVED" => {
            let outcome = dispute.dispute_outcome.as_ref();
            match outcome.and_then(|outcome| outcome.outcome_code.as_deref()) {
                Some("RESOLVED_BUYER_FAVOUR" | "ACCEPTED") => DisputeStatus::Lost,
                Some("RESOLVED_SELLER_FAVOUR" | "RESOLVED_WITH_PAYOUT" | "DENIED") => {
                    DisputeStatus::Won
                }
                Some("CANCELED_BY_BUYER") => DisputeStatus::Closed,
                other => {
                    let text = format!("RESOLVED {}", other.unwrap_or_default());
                    DisputeStatus::Unrecognized(text.trim_end().into())
                }
            }
        }
        other => DisputeStatus::Unrecognized(other.into()),
    }
}

/// What a lost dispute has cost, which can be less than was disputed: what was taken from the seller
/// to settle it, or else what the payer was given. Fees are no part of it. In another currency than
/// the disputed amount neither says how much of that is gone, and then all of it counts.
///
/// Source: the description of disputes, `money_movements` and `dispute_outcome.amount_refunded`. That
/// every lost dispute has one of them is not verified.
fn taken_for(dispute: &wire::Dispute, disputed: Money) -> Result<Money> {
    let currency = disputed.currency();
    let mut settled = None;
    for movement in &dispute.money_movements {
        let is_settlement = movement.affected_party.as_deref() == Some("SELLER")
            && movement.reason.as_deref() == Some("DISPUTE_SETTLEMENT");
        if !is_settlement {
            continue;
        }
        let amount = money(&movement.amount)?;
        if amount.currency() != currency {
            return Ok(disputed);
        }
        let before = settled.unwrap_or(Money::zero(currency));
        settled = Some(match movement.direction.as_deref() {
            Some("DEBIT") => before.checked_add(amount)?,
            Some("CREDIT") => before.checked_sub(amount)?,
            _ => return Ok(disputed),
        });
    }
    let outcome = dispute.dispute_outcome.as_ref();
    let given = match outcome.and_then(|outcome| outcome.amount_refunded.as_ref()) {
        Some(given) => Some(from_wire(given)?),
        None => None,
    };
    let taken = settled
        .or(given)
        .filter(|taken| taken.currency() == currency);
    Ok(taken.filter(|taken| taken.minor() >= 0).unwrap_or(disputed))
}

/// Source: the transaction search's description of `transaction_status`.
fn payout_status(status: &str) -> PayoutStatus {
    match status {
        "P" => PayoutStatus::InTransit,
        "S" => PayoutStatus::Paid,
        "V" => PayoutStatus::Failed,
        "D" => PayoutStatus::Canceled,
        other => PayoutStatus::Unrecognized(other.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_the_characters_that_paypal_keeps() {
        for name in [
            "goodwill",
            "refund:A-1/7",
            "a_b",
            "été 7",
            "100 %",
            "x,y.z-1",
        ] {
            let command = CommandId::new(name).unwrap();
            let mark = mark_of(&command).unwrap();
            let kept = |b: u8| b.is_ascii_alphanumeric() || b"-_.,".contains(&b);
            assert!(mark.bytes().all(kept), "{mark}");
            assert_eq!(command_of(&mark), Some(command), "{mark}");
        }
        let longest = CommandId::new(&"x".repeat(64)).unwrap();
        assert!(mark_of(&longest).is_ok());
        let widest = CommandId::new(&"é".repeat(64)).unwrap();
        assert_eq!(
            mark_of(&widest).unwrap_err().kind(),
            &ErrorKind::InvalidRequest
        );
    }

    #[test]
    fn what_was_not_marked_here_is_no_command() {
        for custom_id in [
            "",
            "shop:A-1:1",
            "cf.",
            "cf._",
            "cf._zz",
            "cf._ff",
            "CF.x",
            "cf.é",
        ] {
            let command = command_of(custom_id);
            assert!(command.is_none() || custom_id == "cf.é", "{custom_id}");
        }
    }

    #[test]
    fn times_are_read_as_paypal_writes_them() {
        for text in [
            "2018-12-11T10:20:00Z",
            "2018-12-11T10:20:00.500Z",
            "2018-12-11T02:20:00-08:00",
            "2018-12-11T02:20:00-0800",
        ] {
            assert_eq!(time(text).unwrap().unix(), 1_544_523_600, "{text}");
        }
        for text in ["", "2018-12-11", "soon", "2018-13-11T10:20:00Z"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_is_taken_from_a_link_of_that_kind_only() {
        let link = |rel: &str, href: &str| Link {
            href: href.to_owned(),
            rel: rel.to_owned(),
        };
        let up = "https://api.sandbox.paypal.com/v2/payments/captures/1AB";
        assert_eq!(capture_of(&[link("self", up), link("up", up)]), Some("1AB"));
        for href in [
            "https://api.sandbox.paypal.com/v2/checkout/orders/1AB",
            "https://api.sandbox.paypal.com/v2/payments/captures/",
            "https://api.sandbox.paypal.com/v2/payments/captures/../x",
            "",
        ] {
            assert_eq!(capture_of(&[link("up", href)]), None, "{href}");
        }
    }
}
