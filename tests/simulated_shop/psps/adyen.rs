//! Adyen: it cannot be asked, so that its notices alone tell what became of anything.

use std::sync::Arc;

use counterfoil::clock::Timestamp;
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::simulator::adyen::{
    AdyenSimulator, MERCHANT_ACCOUNT, ShopperError, ShopperOutcome,
};
use counterfoil::simulator::{FaultPlan, WebhookOdds};
use counterfoil::{PaymentProvider, Test};

use super::{Connection, Entry, Psp, Refunded, Seen};

const KEY: &str = "AQEyhmfxKI7MYhBEw0m-key-of-the-simulation";
const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

pub fn new(seed: u64, start: Timestamp) -> Box<dyn Psp> {
    let mut simulator = AdyenSimulator::new(seed, start);
    simulator.allow_multiple_captures(MERCHANT_ACCOUNT, true);
    Box::new(simulator)
}

impl Psp for AdyenSimulator {
    fn post_webhooks(&mut self) {
        let hook = "https://shop.example/webhooks/adyen";
        self.add_webhook(MERCHANT_ACCOUNT, hook, HMAC_KEY);
    }

    fn faults(&mut self) -> &mut FaultPlan {
        self.faults()
    }

    fn webhook_odds(&mut self) -> &mut WebhookOdds {
        self.webhook_odds()
    }

    fn connect(&self, connection: Connection) -> Arc<dyn PaymentProvider<Mode = Test>> {
        let config = AdyenConfig::<Test>::new(KEY, MERCHANT_ACCOUNT, HMAC_KEY)
            .unwrap()
            .with_multiple_captures()
            .with_transport(connection.transport)
            .with_timer(connection.timer)
            .with_clock(connection.clock)
            .with_seed(connection.seed);
        Arc::new(Adyen::new(config).unwrap())
    }

    fn pay(&mut self, page: &str, card: &str) -> Option<Seen> {
        let method = match card {
            "threeDSecure2Required" => "visa_3ds",
            "pendingRefund" => "visa:SIM_REFUND_SLOW",
            "refundFail" => "visa:SIM_REFUND_FAILED",
            "bypassPending" => "sepadirectdebit",
            declined if declined.starts_with("chargeDeclined") => "visa:DECLINED",
            _ => "visa",
        };
        seen(self.shopper().pay(page, method))
    }

    fn confirm(&mut self, page: &str, passes: bool) -> Option<Seen> {
        seen(match passes {
            true => self.shopper().approve(page),
            false => self.shopper().fail(page),
        })
    }

    fn refund_by_hand(&mut self, payment: &str, cents: i64) {
        let _ = self.dashboard().refund(payment, cents);
    }

    fn open_dispute(&mut self, payment: &str) -> Option<String> {
        self.dashboard().charge_back(payment).ok()
    }

    fn decide_dispute(&mut self, dispute: &str, is_won: bool) {
        // A chargeback is lost until it is reversed.
        if is_won {
            self.dashboard().reverse_chargeback(dispute).unwrap();
        }
    }

    fn can_search(&self) -> bool {
        false
    }

    fn books(&self) -> Vec<Entry> {
        let entries = self.ledger().into_iter().map(|entry| Entry {
            reference: entry.reference.trim_end_matches(":held").parse().ok(),
            captured: entry.captured.minor(),
            refunded: entry.refunded.minor(),
            disputed: entry.disputed.minor(),
            charges: u32::from(entry.captured.is_positive()),
            payment: entry.psp_reference,
        });
        entries.collect()
    }

    fn refunds_of(&mut self, _: &str) -> Option<Vec<Refunded>> {
        None
    }
}

fn seen(outcome: Result<ShopperOutcome, ShopperError>) -> Option<Seen> {
    Some(match outcome.ok()? {
        ShopperOutcome::SentTo { .. } => Seen::Challenge,
        ShopperOutcome::Refused { .. } => Seen::Declined,
        _ => Seen::Done,
    })
}
