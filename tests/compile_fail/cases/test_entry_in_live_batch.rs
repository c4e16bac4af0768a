// A test payment is not matched against live orders.
use counterfoil::clock::Timestamp;
use counterfoil::matching::{Batch, EntryRow, Policy};
use counterfoil::money::{Currency, Money};
use counterfoil::{Live, Test};

fn main() {
    let at = Timestamp::from_unix(0);
    let entry = EntryRow::<Test>::payment("pi_1", Money::new(1, Currency::EUR), at);
    let _ = Batch::<Live>::new(Policy::default()).entry(&entry);
}
