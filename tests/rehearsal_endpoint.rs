//! Endpoints that make a usual mistake are found out from outside.

#![allow(clippy::unwrap_used)] // helpers of tests

#[allow(dead_code)] // other suites use more of it
#[path = "rigs/stripe.rs"]
mod rig;

use counterfoil::conformance::Rig;
use counterfoil::id::Namespace;
use counterfoil::rehearsal::{EndpointRuling, try_endpoint};
use counterfoil::webhook::WebhookRequest;
use rig::StripeRig;

/// What an endpoint that answers like this is blamed for.
async fn blamed_for(
    answer: impl AsyncFn(&StripeRig, WebhookRequest) -> Option<u16>,
) -> Vec<&'static str> {
    let (rig, shop) = (StripeRig::new(false), StripeRig::new(false));
    let rulings = try_endpoint(&rig, rig.now(), async |webhook| {
        answer(&shop, webhook).await
    });
    let rulings = rulings.await.unwrap();
    assert_eq!(rulings.len(), 12);
    let bad = rulings.iter().filter(|ruling| !ruling.is_good());
    bad.map(|ruling: &EndpointRuling| ruling.what).collect()
}

async fn verified(shop: &StripeRig, webhook: WebhookRequest) -> u16 {
    let provider = shop.provider(&Namespace::new("shop").unwrap());
    match provider.webhook(&webhook).await {
        Ok(delivery) => delivery.answer(),
        Err(refusal) => refusal.answer(),
    }
}

#[tokio::test]
async fn an_endpoint_that_verifies_is_good() {
    let blamed = blamed_for(async |shop, webhook| Some(verified(shop, webhook).await)).await;
    assert!(blamed.is_empty(), "{blamed:?}");
}

#[tokio::test]
async fn one_that_takes_everything_is_blamed_for_each_forgery() {
    let blamed = blamed_for(async |_, _| Some(200)).await;
    let forgeries = [
        "one byte changed",
        "signed by a forger",
        "not signed",
        "larger than any provider sends",
        "signed an hour ago",
        "signed in an hour",
    ];
    assert_eq!(blamed, forgeries);
}

#[tokio::test]
async fn one_that_redirects_or_is_away_is_blamed_for_all() {
    assert_eq!(blamed_for(async |_, _| Some(301)).await.len(), 12);
    assert_eq!(blamed_for(async |_, _| None).await.len(), 12);
}

#[tokio::test]
async fn one_that_refuses_what_it_does_not_know_is_blamed_for_that() {
    let blamed = blamed_for(async |shop, webhook| {
        let body = String::from_utf8_lossy(webhook.body()).into_owned();
        let is_known = !body.contains("moon.waxing");
        let answer = verified(shop, webhook).await;
        Some(if is_known { answer } else { 422 })
    });
    assert_eq!(blamed.await, ["of a type that nobody knows"]);
}
