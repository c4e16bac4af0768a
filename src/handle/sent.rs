//! The amounts sent under recent keys.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Effect, Error, ErrorKind, Result};
use crate::id::IdempotencyKey;
use crate::money::PositiveMoney;

/// The amounts sent under recent keys, so that a key with another amount is refused before it is
/// sent. The provider and the host's store guard the keys of the past.
#[derive(Default)]
pub(super) struct SentKeys(Mutex<SentKeysInner>);

#[derive(Default)]
struct SentKeysInner {
    amounts: HashMap<IdempotencyKey, PositiveMoney>,
    by_age: VecDeque<IdempotencyKey>,
}

impl SentKeys {
    const MOST: usize = 65_536;

    /// Does `work` unless its key was sent with another amount. An amount that is refused as
    /// invalid the first time was never asked for, so that it can be put right under the same key.
    pub(super) async fn guard<T>(
        &self,
        key: &IdempotencyKey,
        amount: PositiveMoney,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let is_first = self.remember(key, amount)?;
        let outcome = work.await;
        let is_refused = |error: &Error| {
            matches!(
                error.kind(),
                ErrorKind::InvalidRequest | ErrorKind::Unsupported
            ) && error.effect() == Effect::NotApplied
        };
        if is_first && outcome.as_ref().is_err_and(is_refused) {
            let mut inner = self.lock();
            inner.amounts.remove(key);
            inner.by_age.retain(|sent| sent != key);
        }
        outcome
    }

    /// Says whether it is the first time.
    fn remember(&self, key: &IdempotencyKey, amount: PositiveMoney) -> Result<bool> {
        let mut inner = self.lock();
        match inner.amounts.get(key) {
            Some(sent) if *sent == amount => return Ok(false),
            Some(sent) => {
                let message = format!(
                    "this attempt or command was sent with {sent} before, now with {amount}: look \
                     what became of it, then take the next attempt or another command"
                );
                // What was sent before may have moved money.
                let error = Error::new(ErrorKind::Conflict, message);
                return Err(error.with_effect(Effect::Unknown));
            }
            None => {}
        }
        if inner.by_age.len() >= Self::MOST
            && let Some(oldest) = inner.by_age.pop_front()
        {
            inner.amounts.remove(&oldest);
        }
        inner.by_age.push_back(key.clone());
        inner.amounts.insert(key.clone(), amount);
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, SentKeysInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures_util::FutureExt;

    use super::*;
    use crate::id::{Namespace, PaymentId, ProviderName};
    use crate::mode::Test;
    use crate::money::{Currency, Money};

    fn key(command: &str) -> IdempotencyKey {
        let name = ProviderName::new("psp").unwrap();
        let payment = PaymentId::<Test>::new(name, "p1").unwrap();
        let namespace = Namespace::new("shop").unwrap();
        IdempotencyKey::for_command("refund", &namespace, &payment, command)
    }

    fn send(keys: &SentKeys, command: &str, minor: i64, outcome: Result<()>) -> Result<()> {
        let amount = PositiveMoney::new(Money::new(minor, Currency::EUR)).unwrap();
        let key = key(command);
        let sent = keys.guard(&key, amount, ready(outcome));
        sent.now_or_never().unwrap()
    }

    #[test]
    fn a_key_is_free_for_another_amount_only_if_it_was_refused_as_invalid_and_nothing_done() {
        for (kind, effect, is_free) in [
            (ErrorKind::InvalidRequest, Effect::NotApplied, true),
            (ErrorKind::Unsupported, Effect::NotApplied, true),
            (ErrorKind::InvalidRequest, Effect::Unknown, false),
            (ErrorKind::Unavailable, Effect::NotApplied, false),
        ] {
            let keys = SentKeys::default();
            send(&keys, "earlier", 100, Ok(())).unwrap();
            let error = Error::new(kind.clone(), "no").with_effect(effect);
            send(&keys, "key", 200, Err(error)).unwrap_err();
            let is_counted = |inner: &SentKeysInner| {
                let mut by_age = inner.by_age.iter();
                by_age.all(|key| inner.amounts.contains_key(key))
            };
            assert!(is_counted(&keys.lock()));
            let other = send(&keys, "key", 300, Ok(()));
            assert_eq!(other.is_ok(), is_free, "{kind:?} {effect:?}");
            let earlier = send(&keys, "earlier", 101, Ok(())).unwrap_err();
            assert_eq!(*earlier.kind(), ErrorKind::Conflict);
            let inner = keys.lock();
            assert_eq!((inner.amounts.len(), inner.by_age.len()), (2, 2));
        }
    }
}
