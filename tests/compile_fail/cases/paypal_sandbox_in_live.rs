// Sandbox credentials do not fit into a live provider.
use counterfoil::Live;
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};

fn main() {
    let sandbox = PayPalCredentials::sandbox("id", "secret", "1JE4291016473214C").unwrap();
    let _ = PayPal::<Live>::new(PayPalConfig::new(sandbox));
}
