// A live provider of Adyen's has hosts of its own: none can be made without their prefix.
use counterfoil::Live;
use counterfoil::providers::adyen::AdyenConfig;

fn main() {
    let _ = AdyenConfig::<Live>::new("AQE", "ShopECOM", "44782DEF547AAA06");
}
