//! Orders are paid, confirmed once and partly refunded, offline, through Stripe's wire.
//!
//!     cargo run --example quickstart
//!
//! Stripe is simulated in this process; the provider that speaks to it is the one that you would
//! use, and so is everything else.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use counterfoil::cashier::{Cashier, ConfirmationKind, MemoryStore, Standing};
use counterfoil::clock::Timestamp;
use counterfoil::http::ManualTimer;
use counterfoil::id::{CommandId, Namespace, OrderId};
use counterfoil::money::PositiveMoney;
use counterfoil::payment::{NextAction, Payment};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest, RefundRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use counterfoil::webhook::WebhookRequest;
use counterfoil::{Live, Provider, Test};

const WEBHOOK_SECRET: &str = "whsec_of_the_quickstart";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut shop = Shop::open().await?;

    println!("\nAn order is placed, paid and confirmed");
    let paid = shop.sell("A-1001", "19.99 EUR", "pm_card_visa").await?;
    let webhooks = shop.stripe.webhooks();
    shop.receive(&webhooks).await?;

    println!("\nThe same webhooks come again");
    shop.receive(&webhooks).await?;

    println!("\nAnother order is declined");
    let card = "pm_card_visa_chargeDeclinedInsufficientFunds";
    shop.sell("A-1002", "45.00 EUR", card).await?;
    shop.receive(&shop.stripe.webhooks()).await?;

    println!("\nThe webhooks of a third are lost: Stripe is asked");
    shop.sell("A-1003", "8.50 EUR", "pm_card_visa").await?;
    drop(shop.stripe.webhooks());
    shop.wait(Duration::from_secs(3600));
    shop.sweep().await?;

    println!("\nFive euros of the first are given back, by somebody who clicks twice");
    shop.refund(&paid, "5.00 EUR", "return-17").await?;
    shop.refund(&paid, "5.00 EUR", "return-17").await?;
    let webhooks = shop.stripe.webhooks();
    shop.receive(&webhooks).await?;

    println!("\nA test event reaches a live endpoint");
    let last = webhooks.last().ok_or("no webhook was sent")?;
    shop.deliver_to_live(last).await?;

    println!("\nWhat the books say");
    let standings = shop.print_books(&["A-1001", "A-1002", "A-1003"]).await?;
    let left = "14.99 EUR".parse()?;
    let expected = [
        Standing::Reversed { left },
        Standing::Unpaid,
        Standing::Paid,
    ];
    if standings != expected || shop.fulfilled != ["A-1001", "A-1003"] {
        return Err("the books are wrong: please report it".into());
    }
    println!("\nDone: two orders paid and confirmed once each, one declined, one refund.");
    Ok(())
}

/// A shop with its provider and its books.
struct Shop {
    simulator: Arc<Mutex<StripeSimulator>>,
    stripe: Arc<SimulatorTransport<StripeSimulator>>,
    cashier: Cashier<Test>,
    fulfilled: Vec<String>,
}

impl Shop {
    async fn open() -> Result<Self, Box<dyn Error>> {
        let mut simulator = StripeSimulator::new(2026, Timestamp::from_unix(1_795_000_000));
        simulator.set_base_url("https://checkout.example");
        simulator.add_webhook_endpoint("https://shop.example/webhooks", WEBHOOK_SECRET, &["*"]);
        let simulator = Arc::new(Mutex::new(simulator));
        let stripe = Arc::new(SimulatorTransport::new(Arc::clone(&simulator)));
        let config = StripeConfig::<Test>::new("sk_test_of_the_quickstart", WEBHOOK_SECRET)?
            .with_transport(stripe.clone())
            .with_timer(Arc::new(ManualTimer::new()))
            .with_clock(stripe.clone());
        let provider = Stripe::new(config)?.into_provider(Namespace::new("quickstart")?);
        // A real shop gives it an `SqliteStore` or a `PostgresStore`.
        let cashier = Cashier::open(provider, Arc::new(MemoryStore::new())).await?;
        println!("A simulated Stripe is up, and a shop in test mode");
        Ok(Self {
            cashier: cashier.with_clock(stripe.clone()),
            simulator,
            stripe,
            fulfilled: Vec::new(),
        })
    }

    /// Places an order, sends the shopper to the provider's page, and plays the shopper there.
    async fn sell(
        &self,
        id: &str,
        total: &str,
        card: &str,
    ) -> Result<Payment<Test>, Box<dyn Error>> {
        let order = OrderId::new(id)?;
        let total = PositiveMoney::new(total.parse()?)?;
        self.cashier.place(&order, total).await?;
        println!("  order {order} over {total}");
        let page = Checkout::hosted("https://shop.example/thanks", "https://shop.example/cart");
        let request = CreateRequest::new(order, total, page);
        let payment = self.cashier.check_out(&request).await?;
        if let Some(NextAction::Redirect { url }) = &payment.next_action {
            println!("  the shopper is sent to {url}");
        }
        let outcome = self.lock().shopper().pay(payment.id.raw(), card)?;
        println!("  the shopper pays with {card}: {outcome:?}");
        Ok(payment)
    }

    /// What a host does with every webhook: the cashier verifies it, stores it, and brings the
    /// order up to date; the host answers as it is told.
    async fn receive(&mut self, webhooks: &[WebhookRequest]) -> Result<(), Box<dyn Error>> {
        for webhook in webhooks {
            let received = self.cashier.receive(webhook).await;
            println!("  a webhook, answered with {}", received.answer);
        }
        self.act().await
    }

    /// What a host does every few minutes: what no webhook has told is asked for.
    async fn sweep(&mut self) -> Result<(), Box<dyn Error>> {
        self.cashier.sweep().await?;
        self.act().await
    }

    /// Acts on what has come to pass. Each cue comes once, and again only if it was not
    /// acknowledged.
    async fn act(&mut self) -> Result<(), Box<dyn Error>> {
        let lease = Duration::from_secs(60);
        for confirmation in self.cashier.confirmations(lease, 100).await? {
            let order = confirmation.order.as_ref().map(ToString::to_string);
            println!(
                "  {}: {}",
                order.as_deref().unwrap_or("-"),
                confirmation.kind
            );
            if confirmation.kind == ConfirmationKind::Paid {
                self.fulfilled.extend(order);
            }
            self.cashier.acknowledge(&confirmation).await?;
        }
        Ok(())
    }

    /// The same command is the same refund, however often it is given.
    async fn refund(
        &self,
        payment: &Payment<Test>,
        amount: &str,
        command: &str,
    ) -> Result<(), Box<dyn Error>> {
        let amount = PositiveMoney::new(amount.parse()?)?;
        let request = RefundRequest::new(payment.id.clone(), amount, CommandId::new(command)?);
        let refund = self.cashier.refund(&request).await?;
        println!("  refund {command} of {amount}: {:?}", refund.state);
        Ok(())
    }

    /// The same endpoint secret registered for live mode by mistake: the event is genuine, and set
    /// aside all the same.
    async fn deliver_to_live(&self, webhook: &WebhookRequest) -> Result<(), Box<dyn Error>> {
        let config = StripeConfig::<Live>::new("sk_live_of_the_quickstart", WEBHOOK_SECRET)?;
        let live: Provider<Live> = Stripe::new(config)?
            .into_provider(Namespace::new("quickstart")?)
            .with_clock(self.stripe.clone());
        let delivery = live.webhook(webhook).await?;
        for set_aside in &delivery.set_aside {
            println!(
                "  {}: set aside, {:?}",
                set_aside.type_text, set_aside.reason
            );
        }
        println!("  {} events to act on", delivery.events.len());
        Ok(())
    }

    async fn print_books(&self, orders: &[&str]) -> Result<Vec<Standing>, Box<dyn Error>> {
        let mut standings = Vec::new();
        for id in orders {
            let standing = self.cashier.order(&OrderId::new(id)?).await?.standing();
            println!("  order {id}: {standing}");
            standings.push(standing);
        }
        Ok(standings)
    }

    fn wait(&self, time: Duration) {
        self.lock().advance(time);
    }

    fn lock(&self) -> MutexGuard<'_, StripeSimulator> {
        self.simulator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
