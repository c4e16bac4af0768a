// A live provider cannot be pointed at another address.
use counterfoil::Live;
use counterfoil::providers::stripe::StripeConfig;

fn main() {
    let live = StripeConfig::<Live>::new("rk_live_1", "whsec_1").unwrap();
    let _ = live.with_base_url("http://127.0.0.1:12111");
}
