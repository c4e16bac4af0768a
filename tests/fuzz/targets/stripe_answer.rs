//! Whatever Stripe's API answers to whatever was asked.

#![no_main]

use std::sync::{Arc, LazyLock};

use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::{Provider, Test};
use counterfoil_fuzz::{Parrot, ask};
use libfuzzer_sys::fuzz_target;

static STRIPE: LazyLock<(Arc<Parrot>, Provider<Test>)> = LazyLock::new(|| {
    let parrot = Arc::new(Parrot::default());
    let config = StripeConfig::<Test>::new("sk_test_1", "whsec_1")
        .unwrap()
        .with_transport(Arc::clone(&parrot) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_seed(1);
    let shop = Namespace::new("shop").unwrap();
    (parrot, Stripe::new(config).unwrap().into_provider(shop))
});

fuzz_target!(|data: &[u8]| {
    let (parrot, provider) = &*STRIPE;
    if let Some(what) = parrot.learn(data) {
        ask(provider, what, "pi_1", "re_1");
    }
});
