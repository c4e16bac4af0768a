//! References, times and ids: what is the same in answers and notices.

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CommandId, IdempotencyKey, PaymentId, Reference};
use crate::mode::Mode;
use crate::request::CaptureMode;

/// The most characters that Adyen's reports keep of a reference.
const LONGEST_REFERENCE: usize = 80;

/// What a reference ends with if the payment is only to be held.
///
/// A payment that Adyen captures by itself is told of by its authorisation alone: there is no
/// notice of the capture. Whether one was to be held must therefore stand in what is signed, and
/// of that only the reference is ours.
const HELD: &str = ":held";

/// What the reference of a change begins with, before the host's name for it. No reference of a
/// payment reads like this.
const COMMAND: &str = "command/";

/// The reference of a payment as it is sent.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] if it is longer than Adyen keeps.
pub(super) fn reference_text(reference: &Reference, capture: CaptureMode) -> Result<String> {
    let mut text = reference.to_string();
    if capture == CaptureMode::Manual {
        text.push_str(HELD);
    }
    if text.chars().count() <= LONGEST_REFERENCE {
        return Ok(text);
    }
    let message = "namespace, order and attempt must have 80 characters at most for Adyen, or 75 \
                   for a payment that is held";
    Err(Error::new(ErrorKind::InvalidRequest, message))
}

/// Reads a reference as it comes back, and whether the payment was to be held. One that was given
/// elsewhere is none.
pub(super) fn reference_of(text: &str) -> Option<(Reference, CaptureMode)> {
    let (reference, capture) = match text.strip_suffix(HELD) {
        Some(reference) => (reference, CaptureMode::Manual),
        None => (text, CaptureMode::Automatic),
    };
    Some((reference.parse().ok()?, capture))
}

/// The reference of a capture, refund or other change as it is sent.
pub(super) fn command_text(command: &CommandId) -> String {
    format!("{COMMAND}{command}")
}

/// The host's command that a change was asked for by, if its reference names one.
pub(super) fn command_of(text: &str) -> Option<CommandId> {
    CommandId::new(text.strip_prefix(COMMAND)?).ok()
}

/// What an id of a payment here names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A payment, by its PSP reference of 16 characters.
    Payment,
    /// A payment link, `PL…`.
    Link,
    /// A session, `CS…`.
    Session,
    /// A payment that had no PSP reference yet when it was begun: it has the key of its beginning.
    Unnamed,
}

impl Named {
    pub(super) fn of<M: Mode>(id: &PaymentId<M>) -> Self {
        let raw = id.raw();
        match raw.get(..2) {
            _ if raw.len() == 16 => Self::Payment,
            Some("PL") => Self::Link,
            Some("CS") => Self::Session,
            Some("cf") => Self::Unnamed,
            _ => Self::Payment,
        }
    }

    /// Refuses a name of a checkout where the payment itself is needed.
    pub(super) fn must_be_payment(self) -> Result<()> {
        if self == Self::Payment {
            return Ok(());
        }
        let message =
            "this names the checkout: take the id of the payment, which its webhook gives";
        Err(Error::new(ErrorKind::InvalidRequest, message))
    }
}

/// A name for a payment that Adyen has not named yet.
pub(super) fn unnamed(key: &IdempotencyKey) -> &str {
    key.as_str()
}

/// An instant such as `2026-11-22T09:30:00+01:00`.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_unix(instant.as_second()))
}

pub(super) fn unexpected(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::UnexpectedResponse, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProviderName;
    use crate::mode::Test;

    #[test]
    fn a_reference_comes_back_with_whether_the_payment_was_to_be_held() {
        for text in ["shop:A-1:1", "shop:a:held:b:2", "shop:held:1"] {
            let reference: Reference = text.parse().unwrap();
            for capture in [CaptureMode::Automatic, CaptureMode::Manual] {
                let sent = reference_text(&reference, capture).unwrap();
                assert_eq!(reference_of(&sent), Some((reference.clone(), capture)));
            }
        }
        for text in ["", "A-1", "command/a:b:1", "shop:A-1:one", ":held"] {
            assert_eq!(reference_of(text), None, "{text}");
        }
        let long = format!("{}:{}:1", "s".repeat(24), "x".repeat(64));
        let long: Reference = long.parse().unwrap();
        assert!(reference_text(&long, CaptureMode::Manual).is_err());
    }

    #[test]
    fn a_command_comes_back_and_nothing_else_is_one() {
        let command = CommandId::new("refund of A:1:1").unwrap();
        let sent = command_text(&command);
        assert_eq!(command_of(&sent), Some(command));
        assert_eq!(reference_of(&sent), None);
        assert_eq!(command_of("shop:A-1:1"), None);
    }

    #[test]
    fn an_id_says_what_it_names() {
        for (raw, named) in [
            ("993617894903480A", Named::Payment),
            ("PLQTPCQ8HXSKGK82", Named::Payment),
            ("PL61C53A8B97E6915A", Named::Link),
            ("CS451F2AB1ED897A94", Named::Session),
            (
                "cf-0123456789012345678901234567890123456789",
                Named::Unnamed,
            ),
        ] {
            let id = PaymentId::<Test>::new(ProviderName::new("adyen").unwrap(), raw).unwrap();
            assert_eq!(Named::of(&id), named, "{raw}");
        }
    }

    #[test]
    fn times_have_an_offset() {
        let time = time_of("2021-01-01T01:00:00+01:00").unwrap();
        assert_eq!(time.to_string(), "2021-01-01T00:00:00Z");
        assert_eq!(time_of("2022-04-08T14:06:39Z").unwrap().unix() % 60, 39);
        for text in ["", "2021-01-01", "2021-01-01T01:00:00", "yesterday"] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }
}
