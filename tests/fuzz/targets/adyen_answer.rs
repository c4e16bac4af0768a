//! Whatever Adyen's API answers to whatever was asked.

#![no_main]

use std::sync::{Arc, LazyLock};

use counterfoil::http::ManualTimer;
use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::{Provider, Test};
use counterfoil_fuzz::{Parrot, ask};
use libfuzzer_sys::fuzz_target;

const HMAC_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

static ADYEN: LazyLock<(Arc<Parrot>, Provider<Test>)> = LazyLock::new(|| {
    let parrot = Arc::new(Parrot::default());
    let config = AdyenConfig::<Test>::new("AQEtest", "ShopECOM", HMAC_KEY)
        .unwrap()
        .with_transport(Arc::clone(&parrot) as _)
        .with_timer(Arc::new(ManualTimer::new()))
        .with_seed(1);
    let shop = Namespace::new("shop").unwrap();
    (parrot, Adyen::new(config).unwrap().into_provider(shop))
});

fuzz_target!(|data: &[u8]| {
    let (parrot, provider) = &*ADYEN;
    if let Some(what) = parrot.learn(data) {
        let payment = ["QFQTPCQ8HXSKGK82", "PLE83C39B0A0DE0C1E"][usize::from(what / 14 % 2)];
        ask(provider, what, payment, "MOD0000000000001");
    }
});
