//! An order, its authorization and its captures are one payment, called by the order's id.

use std::time::Duration;

use super::convert::{Reader, id_in_link, money, time, time_or, unexpected};
use super::decline;
use super::wire::{self, Authorization, Capture, Link, Order, RelatedIds, SupplementaryData};
use crate::clock::Timestamp;
use crate::error::{Decline, Result};
use crate::id::Reference;
use crate::mode::Mode;
use crate::money::{Currency, Money};
use crate::payment::{NextAction, Payment, PaymentStatus, ReportedAmount};

/// How long an order that nobody has approved can be approved, since it last changed. PayPal does
/// not say it in an answer; by its pages it is three hours (not checked again for this version),
/// and this is twice that.
const APPROVABLE: Duration = Duration::from_secs(6 * 60 * 60);
/// The status of a capture of which a part went back.
const PARTLY_REFUNDED: &str = "PARTIALLY_REFUNDED";

impl<M: Mode> Reader<'_, M> {
    /// Reads an order with all that was done with it.
    pub(super) fn order(&self, order: &Order) -> Result<Payment<M>> {
        self.check_mode(&order.links)?;
        let [unit] = order.purchase_units.as_slice() else {
            return Err(unexpected(
                "the order has not one purchase unit, as those made here have",
            ));
        };
        let amount = money(&unit.amount)?;
        let currency = amount.currency();
        let sums = Sums::of(order, currency)?;
        let held = held_by(order, self.as_of())?;
        let status = order_status(order, &sums, held.as_ref());

        let mut payment = Payment::new(self.payment_id(&order.id)?, status, amount, self.as_of());
        let authorizations = order.authorizations().map(|hold| hold.id.as_str());
        let captures = order.captures().map(|capture| capture.id.as_str());
        for id in authorizations.chain(captures) {
            payment.aliases.push(self.payment_id(id)?);
        }
        payment.is_checkout = payment.aliases.is_empty();
        payment.reference = reference_of(order);
        // What is not known in full is not counted as the host's.
        if let Some(refunded) = sums.refunded {
            payment.captured = sums.taken;
            payment.refunded = refunded;
            payment.captured_at = sums.first_taken_at;
        } else {
            payment = payment.unreported(ReportedAmount::Refunded);
        }
        payment = payment.unreported(ReportedAmount::Returned);
        payment.fee = sums.fee;
        if let Some(held) = held.filter(|held| held.can_be_captured() && !sums.is_final) {
            payment.capturable = at_least_zero(held.amount.checked_sub(sums.drawn)?);
            payment.capture_before = held.until;
        }
        payment.created_at = time_or(&order.create_time, self.as_of())?;
        if is_open(&payment.status) {
            let changed_at = time_or(&order.update_time, payment.created_at)?;
            let ends_at = changed_at
                .max(payment.created_at)
                .saturating_add(APPROVABLE);
            payment.expires_at = Some(ends_at);
            if ends_at <= self.as_of() {
                payment.status = PaymentStatus::Expired;
            }
        }
        payment.next_action = next_action(order, &payment.status);
        Ok(payment)
    }

    /// Reads a capture alone: how its order stood at that moment, as far as a capture tells.
    pub(super) fn capture(&self, capture: &Capture) -> Result<Payment<M>> {
        self.check_mode(&capture.links)?;
        let amount = money(&capture.amount)?;
        let status = match capture_class(&capture.status) {
            // How much went back its order tells, and the capture does not.
            Class::Taken if capture.status == PARTLY_REFUNDED => {
                PaymentStatus::Unrecognized(PARTLY_REFUNDED.into())
            }
            Class::Taken => PaymentStatus::Captured,
            Class::Pending => PaymentStatus::Pending,
            Class::Refused => PaymentStatus::Failed(refusal_of(capture)),
            Class::Unknown => PaymentStatus::Unrecognized(capture.status.as_str().into()),
        };
        let related = related(&capture.supplementary_data, &capture.links);
        let mut payment = self.part(&capture.id, &related, status, amount)?;
        if payment.status == PaymentStatus::Captured {
            payment.captured = amount;
        }
        // What is still held, and what went back of other captures, only its order tells.
        payment = payment.unreported(ReportedAmount::Capturable);
        if capture.status == "REFUNDED" {
            payment.refunded = amount;
        } else {
            payment = payment.unreported(ReportedAmount::Refunded);
        }
        payment.fee = fee_of(capture)?;
        payment.reference = parse(&capture.custom_id);
        payment.created_at = time_or(&capture.create_time, self.as_of())?;
        Ok(payment)
    }

    /// Reads an authorization alone.
    pub(super) fn authorization(&self, hold: &Authorization) -> Result<Payment<M>> {
        self.check_mode(&hold.links)?;
        let held = Held::read(hold, self.as_of())?;
        let related = related(&hold.supplementary_data, &hold.links);
        let mut payment = self.part(&hold.id, &related, held.status.clone(), held.amount)?;
        // How much of it was captured the authorization does not tell.
        if hold.status == "CREATED" && held.can_be_captured() {
            payment.capturable = held.amount;
            payment.capture_before = held.until;
        } else if held.can_be_captured() {
            payment = payment.unreported(ReportedAmount::Capturable);
            payment.capture_before = held.until;
        }
        payment = payment.unreported(ReportedAmount::Refunded);
        payment.reference = parse(&hold.custom_id);
        payment.created_at = time_or(&hold.create_time, self.as_of())?;
        Ok(payment)
    }

    /// A payment of which only a part is seen: it is called by its order if that is known.
    fn part(
        &self,
        own_id: &str,
        related: &RelatedIds,
        status: PaymentStatus,
        amount: Money,
    ) -> Result<Payment<M>> {
        let own = self.payment_id(own_id)?;
        let mut payment = match &related.order_id {
            Some(order) => {
                let id = self.payment_id(order)?;
                let mut payment = Payment::new(id, status, amount, self.as_of());
                payment.aliases.push(own);
                payment
            }
            None => Payment::new(own, status, amount, self.as_of()),
        };
        if let Some(hold) = &related.authorization_id {
            payment.aliases.push(self.payment_id(hold)?);
        }
        Ok(payment.unreported(ReportedAmount::Returned))
    }
}

/// What the captures and refunds of an order add up to.
struct Sums {
    /// What was taken.
    taken: Money,
    /// What a hold has less to give: taken, and on its way.
    drawn: Money,
    /// Whether a capture has let the rest of its hold go.
    is_final: bool,
    /// `None` if a part went back and no refund is listed that says how much.
    refunded: Option<Money>,
    /// All fees, once all are known.
    fee: Option<Money>,
    first_taken_at: Option<Timestamp>,
}

impl Sums {
    fn of(order: &Order, currency: Currency) -> Result<Self> {
        let zero = Money::zero(currency);
        let (mut taken, mut drawn, mut sent_back) = (zero, zero, zero);
        let mut fees = Some(Vec::new());
        let mut first_taken_at: Option<Timestamp> = None;
        let mut is_final = false;
        for capture in order.captures() {
            let amount = money(&capture.amount)?;
            is_final |= capture.final_capture == Some(true) && !is_refused(capture);
            match capture_class(&capture.status) {
                Class::Refused => continue,
                Class::Pending | Class::Unknown => drawn = drawn.checked_add(amount)?,
                Class::Taken => {
                    taken = taken.checked_add(amount)?;
                    drawn = drawn.checked_add(amount)?;
                    fees = match (fees, fee_of(capture)?) {
                        (Some(mut fees), Some(fee)) => {
                            fees.push(fee);
                            Some(fees)
                        }
                        _ => None,
                    };
                    if let Some(at) = capture.create_time.as_deref().map(time).transpose()? {
                        first_taken_at = Some(first_taken_at.map_or(at, |first| first.min(at)));
                    }
                    if capture.status == "REFUNDED" {
                        sent_back = sent_back.checked_add(amount)?;
                    }
                }
            }
        }
        let mut refunds = order.refunds().peekable();
        let refunded = if refunds.peek().is_some() {
            let standing = refunds.filter(|refund| holds_money(refund));
            let amounts: Result<Vec<_>> = standing.map(|refund| money(&refund.amount)).collect();
            Some(Money::sum(currency, amounts?)?)
        } else {
            let mut captures = order.captures();
            let is_unsaid = captures.any(|capture| capture.status == PARTLY_REFUNDED);
            (!is_unsaid).then_some(sent_back)
        };
        let fees = fees.filter(|fees| !fees.is_empty());
        let fee = match fees.as_deref() {
            Some(fees @ [first, ..]) => Some(Money::sum(first.currency(), fees.iter().copied())?),
            _ => None,
        };
        Ok(Self {
            taken,
            drawn,
            is_final,
            refunded,
            fee,
            first_taken_at,
        })
    }
}

/// Whether a refund's money is, or may be, on its way to the payer.
pub(super) fn holds_money(refund: &wire::Refund) -> bool {
    let status = refund.status.as_deref().unwrap_or_default();
    super::convert::refund_status(status).holds_money()
}

/// An authorization as a hold.
struct Held {
    status: PaymentStatus,
    amount: Money,
    until: Option<Timestamp>,
    is_used_up: bool,
}

impl Held {
    fn read(hold: &Authorization, now: Timestamp) -> Result<Self> {
        let until = hold.expiration_time.as_deref().map(time).transpose()?;
        let has_lapsed = until.is_some_and(|until| until <= now);
        let status = match hold.status.as_str() {
            "CREATED" | "PARTIALLY_CAPTURED" if has_lapsed => PaymentStatus::Expired,
            "CREATED" | "PARTIALLY_CAPTURED" => PaymentStatus::Authorized,
            "PENDING" => PaymentStatus::Pending,
            // The money is with its captures, which say whether it has come.
            "CAPTURED" => PaymentStatus::Pending,
            "DENIED" => {
                let details = hold.status_details.as_ref();
                let bank = hold.processor_response.as_ref();
                PaymentStatus::Failed(decline::of_payment(details, bank))
            }
            "VOIDED" | "EXPIRED" if has_lapsed => PaymentStatus::Expired,
            "EXPIRED" => PaymentStatus::Expired,
            "VOIDED" => PaymentStatus::Canceled,
            other => PaymentStatus::Unrecognized(other.into()),
        };
        Ok(Self {
            status,
            amount: money(&hold.amount)?,
            until,
            is_used_up: hold.status == "CAPTURED",
        })
    }

    fn can_be_captured(&self) -> bool {
        self.status == PaymentStatus::Authorized
    }
}

/// The authorization of an order that counts: the newest that can be captured, or else the newest.
pub(super) fn active_hold(order: &Order) -> Option<&Authorization> {
    let is_open = |hold: &&Authorization| {
        matches!(
            hold.status.as_str(),
            "CREATED" | "PARTIALLY_CAPTURED" | "PENDING"
        )
    };
    let newest = |hold: &&Authorization| hold.create_time.clone();
    let open = order.authorizations().filter(is_open).max_by_key(newest);
    open.or_else(|| order.authorizations().max_by_key(newest))
}

/// Whether a part of what was held was taken, and the rest was let go or has lapsed.
pub(super) fn rest_is_gone<M: Mode>(payment: &Payment<M>, order: &Order) -> bool {
    let is_part = payment.captured.minor() < payment.amount.minor();
    let held = held_by(order, payment.as_of).ok().flatten();
    let is_gone = |held: &Held| {
        matches!(
            held.status,
            PaymentStatus::Canceled | PaymentStatus::Expired
        )
    };
    is_part && held.as_ref().is_some_and(is_gone)
}

fn held_by(order: &Order, now: Timestamp) -> Result<Option<Held>> {
    active_hold(order)
        .map(|hold| Held::read(hold, now))
        .transpose()
}

/// Money that has moved comes first, then money that is held, then the order's own word. An order
/// that is `COMPLETED` can have a capture that is pending or was refused.
fn order_status(order: &Order, sums: &Sums, held: Option<&Held>) -> PaymentStatus {
    if sums.refunded.is_none() {
        return PaymentStatus::Unrecognized(PARTLY_REFUNDED.into());
    }
    if sums.taken.is_positive() {
        return PaymentStatus::Captured;
    }
    for capture in order.captures() {
        match capture_class(&capture.status) {
            Class::Pending => return PaymentStatus::Pending,
            Class::Unknown => {
                return PaymentStatus::Unrecognized(capture.status.as_str().into());
            }
            Class::Taken | Class::Refused => {}
        }
    }
    if let Some(held) = held.filter(|held| !held.is_used_up) {
        return held.status.clone();
    }
    let refused = order.captures().last();
    match (order.status.as_str(), refused) {
        ("APPROVED", Some(refused)) if is_used_up(order, refused) => {
            PaymentStatus::Failed(refusal_of(refused))
        }
        ("APPROVED", _) => PaymentStatus::Approved,
        ("PAYER_ACTION_REQUIRED", _) => PaymentStatus::ActionRequired,
        (_, Some(refused)) => PaymentStatus::Failed(refusal_of(refused)),
        ("CREATED" | "SAVED", None) => PaymentStatus::Created,
        ("VOIDED", None) => PaymentStatus::Canceled,
        // It says that it is done, and not yet how.
        ("COMPLETED", None) => PaymentStatus::Pending,
        (other, None) => PaymentStatus::Unrecognized(other.into()),
    }
}

/// Whether an approval was spent on a capture that was refused: the shopper has not approved the
/// order again since.
fn is_used_up(order: &Order, refused: &Capture) -> bool {
    let at = |text: &Option<String>| text.as_deref().and_then(|text| time(text).ok());
    at(&order.update_time) <= at(&refused.create_time)
}

enum Class {
    Taken,
    Pending,
    Refused,
    Unknown,
}

fn capture_class(status: &str) -> Class {
    match status {
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => Class::Taken,
        "PENDING" => Class::Pending,
        "DECLINED" | "DENIED" | "FAILED" => Class::Refused,
        _ => Class::Unknown,
    }
}

/// Whether PayPal has refused a capture.
pub(super) fn is_refused(capture: &Capture) -> bool {
    matches!(capture_class(&capture.status), Class::Refused)
}

/// Why PayPal has refused a capture.
pub(super) fn refusal_of(capture: &Capture) -> Decline {
    let details = capture.status_details.as_ref();
    decline::of_payment(details, capture.processor_response.as_ref())
}

fn fee_of(capture: &Capture) -> Result<Option<Money>> {
    let breakdown = capture.seller_receivable_breakdown.as_ref();
    let fee = breakdown.and_then(|breakdown| breakdown.paypal_fee.as_ref());
    fee.map(super::amount::from_wire).transpose()
}

/// The order and authorization of a capture, by what PayPal says or by its links.
fn related(data: &Option<SupplementaryData>, links: &[Link]) -> RelatedIds {
    let said = data.as_ref().and_then(|data| data.related_ids.as_ref());
    let linked = |path| id_in_link(links, "up", path).map(str::to_owned);
    RelatedIds {
        order_id: said
            .and_then(|said| said.order_id.clone())
            .or_else(|| linked("/v2/checkout/orders/")),
        authorization_id: said
            .and_then(|said| said.authorization_id.clone())
            .or_else(|| linked("/v2/payments/authorizations/")),
    }
}

/// The reference that was given at creation. One of another making is not ours to read.
fn reference_of(order: &Order) -> Option<Reference> {
    let unit = order.purchase_units.first()?;
    let of_capture = || {
        order
            .captures()
            .find_map(|capture| parse(&capture.custom_id))
    };
    parse(&unit.custom_id).or_else(of_capture)
}

fn parse(custom_id: &Option<String>) -> Option<Reference> {
    custom_id.as_deref()?.parse().ok()
}

/// Where the shopper approves it: PayPal calls the link `payer-action`, or `approve` where no way
/// to pay was named at creation.
fn next_action(order: &Order, status: &PaymentStatus) -> Option<NextAction> {
    if !is_open(status) {
        return None;
    }
    let of = |rel: &str| order.links.iter().find(|link| link.rel == rel);
    let link = of("payer-action").or_else(|| of("approve"))?;
    Some(NextAction::Redirect {
        url: link.href.clone(),
    })
}

/// Whether the shopper can still approve it.
const fn is_open(status: &PaymentStatus) -> bool {
    matches!(
        status,
        PaymentStatus::Created | PaymentStatus::ActionRequired
    )
}

fn at_least_zero(money: Money) -> Money {
    if money.minor() < 0 {
        Money::zero(money.currency())
    } else {
        money
    }
}
