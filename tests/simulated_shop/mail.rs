//! The way of webhooks from the providers to the shop. Some are lost, some are forged on the way.

use bytes::Bytes;
use counterfoil::Secret;
use counterfoil::clock::Clock;
use counterfoil::providers::stripe::{SIGNATURE_HEADER, sign};
use counterfoil::simulator::WebhookDelivery;
use counterfoil::webhook::WebhookRequest;
use serde_json::{Value, json};

use super::job::Job;
use super::psps::WEBHOOK_SECRET;
use super::world::World;

impl World<'_> {
    /// Takes the webhooks that are due, each to arrive a little later.
    pub(super) fn take_webhooks(&mut self) {
        let due = self.wire.psps().flat_map(|mut psp| {
            let name = psp.name();
            let due = psp.due_webhooks().into_iter();
            due.map(move |delivery| (name, delivery))
                .collect::<Vec<_>>()
        });
        for (name, delivery) in due.collect::<Vec<_>>() {
            self.webhooks += 1;
            let at = self.time.millis() + u64::from(self.dice.below(5000));
            if self.dice.fault(15) {
                self.forge(at, &delivery);
            }
            if self.dice.fault(40) || self.is_of_silent_order(&delivery) {
                // It is lost, and the provider believes that it arrived.
                self.wire.psp(name).report_webhook(delivery.id, Some(200));
                continue;
            }
            if self.dice.fault(40) {
                // There was no connection: the provider tries again.
                self.wire.psp(name).report_webhook(delivery.id, None);
                continue;
            }
            let request = WebhookRequest::from(delivery.request);
            self.schedule_job(at, Job::Receive(name, delivery.id, request));
        }
    }

    fn is_of_silent_order(&self, delivery: &WebhookDelivery) -> bool {
        let Ok(body) = std::str::from_utf8(delivery.request.body()) else {
            return false;
        };
        let order = body.split_once("\"shop:order-").and_then(|(_, rest)| {
            let (number, _) = rest.split_once(':')?;
            self.plans.get(number.parse::<usize>().ok()?)
        });
        !self.dice.is_calm() && order.is_some_and(|plan| plan.is_silent)
    }

    /// Says of a payment that it was made: by someone who does not know the secret, or about live
    /// mode, as when an endpoint is registered in both.
    fn forge(&mut self, at: u64, delivery: &WebhookDelivery) {
        if !delivery.kind.starts_with("payment_intent.") {
            return;
        }
        self.forgeries += 1;
        let is_live = self.dice.chance(500);
        let mut event: Value = serde_json::from_slice(delivery.request.body()).unwrap();
        event["id"] = json!(format!("evt_Forged{}", self.forgeries));
        event["type"] = json!("payment_intent.succeeded");
        event["livemode"] = json!(is_live);
        let intent = &mut event["data"]["object"];
        intent["livemode"] = json!(is_live);
        intent["status"] = json!("succeeded");
        intent["amount_received"] = intent["amount"].clone();
        let body = event.to_string();
        let secret = match is_live {
            true => WEBHOOK_SECRET,
            false => "whsec_guessed",
        };
        let signature = sign(&Secret::new(secret), self.time.now(), body.as_bytes());
        let mut headers = delivery.request.headers().clone();
        headers.insert(SIGNATURE_HEADER, signature.parse().unwrap());
        let request = WebhookRequest::new(headers, Bytes::from(body));
        self.schedule_job(at, Job::ReceiveForged(request));
    }
}
