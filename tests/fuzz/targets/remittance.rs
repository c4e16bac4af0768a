//! What a payer wrote: a pattern and a prefix of the host's, an order, and the reference and text of
//! a payment, a line each. The verdict does not depend on which row came first, and the parts of the
//! payment add up to it.

#![no_main]

use counterfoil::Test;
use counterfoil::clock::Timestamp;
use counterfoil::matching::{
    Batch, Decision, EntryRow, OrderBook, OrderRow, Policy, ReferenceRules,
};
use counterfoil::money::{Currency, Money};
use libfuzzer_sys::fuzz_target;

const AT: Timestamp = Timestamp::from_unix(1_795_000_000);

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(5, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (pattern, prefix, order, reference, text) = (next(), next(), next(), next(), next());
    let rules = ReferenceRules::default()
        .with_pattern(pattern)
        .with_prefix(prefix);
    let key = rules.normalise(order);
    assert!(key.len() <= order.len());
    let mut policy = Policy::default();
    policy.references = rules;
    let total = Money::new(1999, Currency::EUR);
    let order = OrderRow::new(order, total, AT);
    let mut entry = EntryRow::payment("pi_1", total, AT).with_text(text);
    if !reference.is_empty() {
        entry = entry.with_reference(reference);
    }

    let mut batch = Batch::<Test>::new(policy.clone());
    let taken = batch.order(&order).and_then(|()| batch.entry(&entry));
    if taken.is_err() {
        return;
    }
    let report = batch.run();
    let parts = report.allocations(0);
    let sum = Money::sum(Currency::EUR, parts.iter().map(|part| part.amount));
    assert!(parts.is_empty() || sum == Ok(total), "{parts:?}");
    let decisions: Vec<Decision> = report.entry_decisions().collect();

    let mut book = OrderBook::<Test>::new(policy);
    book.entry(&entry).unwrap();
    book.order(&order).unwrap();
    book.advance(Timestamp::from_unix(1_895_000_000));
    assert_eq!(
        book.report().entry_decisions().collect::<Vec<_>>(),
        decisions
    );
});
