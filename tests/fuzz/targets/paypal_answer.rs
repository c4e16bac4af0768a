//! Whatever PayPal's API answers to whatever was asked.

#![no_main]

use std::sync::{Arc, LazyLock};

use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::{Provider, Test};
use counterfoil_fuzz::{Parrot, ask};
use libfuzzer_sys::fuzz_target;

static PAYPAL: LazyLock<(Arc<Parrot>, Provider<Test>)> = LazyLock::new(|| {
    let parrot = Arc::new(Parrot::default());
    let credentials = PayPalCredentials::sandbox("client-id", "client-secret", "1JE4291016473214C");
    let config = PayPalConfig::new(credentials.unwrap())
        .with_transport(Arc::clone(&parrot) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_seed(1);
    let shop = Namespace::new("shop").unwrap();
    (parrot, PayPal::new(config).unwrap().into_provider(shop))
});

fuzz_target!(|data: &[u8]| {
    let (parrot, provider) = &*PAYPAL;
    if let Some(what) = parrot.learn(data) {
        ask(provider, what, "5O190127TN364715T", "1JU08902781691411");
    }
});
