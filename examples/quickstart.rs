//! An order becomes a paid, matched and confirmed order, offline, through Stripe's wire.
//!
//!     cargo run --example quickstart
//!
//! Stripe is simulated in this process; the provider that speaks to it is the one that you would
//! use, and so is everything else.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use counterfoil::clock::{Clock, Timestamp};
use counterfoil::http::ManualTimer;
use counterfoil::id::{Namespace, OrderId, Reference};
use counterfoil::ledger::Ledger;
use counterfoil::matching::{Batch, OrderRow, Policy, Verdict, entries_of};
use counterfoil::money::PositiveMoney;
use counterfoil::order::Order;
use counterfoil::payment::{NextAction, Payment, PaymentStatus};
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::simulator::stripe::StripeSimulator;
use counterfoil::simulator::{SimulatedProvider, SimulatorTransport};
use counterfoil::webhook::{Delivery, WebhookRequest};
use counterfoil::{Live, Provider, Test};

const WEBHOOK_SECRET: &str = "whsec_of_the_quickstart";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut shop = Shop::open()?;

    println!("\nAn order is placed, paid and confirmed");
    let order = shop.place_order("A-1001", "19.99 EUR")?;
    let payment = shop.check_out(&order).await?;
    shop.shopper_pays(&payment, "pm_card_visa")?;
    let webhooks = shop.stripe.webhooks();
    for webhook in &webhooks {
        shop.receive(webhook).await?;
    }

    println!("\nThe same webhooks come again");
    for webhook in &webhooks {
        shop.receive(webhook).await?;
    }

    println!("\nAnother order is declined");
    let order = shop.place_order("A-1002", "45.00 EUR")?;
    let payment = shop.check_out(&order).await?;
    shop.shopper_pays(&payment, "pm_card_visa_chargeDeclinedInsufficientFunds")?;
    for webhook in shop.stripe.webhooks() {
        shop.receive(&webhook).await?;
    }

    println!("\nA test event reaches a live endpoint");
    shop.deliver_to_live(webhooks.last().ok_or("no webhook was sent")?)
        .await?;

    println!("\nWhat the books say");
    shop.print_books()?;
    if shop.confirmations != ["A-1001"] {
        return Err(format!("confirmed: {:?}", shop.confirmations).into());
    }
    println!("\nDone: one order paid and confirmed once, one declined, no live order touched.");
    Ok(())
}

/// A shop with its provider and its books.
struct Shop {
    simulator: Arc<Mutex<StripeSimulator>>,
    stripe: Arc<SimulatorTransport<StripeSimulator>>,
    provider: Provider<Test>,
    orders: Vec<Order>,
    ledgers: BTreeMap<Reference, Ledger<Test>>,
    confirmations: Vec<String>,
}

impl Shop {
    fn open() -> Result<Self, Box<dyn Error>> {
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
        println!("A simulated Stripe is up, and a shop in test mode");
        Ok(Self {
            simulator,
            stripe,
            provider,
            orders: Vec::new(),
            ledgers: BTreeMap::new(),
            confirmations: Vec::new(),
        })
    }

    fn place_order(&mut self, id: &str, total: &str) -> Result<CreateRequest, Box<dyn Error>> {
        let total = PositiveMoney::new(total.parse()?)?;
        let order = Order::new(OrderId::new(id)?, total, self.stripe.now());
        println!("  order {} over {total}", order.id);
        let page = Checkout::hosted("https://shop.example/thanks", "https://shop.example/cart");
        let request = CreateRequest::new(order.id.clone(), total, page);
        self.orders.push(order);
        Ok(request)
    }

    async fn check_out(&self, order: &CreateRequest) -> Result<Payment<Test>, Box<dyn Error>> {
        let payment = self.provider.create(order).await?;
        if let Some(NextAction::Redirect { url }) = &payment.next_action {
            println!("  the shopper is sent to {url}");
        }
        Ok(payment)
    }

    /// Plays the person in front of the provider's page.
    fn shopper_pays(&self, payment: &Payment<Test>, card: &str) -> Result<(), Box<dyn Error>> {
        let outcome = self
            .lock_simulator()
            .shopper()
            .pay(payment.id.raw(), card)?;
        println!("  the shopper pays with {card}: {outcome:?}");
        Ok(())
    }

    /// What a host does with every webhook: verify, store, match, confirm.
    async fn receive(&mut self, webhook: &WebhookRequest) -> Result<(), Box<dyn Error>> {
        let delivery: Delivery<Test> = self.provider.webhook(webhook).await?;
        for event in &delivery.events {
            let Some(payment) = event.payment() else {
                println!("  {}: verified, and not about a payment", event.type_text());
                continue;
            };
            match &payment.status {
                PaymentStatus::Failed(decline) => println!(
                    "  {}: verified, declined; the shopper may read: {}",
                    event.type_text(),
                    decline.shopper_text()
                ),
                status => println!("  {}: verified, {status:?}", event.type_text()),
            }
            if let Some(reference) = &payment.reference {
                // The ledger ends the same whatever comes first, late or twice.
                self.ledgers
                    .entry(reference.clone())
                    .or_default()
                    .apply(event)?;
            }
        }
        self.confirm_what_is_paid()
    }

    fn confirm_what_is_paid(&mut self) -> Result<(), Box<dyn Error>> {
        for (order, verdict) in self.verdicts()? {
            if verdict == Verdict::Paid && !self.confirmations.contains(&order) {
                println!("  order {order} is paid: its confirmation goes out");
                self.confirmations.push(order);
            }
        }
        Ok(())
    }

    fn verdicts(&self) -> Result<Vec<(String, Verdict)>, Box<dyn Error>> {
        let mut batch = Batch::<Test>::new(Policy::default());
        for order in &self.orders {
            batch.order(&OrderRow::from(order))?;
        }
        for ledger in self.ledgers.values() {
            entries_of(ledger, self.provider.namespace(), |entry| {
                batch.entry(entry)
            })?;
        }
        let report = batch.run();
        Ok(report
            .orders()
            .map(|order| (order.id.to_owned(), order.verdict))
            .collect())
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

    fn print_books(&self) -> Result<(), Box<dyn Error>> {
        for (order, verdict) in self.verdicts()? {
            let confirmed = if self.confirmations.contains(&order) {
                "confirmed"
            } else {
                "open"
            };
            println!("  order {order}: {verdict}; {confirmed}");
        }
        Ok(())
    }

    fn lock_simulator(&self) -> MutexGuard<'_, StripeSimulator> {
        self.simulator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
