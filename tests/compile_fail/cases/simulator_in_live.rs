// A live provider cannot be pointed at a simulator.
use std::sync::{Arc, Mutex};

use counterfoil::Live;
use counterfoil::clock::Timestamp;
use counterfoil::providers::stripe::StripeConfig;
use counterfoil::simulator::{SimulatorTransport, stripe::StripeSimulator};

fn main() {
    let simulator = StripeSimulator::new(1, Timestamp::from_unix(0));
    let wire = SimulatorTransport::new(Arc::new(Mutex::new(simulator)));
    let live = StripeConfig::<Live>::new("rk_live_1", "whsec_1").unwrap();
    let _ = live.with_transport(Arc::new(wire));
}
