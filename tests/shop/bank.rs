//! The provider's own books: what truly happened to the money.

use std::collections::BTreeMap;

use counterfoil::clock::Timestamp;
use counterfoil::error::{Decline, DeclineReason};
use counterfoil::id::{CommandId, OrderId, PaymentId, ProviderName, Reference, RefundId};
use counterfoil::money::{Money, PositiveMoney};
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::refund::{Refund, RefundStatus};
use counterfoil::{Error, ErrorKind, Test};

/// How long a key is remembered: a day.
pub const KEY_RETENTION_SECONDS: i64 = 86_400;
/// How long a checkout can be paid: half an hour.
const CHECKOUT_SECONDS: i64 = 1800;

#[derive(Debug, Default)]
pub struct Bank {
    pub payments: BTreeMap<String, Account>,
    keys: BTreeMap<String, (i64, String)>,
    /// What changed and was not told of yet.
    pub news: Vec<News>,
    count: u32,
}

/// One payment.
#[derive(Debug, Clone)]
pub struct Account {
    pub payment: Payment<Test>,
    pub refunds: Vec<Refund<Test>>,
    manual: bool,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a test's own list")]
pub enum News {
    Payment(Payment<Test>),
    Refund(Refund<Test>),
}

#[derive(Debug, Clone)]
pub enum Write {
    Create {
        reference: Reference,
        amount: PositiveMoney,
        manual: bool,
        direct: bool,
    },
    Capture {
        payment: String,
        amount: Money,
    },
    Void {
        payment: String,
    },
    Refund {
        payment: String,
        amount: Money,
        command: Option<CommandId>,
    },
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a test's own list")]
pub enum Answer {
    Payment(Payment<Test>),
    Refund(Refund<Test>),
}

pub fn name() -> ProviderName {
    ProviderName::new("fake").unwrap()
}

impl Bank {
    /// Does a write, or answers it as before if its key is remembered.
    pub fn write(&mut self, write: Write, key: Option<&str>, now: i64) -> Result<Answer, Error> {
        self.expire(now);
        let oldest = now - KEY_RETENTION_SECONDS;
        self.keys.retain(|_, (at, _)| *at > oldest);
        if let Some((_, made)) = key.and_then(|key| self.keys.get(key)) {
            return self.answer(&made.clone());
        }
        let made = match write {
            Write::Create { .. } => self.create(write, now)?,
            Write::Capture { payment, amount } => {
                let account = self.account(&payment)?;
                if account.payment.status != PaymentStatus::Authorized {
                    return Err(refused("nothing is held"));
                }
                if amount.minor() > account.payment.capturable.minor() {
                    return Err(refused("more than is held"));
                }
                account.payment.status = PaymentStatus::Captured;
                account.payment.captured = amount;
                account.payment.capturable = Money::zero(amount.currency());
                self.changed(&payment, now);
                payment
            }
            Write::Void { payment } => {
                let account = self.account(&payment)?;
                if account.payment.status == PaymentStatus::Captured {
                    return Err(Error::new(ErrorKind::Conflict, "it was captured"));
                }
                if account.payment.status != PaymentStatus::Expired {
                    account.payment.status = PaymentStatus::Canceled;
                    account.payment.capturable = Money::zero(account.payment.amount.currency());
                    self.changed(&payment, now);
                }
                payment
            }
            Write::Refund {
                payment,
                amount,
                command,
            } => self.refund(&payment, amount, command, now)?,
        };
        if let Some(key) = key {
            self.keys.insert(key.to_owned(), (now, made.clone()));
        }
        self.answer(&made)
    }

    fn create(&mut self, write: Write, now: i64) -> Result<String, Error> {
        let Write::Create {
            reference,
            amount,
            manual,
            direct,
        } = write
        else {
            return Err(refused("not a creation"));
        };
        self.count += 1;
        let raw = format!("pay_{}", self.count);
        let id = PaymentId::new(name(), &raw).unwrap();
        let at = Timestamp::from_unix(now);
        let mut payment = Payment::new(id, PaymentStatus::Created, amount.money(), at);
        payment.reference = Some(reference);
        payment.expires_at = Some(Timestamp::from_unix(now + CHECKOUT_SECONDS));
        let url = format!("https://pay.example/{raw}");
        payment.next_action = Some(NextAction::Redirect { url });
        let account = Account {
            payment,
            refunds: Vec::new(),
            manual,
        };
        self.payments.insert(raw.clone(), account);
        self.changed(&raw, now);
        if direct {
            self.shopper_pays(&raw, now);
        }
        Ok(raw)
    }

    fn refund(
        &mut self,
        raw: &str,
        amount: Money,
        command: Option<CommandId>,
        now: i64,
    ) -> Result<String, Error> {
        self.count += 1;
        let id = RefundId::new(name(), &format!("ref_{}", self.count)).unwrap();
        let account = self.account(raw)?;
        let left = account.payment.captured.minor() - account.refunded();
        if amount.minor() > left {
            return Err(refused("more than is left"));
        }
        let of = account.payment.id.clone();
        let at = Timestamp::from_unix(now);
        let mut refund = Refund::new(id, of, RefundStatus::Pending, amount, at);
        refund.command = command;
        let made = format!("{raw}/{}", refund.id.raw());
        account.refunds.push(refund.clone());
        self.news.push(News::Refund(refund));
        self.changed(raw, now);
        Ok(made)
    }

    /// Pays an open checkout.
    pub fn shopper_pays(&mut self, raw: &str, now: i64) -> bool {
        self.expire(now);
        let Some(account) = self.payments.get_mut(raw) else {
            return false;
        };
        let payment = &mut account.payment;
        if !matches!(
            payment.status,
            PaymentStatus::Created | PaymentStatus::Failed(_)
        ) {
            return false;
        }
        if account.manual {
            payment.status = PaymentStatus::Authorized;
            payment.capturable = payment.amount;
        } else {
            payment.status = PaymentStatus::Captured;
            payment.captured = payment.amount;
        }
        self.changed(raw, now);
        true
    }

    /// Tries to pay an open checkout with a card that is refused.
    pub fn shopper_is_declined(&mut self, raw: &str, now: i64) {
        self.expire(now);
        if let Some(account) = self.payments.get_mut(raw)
            && account.payment.status == PaymentStatus::Created
        {
            let decline = Decline::new(DeclineReason::InsufficientFunds);
            account.payment.status = PaymentStatus::Failed(decline);
            self.changed(raw, now);
        }
    }

    /// Brings a pending refund to its end, or lets a done one fail.
    pub fn end_refund(&mut self, raw: &str, place: usize, status: RefundStatus, now: i64) {
        let Some(account) = self.payments.get_mut(raw) else {
            return;
        };
        if let Some(refund) = account.refunds.get_mut(place) {
            refund.status = status;
            refund.as_of = Timestamp::from_unix(now);
            self.news.push(News::Refund(refund.clone()));
        }
        self.changed(raw, now);
    }

    /// Ends checkouts whose time is over.
    pub fn expire(&mut self, now: i64) {
        for account in self.payments.values_mut() {
            let payment = &mut account.payment;
            let is_open = matches!(
                payment.status,
                PaymentStatus::Created | PaymentStatus::Failed(_)
            );
            if is_open && payment.expires_at.is_some_and(|end| end.unix() <= now) {
                // The provider says nothing: only who asks will know.
                payment.status = PaymentStatus::Expired;
                payment.as_of = Timestamp::from_unix(now);
            }
        }
    }

    pub fn of_order<'a>(&'a self, order: &'a OrderId) -> impl Iterator<Item = &'a Account> {
        self.payments.values().filter(move |account| {
            let reference = account.payment.reference.as_ref();
            reference.is_some_and(|reference| reference.order == *order)
        })
    }

    fn account(&mut self, raw: &str) -> Result<&mut Account, Error> {
        let account = self.payments.get_mut(raw);
        account.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such payment"))
    }

    fn changed(&mut self, raw: &str, now: i64) {
        if let Some(account) = self.payments.get_mut(raw) {
            let currency = account.payment.amount.currency();
            account.payment.refunded = Money::new(account.refunded(), currency);
            account.payment.as_of = Timestamp::from_unix(now);
            if account.payment.status != PaymentStatus::Created {
                account.payment.next_action = None;
            }
            self.news.push(News::Payment(account.payment.clone()));
        }
    }

    fn answer(&self, made: &str) -> Result<Answer, Error> {
        let (raw, refund) = made
            .split_once('/')
            .map_or((made, None), |(raw, id)| (raw, Some(id)));
        let account = &self.payments[raw];
        Ok(match refund {
            Some(id) => {
                let refund = account.refunds.iter().find(|refund| refund.id.raw() == id);
                Answer::Refund(refund.unwrap().clone())
            }
            None => Answer::Payment(account.payment.clone()),
        })
    }
}

impl Account {
    /// What went back or is on its way back, in minor units.
    pub fn refunded(&self) -> i64 {
        let held = self.refunds.iter().filter(|r| r.status.holds_money());
        held.map(|refund| refund.amount.minor()).sum()
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest, why)
}
