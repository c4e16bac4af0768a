//! Money, currencies, ids and references from text: what is read is written as it was.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use counterfoil::id::{
    CommandId, EventId, Namespace, OrderId, PaymentId, PayoutId, ProviderName, Reference, RefundId,
};
use counterfoil::money::{Currency, Money};
use counterfoil::{Live, ModeKind, Test};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    comes_back::<Money>(text);
    comes_back::<Currency>(text);
    comes_back::<ModeKind>(text);
    comes_back::<Reference>(text);
    comes_back::<PaymentId<Test>>(text);
    comes_back::<RefundId<Live>>(text);
    comes_back::<PayoutId<Test>>(text);
    comes_back::<EventId<Live>>(text);
    let read_as_live = text.parse::<PaymentId<Live>>();
    assert!(read_as_live.is_err() || text.parse::<PaymentId<Test>>().is_err());
    for currency in [Currency::JPY, Currency::EUR, Currency::KWD] {
        if let Ok(money) = Money::parse_decimal(text, currency) {
            let again = Money::parse_decimal(&money.to_decimal(), currency);
            assert_eq!(again, Ok(money));
        }
    }
    if let Ok(id) = OrderId::new(text) {
        assert_eq!(id.as_str(), text);
    }
    let _ = (
        CommandId::new(text),
        Namespace::new(text),
        ProviderName::new(text),
    );
});

fn comes_back<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        let again = written.parse::<T>().ok();
        assert!(again == Some(value), "{text:?} was written as {written:?}");
    }
}
