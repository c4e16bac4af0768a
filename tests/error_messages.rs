//! An error says what is wrong, the value that is, and what to do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flow;

use counterfoil::country::Country;
use counterfoil::id::{OrderId, PaymentId};
use counterfoil::money::Money;
use counterfoil::request::{Checkout, CreateRequest};
use counterfoil::{Test, id::ProviderName};

use flow::{Account, eur, order};

#[test]
fn amount_without_currency_says_that_the_currency_is_missing() {
    let error = "19.99".parse::<Money>().unwrap_err().to_string();
    assert_eq!(
        error,
        "\"19.99\" has no currency: write it after the amount, as in 19.99 EUR"
    );
    let error = "19,99 EUR".parse::<Money>().unwrap_err().to_string();
    assert!(error.contains("19.99"), "{error}");
}

#[test]
fn id_with_wrong_character_names_it_and_the_rule() {
    let error = OrderId::new("A\n1").unwrap_err().to_string();
    assert!(
        error.contains("'\\n'") && error.contains("no control character"),
        "{error}"
    );
    let error = OrderId::new("A 1 ").unwrap_err().to_string();
    assert!(
        error.contains("' '") && error.contains("at either end"),
        "{error}"
    );
    let provider = ProviderName::new("stripe").unwrap();
    let error = PaymentId::<Test>::new(provider, "pi_1/ä")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'/'") && error.contains("ASCII letters"),
        "{error}"
    );
    let error = ProviderName::new("stripe eu").unwrap_err().to_string();
    assert!(
        error.contains("' '") && error.contains("ASCII letters"),
        "{error}"
    );
    let error = Country::new("de").unwrap_err().to_string();
    assert!(error.contains("two capital letters"), "{error}");
}

#[tokio::test]
async fn address_that_is_not_https_is_named() {
    let provider = Account::new().provider("stripe");
    for (page, name) in [
        (
            Checkout::hosted("http://shop.example/done", "https://shop.example/cart"),
            "success_url",
        ),
        (
            Checkout::hosted("https://shop.example/done", "http://shop.example/cart"),
            "cancel_url",
        ),
        (
            Checkout::hosted("https://shop.example/done", "not a url"),
            "cancel_url",
        ),
    ] {
        let request = CreateRequest::new(order("A"), eur(1000), page);
        let error = provider.create(&request).await.unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("https"), "{error}");
    }
}
