// A configuration with live keys is not one for test mode.
use counterfoil::providers::stripe::{Stripe, StripeConfig};
use counterfoil::{Live, Test};

fn main() {
    let live = StripeConfig::<Live>::new("rk_live_1", "whsec_1").unwrap();
    let _: Stripe<Test> = Stripe::<Test>::new(live).unwrap();
}
