//! Names for things: orders are the host's, payments and refunds the provider's, keys ours.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::card_number::is_card_number;
use crate::mode::{Mode, ModeKind};

/// Declares an id of the provider's, tagged with its mode.
macro_rules! provider_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// Its text is `provider:mode:id`, such as `stripe:test:pi_1`, and reading a text of the
        /// other mode is refused. Store that text, not the bare id.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<M: Mode> {
            provider: ProviderName,
            raw: Box<str>,
            mode: PhantomData<M>,
        }

        impl<M: Mode> $name<M> {
            /// Takes an id as `provider` wrote it.
            ///
            /// # Errors
            /// [`IdError::Characters`] or [`IdError::Length`] for what no provider's id is made
            /// of: it must be 1 to 255 letters, digits and `_-.:=+~`, and not only dots.
            pub fn new(provider: ProviderName, raw: &str) -> Result<Self, IdError> {
                check_provider_id($what, raw)?;
                Ok(Self { provider, raw: raw.into(), mode: PhantomData })
            }

            /// The provider that gave the id.
            #[must_use]
            pub fn provider(&self) -> &ProviderName {
                &self.provider
            }

            /// The id as the provider writes it.
            #[must_use]
            pub fn raw(&self) -> &str {
                &self.raw
            }
        }

        impl<M: Mode> fmt::Display for $name<M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}:{}:{}", self.provider, M::KIND, self.raw)
            }
        }

        impl<M: Mode> fmt::Debug for $name<M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl<M: Mode> FromStr for $name<M> {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let (provider, raw) = split_stored($what, text, M::KIND)?;
                Self::new(provider, raw)
            }
        }

        impl<M: Mode> Serialize for $name<M> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de, M: Mode> Deserialize<'de> for $name<M> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

provider_id!(
    /// A payment, as its provider names it.
    PaymentId, "payment id"
);
provider_id!(
    /// A capture, as its provider names it.
    CaptureId, "capture id"
);
provider_id!(
    /// A refund, as its provider names it.
    RefundId, "refund id"
);
provider_id!(
    /// A dispute, as its provider names it.
    DisputeId, "dispute id"
);
provider_id!(
    /// A payout, as its provider names it.
    PayoutId, "payout id"
);
provider_id!(
    /// A webhook event, as its provider names it: the same id again is the same event again.
    EventId, "event id"
);

#[cfg(any(feature = "adyen", feature = "paypal", feature = "stripe"))]
impl<M: Mode> EventId<M> {
    /// A name for a body that has none of its own: the same body again has the same name.
    pub(crate) fn of_body(provider: ProviderName, body: &[u8]) -> Result<Self, IdError> {
        Self::new(provider, &crate::webhook::name_of_body(body))
    }
}

/// Declares a text of the host's own making, checked when it is made.
macro_rules! host_text {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` if it is well formed.
            ///
            /// # Errors
            /// An [`IdError`] that says what is wrong with it.
            pub fn new(text: &str) -> Result<Self, IdError> {
                let check: fn(&str) -> Result<(), IdError> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

host_text!(
    /// An order, as the host names it: 1 to 64 characters, none of them a control character, no
    /// space at either end, and not a card number.
    ///
    /// The limit leaves room for the namespace and the attempt in the shortest reference field of
    /// the providers here.
    OrderId,
    |text| {
        check_host_text("order id", text, 64)?;
        if is_card_number(text) { Err(IdError::CardNumber { what: "order id" }) } else { Ok(()) }
    }
);

host_text!(
    /// One installation of the host, so that staging and production, or two shops on one account,
    /// never claim each other's payments: 1 to 24 letters, digits, `-` and `_`.
    Namespace,
    |text| check_word("namespace", text, 24)
);

host_text!(
    /// A provider as the host registered it: 1 to 24 letters, digits, `-` and `_`. The default is
    /// the name of its module, such as `stripe`; two accounts of one provider take two names.
    ProviderName,
    |text| check_word("provider name", text, 24)
);

host_text!(
    /// One capture or refund that the host wants, named before it is asked for: 1 to 64
    /// characters. Asking again under the same name is the same wish; another name is another.
    CommandId,
    |text| check_host_text("command id", text, 64)
);

/// One try to pay an order: 1 for the first. A new try needs a definite end of the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The try with this number, counted from 1.
    #[must_use]
    pub const fn new(number: NonZeroU32) -> Self {
        Self(number)
    }

    /// The number of the try.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.get()
    }

    /// The try after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What ties a payment to an order: given to the provider at creation, it comes back on every
/// fetch and event. Written `namespace:order:attempt`, such as `shop:A-1001:1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The installation that the order belongs to.
    pub namespace: Namespace,
    /// The order.
    pub order: OrderId,
    /// Which try to pay it.
    pub attempt: Attempt,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.namespace, self.order, self.attempt)
    }
}

impl FromStr for Reference {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let malformed = || IdError::NotAReference;
        let (namespace, rest) = text.split_once(':').ok_or_else(malformed)?;
        let (order, attempt) = rest.rsplit_once(':').ok_or_else(malformed)?;
        // One reference has one text: `+1` and `01` are refused.
        let number = attempt.parse().map(Attempt).map_err(|_| malformed())?;
        if number.to_string() != attempt {
            return Err(malformed());
        }
        Ok(Self {
            namespace: namespace.parse()?,
            order: order.parse()?,
            attempt: number,
        })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The key under which a provider remembers a write, so that sending it again moves no money
/// again: 43 characters, computed from stable intent and from nothing else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// The key of creating the payment for one try at one order.
    #[must_use]
    pub fn for_creation(reference: &Reference) -> Self {
        let attempt = reference.attempt.to_string();
        Self::derive(&[
            "create",
            reference.namespace.as_str(),
            reference.order.as_str(),
            &attempt,
        ])
    }

    /// The key of one command on a payment: `operation` is `capture`, `void` or `refund`.
    #[must_use]
    pub fn for_command<M: Mode>(
        operation: &str,
        namespace: &Namespace,
        payment: &PaymentId<M>,
        command: &str,
    ) -> Self {
        Self::derive(&[operation, namespace.as_str(), &payment.to_string(), command])
    }

    /// The key of one command on a payment that was made elsewhere and carries no reference.
    #[cfg(any(feature = "paypal", feature = "stripe"))]
    pub(crate) fn for_unreferenced<M: Mode>(
        operation: &str,
        payment: &PaymentId<M>,
        command: &str,
    ) -> Self {
        Self::derive(&[operation, "", &payment.to_string(), command])
    }

    /// The key of one request, for a provider that needs several of them for one write: each has
    /// a key of its own.
    #[must_use]
    pub fn for_step(&self, step: &str) -> Self {
        Self::derive(&[self.as_str(), step])
    }

    /// The key itself, at most 43 characters: the shortest limit among the providers known is 45.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Hashes the parts with their lengths, so that no two lists of parts read the same.
    fn derive(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let short: Vec<u8> = digest.iter().copied().take(20).collect();
        Self(format!("cf-{}", hex::encode(short)).into())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an id was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// It is empty or too long.
    #[error("the {what} must have 1 to {longest} characters")]
    Length {
        /// Which id.
        what: &'static str,
        /// The most characters it may have.
        longest: usize,
    },
    /// It has a character that no such id has.
    #[error("the {what} has {found:?}: use {allowed}")]
    Characters {
        /// Which id.
        what: &'static str,
        /// The first character that it must not have.
        found: char,
        /// The characters that it may have.
        allowed: &'static str,
    },
    /// It reads as a card number, which this library never holds.
    #[error("the {what} reads as a card number: put a letter in front of it")]
    CardNumber {
        /// Which id.
        what: &'static str,
    },
    /// A stored id is not `provider:mode:id`.
    #[error("the stored {what} is not `provider:mode:id`")]
    NotStored {
        /// Which id.
        what: &'static str,
    },
    /// A stored id belongs to the other mode.
    #[error("the stored {what} belongs to {found} mode, and {expected} mode was asked for")]
    WrongMode {
        /// Which id.
        what: &'static str,
        /// The mode in the text.
        found: ModeKind,
        /// The mode asked for.
        expected: ModeKind,
    },
    /// A reference is not `namespace:order:attempt`.
    #[error("the reference is not `namespace:order:attempt`")]
    NotAReference,
}

fn split_stored<'t>(
    what: &'static str,
    text: &'t str,
    expected: ModeKind,
) -> Result<(ProviderName, &'t str), IdError> {
    let malformed = || IdError::NotStored { what };
    let (provider, rest) = text.split_once(':').ok_or_else(malformed)?;
    let (mode, raw) = rest.split_once(':').ok_or_else(malformed)?;
    let found: ModeKind = mode.parse().map_err(|_| malformed())?;
    if found != expected {
        return Err(IdError::WrongMode {
            what,
            found,
            expected,
        });
    }
    Ok((provider.parse()?, raw))
}

fn check_provider_id(what: &'static str, raw: &str) -> Result<(), IdError> {
    check_length(what, raw.len(), 255)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:=+~".contains(&b);
    // `.` and `..` are steps in a path even after percent-encoding.
    let found = match raw.bytes().all(|b| b == b'.') {
        true => Some('.'),
        false => first_other(raw, allowed),
    };
    found.map_or(Ok(()), |found| {
        Err(IdError::Characters {
            what,
            found,
            allowed: "ASCII letters, digits and _ - . : = + ~, and not dots alone",
        })
    })
}

fn first_other(text: &str, allowed: impl Fn(u8) -> bool) -> Option<char> {
    let is_other = |c: &char| !u8::try_from(*c).is_ok_and(&allowed) || !c.is_ascii();
    text.chars().find(is_other)
}

fn check_word(what: &'static str, text: &str, longest: usize) -> Result<(), IdError> {
    check_length(what, text.len(), longest)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    first_other(text, allowed).map_or(Ok(()), |found| {
        Err(IdError::Characters {
            what,
            found,
            allowed: "ASCII letters, digits, - and _",
        })
    })
}

fn check_host_text(what: &'static str, text: &str, longest: usize) -> Result<(), IdError> {
    check_length(what, text.chars().count(), longest)?;
    let at_an_end = || {
        let mut ends = text.chars().next().into_iter().chain(text.chars().last());
        ends.find(|c| c.is_whitespace())
    };
    let found = text.chars().find(|c| c.is_control()).or_else(at_an_end);
    found.map_or(Ok(()), |found| {
        Err(IdError::Characters {
            what,
            found,
            allowed: "no control character, and no space at either end",
        })
    })
}

fn check_length(what: &'static str, length: usize, longest: usize) -> Result<(), IdError> {
    if (1..=longest).contains(&length) {
        Ok(())
    } else {
        Err(IdError::Length { what, longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mode::{Live, Test};

    #[test]
    fn a_stored_id_carries_its_mode_and_refuses_the_other() {
        let id: PaymentId<Test> = "stripe:test:pi_1".parse().unwrap();
        assert_eq!((id.provider().as_str(), id.raw()), ("stripe", "pi_1"));
        assert_eq!(id.to_string(), "stripe:test:pi_1");
        let other = "stripe:test:pi_1".parse::<PaymentId<Live>>();
        assert!(matches!(other, Err(IdError::WrongMode { .. })));
        assert!(serde_json::from_str::<RefundId<Live>>(r#""stripe:test:re_1""#).is_err());
        for text in [
            "",
            "pi_1",
            "stripe:pi_1",
            "stripe:TEST:pi_1",
            ":test:pi_1",
            "stripe:test:",
        ] {
            assert!(text.parse::<PaymentId<Test>>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_crafted_id_is_refused() {
        let provider = ProviderName::new("stripe").unwrap();
        for raw in [
            "", ".", "..", "a/b", "a?b", "a#b", "a\nb", "a b", "a%2fb", "é", "a\\b", "a&b",
        ] {
            assert!(
                PaymentId::<Test>::new(provider.clone(), raw).is_err(),
                "{raw:?}"
            );
        }
        assert!(PaymentId::<Test>::new(provider, &"x".repeat(256)).is_err());
    }

    #[test]
    fn a_reference_survives_its_text_whatever_the_order_is_called() {
        for order in ["A-1001", "a:b", ":", "1:2:3", "été 7"] {
            let reference = Reference {
                namespace: Namespace::new("shop").unwrap(),
                order: OrderId::new(order).unwrap(),
                attempt: Attempt::FIRST.next(),
            };
            assert_eq!(
                reference.to_string().parse::<Reference>().unwrap(),
                reference
            );
        }
        for text in [
            "",
            "A-1001",
            "shop:A",
            "shop:A:0",
            "shop:A:01",
            "shop:A:+1",
            ":A:1",
            "s::1",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn keys_depend_on_every_part_and_on_where_it_ends() {
        let reference = |order: &str, attempt| Reference {
            namespace: Namespace::new("shop").unwrap(),
            order: OrderId::new(order).unwrap(),
            attempt,
        };
        let first = IdempotencyKey::for_creation(&reference("A", Attempt::FIRST));
        assert_eq!(
            first,
            IdempotencyKey::for_creation(&reference("A", Attempt::FIRST))
        );
        assert_eq!(first.as_str().len(), 43);
        let next = IdempotencyKey::for_creation(&reference("A", Attempt::FIRST.next()));
        let other = IdempotencyKey::for_creation(&reference("B", Attempt::FIRST));
        assert!(first != next && first != other);
        assert_ne!(
            IdempotencyKey::derive(&["ab", "c"]),
            IdempotencyKey::derive(&["a", "bc"])
        );
    }
}
