//! Stripe.

use std::sync::Arc;

use counterfoil::clock::Timestamp;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::simulator::stripe::{ShopperError, ShopperOutcome, StripeSimulator};
use counterfoil::simulator::{FaultPlan, SimulatedProvider, WebhookOdds};
use counterfoil::{PaymentProvider, Test};
use http::Request;

use super::{Connection, Entry, Psp, Refunded, Seen, read};

pub const WEBHOOK_SECRET: &str = "whsec_simulation";

pub fn new(seed: u64, start: Timestamp) -> Box<dyn Psp> {
    Box::new(StripeSimulator::new(seed, start))
}

impl Psp for StripeSimulator {
    fn post_webhooks(&mut self) {
        self.subscribe("https://shop.example/webhooks/stripe", WEBHOOK_SECRET);
    }

    fn faults(&mut self) -> &mut FaultPlan {
        self.faults()
    }

    fn webhook_odds(&mut self) -> &mut WebhookOdds {
        self.webhook_odds()
    }

    fn connect(&self, connection: Connection) -> Arc<dyn PaymentProvider<Mode = Test>> {
        let config = StripeConfig::<Test>::new("sk_test_simulation", WEBHOOK_SECRET)
            .unwrap()
            .with_transport(connection.transport)
            .with_timer(connection.timer)
            .with_clock(connection.clock)
            .with_seed(connection.seed);
        Arc::new(Stripe::new(config).unwrap())
    }

    fn pay(&mut self, page: &str, card: &str) -> Option<Seen> {
        let method = format!("pm_card_{card}");
        seen(self.shopper().pay(page, &method))
    }

    fn confirm(&mut self, page: &str, passes: bool) -> Option<Seen> {
        seen(match passes {
            true => self.shopper().pass_challenge(page),
            false => self.shopper().fail_challenge(page),
        })
    }

    fn refund_by_hand(&mut self, payment: &str, cents: i64) {
        let _ = self.dashboard().refund(payment, Some(cents));
    }

    fn open_dispute(&mut self, payment: &str) -> Option<String> {
        self.dashboard().open_dispute(payment).ok()
    }

    fn decide_dispute(&mut self, dispute: &str, is_won: bool) {
        let mut dashboard = self.dashboard();
        let decided = match is_won {
            true => dashboard.win_dispute(dispute),
            false => dashboard.lose_dispute(dispute),
        };
        decided.unwrap();
    }

    fn can_search(&self) -> bool {
        true
    }

    fn books(&self) -> Vec<Entry> {
        let entries = self.ledger().into_iter().map(|entry| Entry {
            reference: entry
                .metadata
                .get("counterfoil_reference")
                .and_then(|text| text.parse().ok()),
            captured: entry.captured.minor(),
            refunded: entry.refunded.minor(),
            disputed: entry.disputed.minor(),
            charges: entry.charges,
            payment: entry.payment_intent,
        });
        entries.collect()
    }

    fn refunds_of(&mut self, payment: &str) -> Option<Vec<Refunded>> {
        let url = format!("/v1/refunds?payment_intent={payment}&limit=100");
        let request = Request::get(url).header("authorization", "Bearer sk_test_simulation");
        let list = read(self, request, "");
        let refunds = list["data"].as_array().unwrap().iter();
        // A release of what was not captured is listed too, and books nothing.
        let booked = refunds.filter(|refund| !refund["balance_transaction"].is_null());
        let read = booked.map(|refund| Refunded {
            command: refund["metadata"]["counterfoil_command"]
                .as_str()
                .map(str::to_owned),
            amount: refund["amount"].as_i64().unwrap(),
            is_with_payer: refund["status"] != "failed",
        });
        Some(read.collect())
    }
}

fn seen(outcome: Result<ShopperOutcome, ShopperError>) -> Option<Seen> {
    Some(match outcome.ok()? {
        ShopperOutcome::Challenged { .. } => Seen::Challenge,
        ShopperOutcome::Declined { .. } => Seen::Declined,
        _ => Seen::Done,
    })
}
