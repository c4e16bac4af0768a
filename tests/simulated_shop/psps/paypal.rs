//! PayPal: an approval moves no money by itself, and a webhook's signature leaves its body out.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use counterfoil::clock::Timestamp;
use counterfoil::money::{Currency, Money};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::simulator::paypal::{Funding, PaypalSimulator, ShopperError, ShopperOutcome};
use counterfoil::simulator::{FaultPlan, WebhookOdds};
use counterfoil::{PaymentProvider, Test};
use http::Request;
use serde_json::Value;

use super::{Connection, Entry, Psp, Refunded, Seen, read};

const WEBHOOK_ID: &str = "1JE4291016473214C";

pub fn new(seed: u64, start: Timestamp) -> Box<dyn Psp> {
    let mut simulator = PaypalSimulator::new(seed, start);
    simulator.set_reporting_delay(Duration::ZERO);
    Box::new(simulator)
}

/// The root that vouches for all simulated PayPals of one start.
static TRUST_ROOT: OnceLock<String> = OnceLock::new();

impl Psp for PaypalSimulator {
    fn post_webhooks(&mut self) {
        self.add_webhook("https://shop.example/webhooks/paypal", WEBHOOK_ID, &["*"]);
    }

    fn faults(&mut self) -> &mut FaultPlan {
        self.faults()
    }

    fn webhook_odds(&mut self) -> &mut WebhookOdds {
        self.webhook_odds()
    }

    fn connect(&self, connection: Connection) -> Arc<dyn PaymentProvider<Mode = Test>> {
        let (id, secret) = (Self::CLIENT_ID, Self::CLIENT_SECRET);
        let credentials = PayPalCredentials::<Test>::sandbox(id, secret, WEBHOOK_ID).unwrap();
        let config = PayPalConfig::new(credentials)
            .with_webhook_roots(TRUST_ROOT.get_or_init(|| self.trust_root().unwrap()))
            .unwrap()
            .with_transport(connection.transport)
            .with_timer(connection.timer)
            .with_clock(connection.clock)
            .with_seed(connection.seed);
        Arc::new(PayPal::new(config).unwrap())
    }

    fn pay(&mut self, page: &str, card: &str) -> Option<Seen> {
        let funding = match card {
            "threeDSecure2Required" => Funding::Challenge,
            "pendingRefund" => Funding::RefundsPend,
            "refundFail" => Funding::RefundsFail,
            "bypassPending" => Funding::Echeck,
            declined if declined.starts_with("chargeDeclined") => Funding::InstrumentDeclined,
            _ => Funding::Balance,
        };
        seen(self.shopper().approve(page, funding))
    }

    fn confirm(&mut self, page: &str, passes: bool) -> Option<Seen> {
        seen(match passes {
            true => self.shopper().pass_challenge(page),
            false => self.shopper().fail_challenge(page),
        })
    }

    fn refund_by_hand(&mut self, payment: &str, cents: i64) {
        let amount = Money::new(cents, Currency::EUR);
        let _ = self.dashboard().refund(payment, Some(amount));
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

    /// An order that nobody has paid is in no list.
    fn can_search(&self) -> bool {
        false
    }

    fn books(&self) -> Vec<Entry> {
        let entries = self.ledger().into_iter().map(|entry| Entry {
            reference: entry.custom_id.and_then(|text| text.parse().ok()),
            captured: entry.captured.minor(),
            refunded: entry.refunded.minor(),
            disputed: entry.disputed.minor(),
            // One order is charged in parts, and never for more than it asks.
            charges: u32::from(entry.captured.is_positive())
                + u32::from(entry.captured.minor() > entry.amount.minor()),
            payment: entry.order,
        });
        entries.collect()
    }

    fn refunds_of(&mut self, payment: &str) -> Option<Vec<Refunded>> {
        let pair = format!("{}:{}", Self::CLIENT_ID, Self::CLIENT_SECRET);
        let token = Request::post("/v1/oauth2/token")
            .header("authorization", format!("Basic {}", STANDARD.encode(pair)))
            .header("content-type", "application/x-www-form-urlencoded");
        let token = read(self, token, "grant_type=client_credentials");
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let order = Request::get(format!("/v2/checkout/orders/{payment}"));
        let order = read(self, order.header("authorization", bearer), "");
        let refunds = order["purchase_units"][0]["payments"]["refunds"].as_array();
        let refunds = refunds.into_iter().flatten();
        let read = refunds.map(|refund| Refunded {
            command: refund["custom_id"].as_str().and_then(command_of),
            amount: cents(&refund["amount"]["value"]),
            is_with_payer: refund["status"] != "FAILED",
        });
        Some(read.collect())
    }
}

/// The command whose mark this is. The names of commands here need no escapes.
fn command_of(mark: &str) -> Option<String> {
    mark.strip_prefix("cf.").map(str::to_owned)
}

fn cents(value: &Value) -> i64 {
    value.as_str().unwrap().replace('.', "").parse().unwrap()
}

fn seen(outcome: Result<ShopperOutcome, ShopperError>) -> Option<Seen> {
    Some(match outcome.ok()? {
        ShopperOutcome::Challenged { .. } => Seen::Challenge,
        ShopperOutcome::Declined => Seen::Declined,
        _ => Seen::Done,
    })
}
