//! Keys and currencies: that no amount is sent twice, and none is sent wrong.

use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};

use super::Look;
use crate::capability::Operation;
use crate::cashier::Store;
use crate::error::Result;
use crate::id::{Attempt, IdempotencyKey, Namespace, OrderId, Reference};
use crate::mode::Mode;
use crate::money::Currency;
use crate::preflight::report::{Check, CheckKind};
use crate::request::Period;

/// How far back payments are looked at for another installation's, and how many at most.
const LOOK_BACK: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const PAYMENTS_MAX: usize = 200;

impl<M: Mode> Look<'_, M> {
    pub(super) async fn keys(&self) -> Check {
        let mut check = Check::new(CheckKind::Keys);
        let namespace = self.provider.namespace();
        match &self.preflight.other_namespaces {
            Some(others) if others.contains(namespace) => check.fail(
                format!("another installation is called {namespace} too"),
                "give each a name of its own: orders of the same number would be mixed up",
            ),
            Some(others) if others.is_empty() => {
                check.pass(format!("{namespace} is said to be alone on the account"));
            }
            Some(others) => {
                check.pass(format!("{namespace} is unlike the {} others", others.len()));
            }
            None if self.preflight.store.is_none() => check.unknown(
                format!("whether another installation is called {namespace} is not known"),
                "name the others on the account, or give the store",
            ),
            None => {}
        }
        if let Some(store) = &self.preflight.store {
            match self.strangers(store.as_ref()).await {
                Ok(Some((seen, strangers))) if strangers.is_empty() => check.pass(format!(
                    "of {seen} payments of {namespace} in 30 days, all are for orders of the store"
                )),
                Ok(Some((_, strangers))) => check.fail(
                    format!(
                        "payments of {namespace} are for orders that the store does not know: {}",
                        strangers.join(", ")
                    ),
                    "another installation uses this name, or this is not its store",
                ),
                // Those that the host has named are compared above.
                Ok(None) if self.preflight.other_namespaces.is_some() => {}
                Ok(None) => check.unknown(
                    "payments cannot be listed, so that those of others are not seen",
                    "name the other installations on the account",
                ),
                Err(error) => super::tells(&mut check, "payments of 30 days", &error),
            }
        }
        self.key_limits(&mut check);
        check
    }

    /// How many payments carry this namespace, and for which orders that the store does not know.
    async fn strangers(&self, store: &dyn Store) -> Result<Option<(usize, Vec<String>)>> {
        let capabilities = self.provider.capabilities();
        if !capabilities.supports(Operation::ListPayments) {
            return Ok(None);
        }
        let from = self.preflight.clock.now().saturating_sub(LOOK_BACK);
        let payments = self.provider.list_payments(Period::since(from));
        let mut payments = pin!(payments.take(PAYMENTS_MAX));
        let (mut seen, mut strangers) = (0, Vec::new());
        while let Some(payment) = payments.try_next().await? {
            let Some(reference) = payment.reference else {
                continue;
            };
            if reference.namespace != *self.provider.namespace() {
                continue;
            }
            seen += 1;
            let is_known = store.order(&reference.order).await?.is_some();
            if !is_known && strangers.len() < 3 {
                strangers.push(reference.order.to_string());
            }
        }
        Ok(Some((seen, strangers)))
    }

    fn key_limits(&self, check: &mut Check) {
        let capabilities = self.provider.capabilities();
        let length = sample_key(self.provider.namespace()).map(|key| key.as_str().len());
        match (length, self.setup.key_length_max) {
            (Some(length), Some(most)) if length > most => check.fail(
                format!("keys have {length} characters, and the provider takes {most}"),
                "this provider cannot be used safely",
            ),
            (Some(length), Some(most)) => {
                check.pass(format!("keys have {length} of at most {most} characters"));
            }
            _ => check.unknown(
                "how long a key may be is not known",
                "look it up, and vouch for it by name",
            ),
        }
        let kept = capabilities.key_retention;
        if !capabilities.idempotent_writes {
            check.pass("the provider knows no keys: writes are sent once, then asked about");
            return;
        }
        match self.setup.retries_end_after {
            Some(retries) if retries < kept => check.pass(format!(
                "keys are remembered for {} s, and retries end after {} s",
                kept.as_secs(),
                retries.as_secs()
            )),
            Some(retries) => check.fail(
                format!(
                    "retries go on for {} s, and keys are remembered for {} s only",
                    retries.as_secs(),
                    kept.as_secs()
                ),
                "shorten the retries: a late one would pay twice",
            ),
            None => check.unknown(
                "how long is retried is not known",
                "look it up, and vouch for it by name",
            ),
        }
    }

    pub(super) fn currencies(&self) -> Check {
        let mut check = Check::new(CheckKind::Currencies);
        if self.preflight.currencies.is_empty() {
            check.unknown(
                "the shop's currencies are not said",
                "say in which currencies it sells",
            );
        }
        for currency in &self.preflight.currencies {
            self.currency(&mut check, *currency);
        }
        check
    }

    fn currency(&self, check: &mut Check, currency: Currency) {
        let taken = &self.provider.capabilities().currencies;
        if taken
            .as_ref()
            .is_some_and(|taken| !taken.contains(&currency))
        {
            check.fail(
                format!("{currency}: the provider does not take it"),
                "sell in another currency, or by another provider",
            );
            return;
        }
        let Some(rule_of) = self.setup.currency_rule else {
            check.unknown(
                format!("{currency}: how the provider counts it is not known"),
                "compare a test payment with what was asked, and vouch for it by name",
            );
            return;
        };
        let Some(rule) = rule_of(currency) else {
            check.fail(
                format!("{currency}: the provider cannot count it"),
                "sell in another currency, or by another provider",
            );
            return;
        };
        let mut seen = format!("{currency}: {} decimals", rule.exponent);
        if rule.exponent != currency.exponent() {
            seen += &format!(" (ISO 4217 has {})", currency.exponent());
        }
        seen += &format!(", in steps of {}", rule.step);
        if let Some(least) = rule.least {
            seen += &format!(", at least {least}");
        }
        check.pass(seen);
    }
}

fn sample_key(namespace: &Namespace) -> Option<IdempotencyKey> {
    let reference = Reference {
        namespace: namespace.clone(),
        order: OrderId::new("preflight").ok()?,
        attempt: Attempt::FIRST,
    };
    Some(IdempotencyKey::for_creation(&reference))
}
