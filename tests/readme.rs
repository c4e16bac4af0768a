//! The README's table of providers and operations says what the capabilities say.

use counterfoil::Test;
use counterfoil::capability::{Capabilities, Operation};
use counterfoil::id::Namespace;
use counterfoil::providers::adyen::{Adyen, AdyenConfig};
use counterfoil::providers::paypal::{PayPal, PayPalConfig, PayPalCredentials};
use counterfoil::providers::stripe::{Stripe, StripeConfig};

#[test]
fn the_table_of_providers_is_what_their_capabilities_say() -> counterfoil::Result<()> {
    let readme = include_str!("../README.md");
    let mut parts = readme.split("capabilities -->\n");
    let table = parts
        .nth(1)
        .unwrap_or_default()
        .trim_end_matches("<!-- /")
        .trim();
    let config = StripeConfig::<Test>::new("rk_test_1", "whsec_1")?;
    let stripe = Stripe::new(config)?.into_provider(Namespace::new("readme")?);
    let sandbox = PayPalCredentials::sandbox("id", "secret", "1JE4291016473214C")?;
    let paypal = PayPal::new(PayPalConfig::new(sandbox))?;
    let paypal = paypal.into_provider(Namespace::new("readme")?);
    let config = AdyenConfig::<Test>::new("key", "Shop", "0123456789abcdef".repeat(4))?;
    let adyen = Adyen::new(config)?.into_provider(Namespace::new("readme")?);
    let expected = render(&[
        ("Stripe", stripe.capabilities()),
        ("PayPal", paypal.capabilities()),
        ("Adyen", adyen.capabilities()),
    ]);
    assert_eq!(
        table,
        expected.trim(),
        "the README must have this table:\n\n{expected}"
    );
    Ok(())
}

fn render(providers: &[(&str, &Capabilities)]) -> String {
    let names = providers.iter().map(|(name, _)| format!(" {name} |"));
    let mut table = format!("| |{}\n", names.collect::<String>());
    table += &format!("|---|{}\n", "---|".repeat(providers.len()));
    let mut row = |what: &str, can: &dyn Fn(&Capabilities) -> bool| {
        let cells = providers.iter().map(|(_, capabilities)| {
            if can(capabilities) {
                " yes |"
            } else {
                " – |"
            }
        });
        table += &format!("| {what} |{}\n", cells.collect::<String>());
    };
    for operation in Operation::ALL {
        row(operation.name(), &|capabilities| {
            capabilities.supports(operation)
        });
    }
    row("partial capture", &|capabilities| {
        capabilities.partial_capture
    });
    row("several captures", &|capabilities| {
        capabilities.multiple_captures
    });
    row("voiding unpaid checkouts", &|capabilities| {
        capabilities.voidable_checkouts
    });
    row("partial refunds", &|capabilities| {
        capabilities.partial_refunds
    });
    row("writes under a key are done once", &|capabilities| {
        capabilities.idempotent_writes
    });
    table
}
