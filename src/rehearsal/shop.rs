//! The shop that is rehearsed: a cashier over one provider, its memory, and the usual steps.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crate::capability::Operation;
use crate::cashier::{Cashier, CommandRecord, MemoryStore, OrderRecord, Standing, Store};
use crate::conformance::rig::{Happening, Rig, Shopper};
use crate::conformance::stage::{Books, Proof, Stage, Stop, ensure};
use crate::error::Result;
use crate::id::{CommandId, OrderId};
use crate::mode::Test;
use crate::money::{Money, PositiveMoney};
use crate::payment::{Payment, PaymentStatus};
use crate::request::{CaptureRequest, CreateRequest, RefundRequest};
use crate::webhook::WebhookRequest;

/// How the shop hears of what happens at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum News {
    /// By webhooks, as a shop does in trade.
    Webhooks,
    /// By asking: each webhook is lost.
    Asking,
}

/// How long a confirmation is leased here.
const LEASE: Duration = Duration::from_secs(60);

/// One shop at the provider, with nothing sold yet.
pub(super) struct Shop<'r> {
    pub(super) stage: Stage<'r>,
    pub(super) cashier: Cashier<Test>,
    pub(super) news: News,
    orders: RefCell<Vec<OrderId>>,
    letters: RefCell<Vec<WebhookRequest>>,
    confirmed: RefCell<Vec<String>>,
}

impl<'r> Shop<'r> {
    pub(super) async fn open(rig: &'r dyn Rig, news: News) -> Proof<Self> {
        Self::open_on(rig, news, Arc::new(MemoryStore::new())).await
    }

    /// Opens the shop on a store that may know something already, as after a restart.
    pub(super) async fn open_on(
        rig: &'r dyn Rig,
        news: News,
        store: Arc<dyn Store>,
    ) -> Proof<Self> {
        let stage = Stage::new(rig)?;
        if news == News::Webhooks && !rig.delivers_webhooks() {
            let why = "no webhook of the provider's reaches this machine";
            return Err(Stop::OutOfReach(why.into()));
        }
        if news == News::Asking {
            stage.needs(Operation::FetchPayment).await?;
        }
        let provider = stage.provider.clone();
        let clock = rig.shop_clock().unwrap_or_else(|| provider.clock());
        let cashier = Cashier::open(provider, store).await?;
        Ok(Self {
            stage,
            cashier: cashier.with_clock(clock),
            news,
            orders: RefCell::default(),
            letters: RefCell::default(),
            confirmed: RefCell::default(),
        })
    }

    /// Places the order `A-1` over so many minor units, and lets the shopper pay on the page or
    /// with a token. Gives what is wished for, and the payment as it was when the shopper left.
    pub(super) async fn sell(
        &self,
        minor: i64,
        shopper: Shopper,
    ) -> Proof<(CreateRequest, Payment<Test>)> {
        self.sell_as("A-1", minor, shopper).await
    }

    pub(super) async fn sell_as(
        &self,
        order: &str,
        minor: i64,
        shopper: Shopper,
    ) -> Proof<(CreateRequest, Payment<Test>)> {
        let request = self.stage.request(order, minor)?;
        let payment = self.sell_request(&request, shopper).await?;
        Ok((request, payment))
    }

    pub(super) async fn sell_request(
        &self,
        request: &CreateRequest,
        shopper: Shopper,
    ) -> Proof<Payment<Test>> {
        self.place(request).await?;
        self.check_out(request, shopper).await
    }

    /// The order `A-1`, of which so many minor units are held.
    pub(super) async fn hold(&self, minor: i64) -> Proof<(CreateRequest, Payment<Test>)> {
        self.stage.needs(Operation::Capture).await?;
        let request = self.stage.request("A-1", minor)?.with_manual_capture();
        self.sell_request(&request, Shopper::Pays).await?;
        self.hear().await?;
        Ok((request, self.payment_of("A-1").await?))
    }

    pub(super) async fn place(&self, request: &CreateRequest) -> Proof {
        self.cashier.place(&request.order, request.amount).await?;
        self.orders.borrow_mut().push(request.order.clone());
        Ok(())
    }

    /// The shopper checks out and pays, or tries to.
    pub(super) async fn check_out(
        &self,
        request: &CreateRequest,
        shopper: Shopper,
    ) -> Proof<Payment<Test>> {
        let mut request = request.clone();
        if !self.stage.hosts() {
            request.checkout = self.stage.token(shopper)?;
        }
        let payment = match self.cashier.check_out(&request).await {
            Ok(payment) => payment,
            Err(error) => match error.payment() {
                Some(id) => self.known(&request.order, &id).await?,
                None => return Err(error.into()),
            },
        };
        let is_asked = self.stage.hosts() || payment.status == PaymentStatus::ActionRequired;
        if is_asked {
            self.stage.act(&payment, shopper)?;
        }
        Ok(payment)
    }

    /// A payment as the order's record has it, once the shop has heard of it.
    async fn known(
        &self,
        order: &OrderId,
        id: &crate::id::PaymentId<Test>,
    ) -> Proof<Payment<Test>> {
        let mut record = self.cashier.order(order).await?;
        if record.payment(id).is_none() {
            self.hear().await?;
            record = self.cashier.order(order).await?;
        }
        let payment = record.payment(id).and_then(|known| known.ledger.payment());
        let refused = || Stop::Failed("a refused payment is not in the order's record".into());
        payment.cloned().ok_or_else(refused)
    }

    /// Where nobody tells of a payment's end, a person says that it is not waited for any more.
    pub(super) async fn release_if_silent(&self, order: &str) -> Proof {
        let last = self.record(order).await?.payments.pop();
        let is_open = last.and_then(|last| last.ledger.payment().cloned());
        let is_open = is_open.is_some_and(|payment| !payment.status.is_final());
        if is_open && !self.stage.supports(Operation::FetchPayment) {
            let order = OrderId::new(order)?;
            self.cashier
                .release_attempt(&order, "the shopper has left")
                .await?;
        }
        Ok(())
    }

    /// Lets the shop hear of what has happened at the provider.
    pub(super) async fn hear(&self) -> Proof {
        let mut webhooks = self.stage.webhooks();
        match self.news {
            // What the shop does about one may bring others.
            News::Webhooks => {
                while !webhooks.is_empty() {
                    self.letters.borrow_mut().extend(webhooks.clone());
                    for webhook in &webhooks {
                        self.receive(webhook).await?;
                    }
                    webhooks = self.stage.webhooks();
                }
            }
            News::Asking => {
                let orders = self.orders.borrow().clone();
                for order in &orders {
                    self.cashier.resume(order).await?;
                }
                self.cashier.sweep().await?;
            }
        }
        Ok(())
    }

    /// Every webhook that was heard, whether it was taken in or not.
    pub(super) fn letters(&self) -> Vec<WebhookRequest> {
        self.letters.borrow().clone()
    }

    /// Receives a webhook that is genuine: it must be acknowledged. Gives the orders that it changed.
    pub(super) async fn receive(&self, webhook: &WebhookRequest) -> Proof<Vec<OrderId>> {
        let received = self.cashier.receive(webhook).await;
        ensure!(
            received.answer == 200,
            "a genuine webhook was answered {}: {:?}",
            received.answer,
            received.error
        );
        Ok(received.orders)
    }

    pub(super) fn hears_webhooks(&self) -> bool {
        self.news == News::Webhooks
    }

    /// Goes on if the shop hears by webhooks: the scenario is about them.
    pub(super) async fn needs_webhooks(&self) -> Proof {
        self.stage.needs(Operation::VerifyWebhook).await?;
        match self.news {
            News::Webhooks => Ok(()),
            News::Asking => Err(Stop::Moot("it is about webhooks".into())),
        }
    }

    pub(super) async fn record(&self, order: &str) -> Proof<OrderRecord<Test>> {
        Ok(self.cashier.order(&OrderId::new(order)?).await?)
    }

    pub(super) async fn payment_of(&self, order: &str) -> Proof<Payment<Test>> {
        let record = self.record(order).await?;
        let mut payments = record.payments.iter().filter_map(|p| p.ledger.payment());
        match (payments.next(), payments.next()) {
            (Some(only), None) => Ok(only.clone()),
            _ => Err(Stop::Failed(format!(
                "{order} has {} payments and not one",
                record.payments.len()
            ))),
        }
    }

    /// Looks again while what is missing may be on its way from the provider.
    async fn until(&self, look: impl AsyncFn() -> Proof) -> Proof {
        for times in 0.. {
            match look().await {
                Err(Stop::Failed(_)) if self.stage.rig.waits(times) => self.hear().await?,
                seen => return seen,
            }
        }
        Ok(())
    }

    /// The order must stand like that.
    pub(super) async fn stands(&self, order: &str, expected: Standing) -> Proof {
        self.until(async || {
            let standing = self.record(order).await?.standing();
            ensure!(
                standing == expected,
                "{order} stands as {standing:?}, and not as {expected:?}"
            );
            Ok(())
        })
        .await
    }

    /// The order `A-1` is paid, and confirmed once.
    pub(super) async fn is_paid(&self) -> Proof {
        self.stands("A-1", Standing::Paid).await?;
        self.confirms("A-1 paid", 1).await
    }

    /// The host must hold this much for the order.
    pub(super) async fn has_received(&self, order: &str, expected: Money) -> Proof {
        self.until(async || {
            let received = self.record(order).await?.received()?;
            ensure!(
                received == expected,
                "the books here say {received}, and not {expected}"
            );
            Ok(())
        })
        .await
    }

    /// The host must hold this much for the order, and the provider's books must agree: captured
    /// less refunded, of all attempts.
    pub(super) async fn books_agree(&self, request: &CreateRequest, minor: i64) -> Proof {
        let expected = Money::new(minor, request.amount.currency());
        self.has_received(request.order.as_str(), expected).await?;
        if !self.stage.rig.keeps_books() {
            return self.answers_agree(request, expected).await;
        }
        let mut there = Money::zero(expected.currency());
        for attempt in &self.record(request.order.as_str()).await?.attempts {
            let request = request.clone().with_attempt(attempt.attempt);
            let reference = self.stage.provider.reference(&request);
            for booked in self.stage.rig.books(&reference) {
                let books = Books::read(&booked)?;
                there = there.checked_add(books.captured)?;
                there = there.checked_sub(books.refunded)?;
            }
        }
        ensure!(
            there == expected,
            "the provider's books say {there}, and not {expected}"
        );
        Ok(())
    }

    /// As [`books_agree`](Self::books_agree), where the provider shows its books to those who ask.
    async fn answers_agree(&self, request: &CreateRequest, expected: Money) -> Proof {
        let provider = &self.stage.provider;
        if !self.stage.supports(Operation::FindPayments) {
            return Ok(());
        }
        let mut there = Money::zero(expected.currency());
        for attempt in &self.record(request.order.as_str()).await?.attempts {
            let request = request.clone().with_attempt(attempt.attempt);
            let reference = provider.reference(&request);
            for payment in provider.find_payments(&reference).await? {
                there = there.checked_add(payment.captured)?;
                there = there.checked_sub(payment.refunded)?;
            }
        }
        ensure!(
            there == expected,
            "the provider answers {there}, and not {expected}"
        );
        Ok(())
    }

    /// All confirmations so far, as their texts. None may come twice.
    pub(super) async fn confirmed(&self) -> Proof<Vec<String>> {
        loop {
            let leased = self.cashier.confirmations(LEASE, 100).await?;
            if leased.is_empty() {
                return Ok(self.confirmed.borrow().clone());
            }
            for confirmation in leased {
                let order = confirmation.order.as_ref().map(ToString::to_string);
                let text = format!("{} {}", order.unwrap_or_default(), confirmation.kind);
                ensure!(
                    !self.confirmed.borrow().contains(&text),
                    "{text} was confirmed twice"
                );
                self.confirmed.borrow_mut().push(text);
                self.cashier.acknowledge(&confirmation).await?;
            }
        }
    }

    /// A confirmation that begins like this must have come so many times.
    pub(super) async fn confirms(&self, beginning: &str, times: usize) -> Proof {
        self.until(async || {
            let all = self.confirmed().await?;
            let found = all.iter().filter(|text| text.starts_with(beginning));
            ensure!(
                found.clone().count() == times,
                "{beginning:?} was confirmed {} times and not {times}: {all:?}",
                found.count()
            );
            Ok(())
        })
        .await
    }

    /// Gives so much of an order's one payment back.
    pub(super) async fn refund(
        &self,
        order: &str,
        minor: i64,
        command: &str,
    ) -> Proof<Result<CommandRecord<Test>>> {
        self.stage.needs(Operation::Refund).await?;
        let payment = self.payment_of(order).await?;
        let amount = PositiveMoney::new(Money::new(minor, payment.amount.currency()))?;
        let request = RefundRequest::new(payment.id, amount, CommandId::new(command)?);
        Ok(self.cashier.refund(&request).await)
    }

    /// Asks to take so much of what an order's one payment holds.
    pub(super) async fn capture_request(
        &self,
        order: &str,
        minor: i64,
        command: &str,
    ) -> Proof<CaptureRequest<Test>> {
        let payment = self.payment_of(order).await?;
        self.stage.capture_request(&payment, minor, command)
    }

    pub(super) fn happen(&self, happening: Happening<'_>) -> Proof {
        self.stage.happen(happening)
    }

    /// An amount in the currency that the stage trades in.
    pub(super) fn money(&self, minor: i64) -> Money {
        self.stage.money(minor)
    }

    /// What every scenario must leave: nothing was confirmed twice, and no secret is in the
    /// records.
    pub(super) async fn close_the_day(&self) -> Proof {
        let orders = self.orders.borrow().clone();
        let mut written = self.confirmed().await?.join(" ");
        for order in orders {
            written.push_str(&format!("{:?}", self.cashier.order(&order).await?));
        }
        for secret in self.stage.rig.secrets() {
            ensure!(!written.contains(&secret), "a secret is in the records");
        }
        Ok(())
    }
}
