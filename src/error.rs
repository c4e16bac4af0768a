//! Errors that say who must act, and whether money could have moved.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{IdError, PaymentId, ProviderName};
use crate::mode::Mode;
use crate::money::MoneyError;
use crate::operation::Operation;

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, who must act, and whether money could have moved.
///
/// It never holds a secret, a raw body or a provider's free text: only the provider's code and
/// request id, which its support asks for.
pub struct Error(Box<Details>);

struct Details {
    kind: ErrorKind,
    effect: Effect,
    message: Cow<'static, str>,
    provider: Option<ProviderName>,
    operation: Option<Operation>,
    code: Option<Box<str>>,
    request_id: Option<Box<str>>,
    payment: Option<Box<str>>,
    item: Option<Box<str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Sorted by who must act.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller: the request makes no sense as it is. Change it.
    InvalidRequest,
    /// The caller: this provider cannot do that. See its [`Capabilities`](crate::Capabilities).
    Unsupported,
    /// The caller: a value of the other mode. Stop and find out how it got here.
    WrongMode,
    /// The caller: the provider knows no such thing in this account and mode.
    NotFound,
    /// The caller: it contradicts what is already there. Fetch it and decide anew.
    Conflict,
    /// The operator: the key is wrong, expired or not allowed to do this.
    Credentials,
    /// The operator: a setting is missing or wrong.
    Settings,
    /// The payer: the payment was refused, and this is why.
    Declined(Decline),
    /// Wait: too many requests.
    RateLimited {
        /// How long the provider asks to wait, if it says.
        after: Option<Duration>,
    },
    /// Wait: the provider cannot be reached or cannot answer.
    Unavailable,
    /// A forger, or a wrong webhook secret: the notice is not the provider's.
    NotAuthentic,
    /// This library or the provider: the answer is not what its contract says.
    UnexpectedResponse,
}

impl ErrorKind {
    /// A fixed name, for counters and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid request",
            Self::Unsupported => "unsupported",
            Self::WrongMode => "wrong mode",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Credentials => "credentials",
            Self::Settings => "settings",
            Self::Declined(_) => "declined",
            Self::RateLimited { .. } => "rate limited",
            Self::Unavailable => "unavailable",
            Self::NotAuthentic => "not authentic",
            Self::UnexpectedResponse => "unexpected response",
        }
    }
}

/// Whether what was asked for has happened.
///
/// It speaks of one call. After an [`Unknown`](Effect::Unknown), a later call that was not applied
/// says nothing about the earlier one: ask the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It has not, and will not by this request.
    NotApplied,
    /// It has, though something about it is wrong.
    Applied,
    /// Nobody knows yet. Ask the provider before anything else; it is not a failure.
    Unknown,
}

impl Error {
    /// An error of `kind` that moved no money. The message says what to do next.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Details {
            kind,
            effect: Effect::NotApplied,
            message: message.into(),
            provider: None,
            operation: None,
            code: None,
            request_id: None,
            payment: None,
            item: None,
            source: None,
        }))
    }

    /// Says whether what was asked for has happened; otherwise it has not.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// The same error of something that is stored and will be gone on with: unless it has happened,
    /// nobody knows whether it will.
    #[cfg(feature = "cashier")]
    pub(crate) fn into_unknown(self) -> Self {
        match self.effect() {
            Effect::Applied => self,
            Effect::NotApplied | Effect::Unknown => self.with_effect(Effect::Unknown),
        }
    }

    /// Adds the provider's own code, cut to 64 harmless characters.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.0.code = Some(harmless(code));
        self
    }

    /// Adds the provider's request id, cut to 64 harmless characters.
    #[must_use]
    pub fn with_request_id(mut self, request_id: &str) -> Self {
        self.0.request_id = Some(harmless(request_id));
        self
    }

    /// Adds the payment that the provider made before it refused.
    #[must_use]
    pub fn with_payment<M: Mode>(mut self, payment: &PaymentId<M>) -> Self {
        self.0.payment = Some(payment.to_string().into());
        self
    }

    /// Adds which thing of a list could not be read, by the provider's name for it, cut to 64
    /// harmless characters.
    #[must_use]
    pub fn with_item(mut self, item: &str) -> Self {
        self.0.item = Some(harmless(item));
        self
    }

    /// Adds the cause, which must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says which provider and operation it came from, unless that was said before.
    #[must_use]
    pub fn in_operation(mut self, provider: &ProviderName, operation: Operation) -> Self {
        self.0.provider.get_or_insert_with(|| provider.clone());
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Who must act.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether what was asked for has happened.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// What to do next, without what the other fields say.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The decline, if the payer's bank or the provider refused.
    #[must_use]
    pub fn decline(&self) -> Option<&Decline> {
        match &self.0.kind {
            ErrorKind::Declined(decline) => Some(decline),
            _ => None,
        }
    }

    /// The provider's own code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The provider's id of the request, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The provider that was asked.
    #[must_use]
    pub fn provider(&self) -> Option<&ProviderName> {
        self.0.provider.as_ref()
    }

    /// What was asked of it.
    #[must_use]
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The payment that the provider made before it refused, if it is of mode `M`. Store it: the
    /// provider will report on it.
    #[must_use]
    pub fn payment<M: Mode>(&self) -> Option<PaymentId<M>> {
        self.0.payment.as_deref()?.parse().ok()
    }

    /// The thing of a list that could not be read, by the provider's name for it. The list goes on
    /// behind such an error; every other one ends it.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        self.0.item.as_deref()
    }

    /// Whether a thing of a list could not be read that is not called `name`.
    pub(crate) fn is_of_another_item(&self, name: &str) -> bool {
        self.item().is_some_and(|item| *item != *harmless(name))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &self.0;
        if let Some(provider) = &details.provider {
            write!(f, "{provider}: ")?;
        }
        if let Some(operation) = details.operation {
            write!(f, "{operation}: ")?;
        }
        write!(f, "{}: {}", details.kind.name(), details.message)?;
        if let Some(item) = &details.item {
            write!(f, " [in {item}]")?;
        }
        if let Some(code) = &details.code {
            write!(f, " [code {code}]")?;
        }
        if let Some(request_id) = &details.request_id {
            write!(f, " [request {request_id}]")?;
        }
        match details.effect {
            Effect::NotApplied => Ok(()),
            Effect::Applied => f.write_str(" (it has taken effect)"),
            Effect::Unknown => f.write_str(" (whether it took effect is unknown: ask, then act)"),
        }
    }
}

/// What is absent is left out, since this is what a `main` that fails prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn some<T: fmt::Debug>(value: &Option<T>) -> Option<&dyn fmt::Debug> {
            value.as_ref().map(|value| value as &dyn fmt::Debug)
        }
        let mut error = f.debug_struct("Error");
        error
            .field("kind", &self.0.kind)
            .field("effect", &self.0.effect)
            .field("message", &self.0.message);
        for (name, value) in [
            ("provider", some(&self.0.provider)),
            ("operation", some(&self.0.operation)),
            ("code", some(&self.0.code)),
            ("request_id", some(&self.0.request_id)),
            ("payment", some(&self.0.payment)),
            ("item", some(&self.0.item)),
            ("source", some(&self.0.source)),
        ] {
            if let Some(value) = value {
                error.field(name, value);
            }
        }
        error.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<MoneyError> for Error {
    fn from(error: MoneyError) -> Self {
        Self::new(ErrorKind::InvalidRequest, error.to_string())
    }
}

impl From<IdError> for Error {
    fn from(error: IdError) -> Self {
        let kind = match error {
            IdError::WrongMode { .. } => ErrorKind::WrongMode,
            _ => ErrorKind::InvalidRequest,
        };
        Self::new(kind, error.to_string())
    }
}

/// Why a payment was refused, and what can help.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Decline {
    /// Why.
    pub reason: DeclineReason,
    /// The provider's own code, for staff. It may name fraud: do not show it to the shopper.
    pub code: Option<Box<str>>,
}

impl Decline {
    /// A decline for `reason`.
    #[must_use]
    pub const fn new(reason: DeclineReason) -> Self {
        Self { reason, code: None }
    }

    /// Adds the provider's own code, cut to 64 harmless characters.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.code = Some(harmless(code));
        self
    }

    /// Whether and how another try can succeed.
    #[must_use]
    pub const fn retry(&self) -> RetryAdvice {
        match self.reason {
            DeclineReason::TryLater => RetryAdvice::Later,
            DeclineReason::InsufficientFunds
            | DeclineReason::NotSupported
            | DeclineReason::Generic => RetryAdvice::OtherMethod,
            DeclineReason::WrongInput(_) => RetryAdvice::CorrectInput,
            DeclineReason::AuthenticationRequired | DeclineReason::AuthenticationFailed => {
                RetryAdvice::Authenticate
            }
            DeclineReason::Fraud | DeclineReason::DoNotRetry | DeclineReason::MandateStopped => {
                RetryAdvice::Never
            }
        }
    }

    /// What may be shown to the shopper. Fraud reads like any other refusal.
    #[must_use]
    pub const fn shopper_text(&self) -> &'static str {
        match self.reason {
            DeclineReason::TryLater => "Your bank could not be reached. Please try again later.",
            DeclineReason::InsufficientFunds => {
                "Your bank refused the amount. Please use another way to pay."
            }
            DeclineReason::NotSupported => {
                "This way to pay does not work here. Please use another."
            }
            DeclineReason::WrongInput(field) => match field {
                InputField::CardNumber => "Please check the card number.",
                InputField::Expiry => "Please check the expiry date, or use another card.",
                InputField::SecurityCode => "Please check the security code.",
                InputField::PostalCode => "Please check the postal code.",
            },
            DeclineReason::AuthenticationRequired | DeclineReason::AuthenticationFailed => {
                "Your bank needs you to confirm the payment. Please try again."
            }
            DeclineReason::Fraud
            | DeclineReason::DoNotRetry
            | DeclineReason::MandateStopped
            | DeclineReason::Generic => "The payment was declined. Please use another way to pay.",
        }
    }
}

/// The classes of refusal that need different handling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeclineReason {
    /// The bank or the processor could not answer.
    TryLater,
    /// Not enough funds, or a limit reached.
    InsufficientFunds,
    /// The shopper's input is wrong, in this field.
    WrongInput(InputField),
    /// The method does not take this currency or this kind of purchase.
    NotSupported,
    /// The shopper must confirm with the bank, and has not been asked.
    AuthenticationRequired,
    /// The shopper was asked to confirm with the bank, and that failed.
    AuthenticationFailed,
    /// Refused as fraud or by a risk rule, or the card is lost or stolen. Keep it from the shopper.
    Fraud,
    /// The bank forbids another try with this method.
    DoNotRetry,
    /// The shopper has withdrawn the permission for repeated payments.
    MandateStopped,
    /// Refused without a reason that could help, or for one that this library does not know.
    Generic,
}

/// A field of the shopper's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputField {
    /// The card number.
    CardNumber,
    /// The expiry date.
    Expiry,
    /// The code on the card (CVC, CVV).
    SecurityCode,
    /// The postal code.
    PostalCode,
}

/// Whether and how another try can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryAdvice {
    /// The same again, later.
    Later,
    /// With corrected input.
    CorrectInput,
    /// With another method, or the same after the shopper has spoken with the bank.
    OtherMethod,
    /// With the shopper present to confirm.
    Authenticate,
    /// Not with this method.
    Never,
}

/// Keeps at most 64 printable ASCII characters, so that an outside text can stand in a log.
fn harmless(text: &str) -> Box<str> {
    let printable = text.chars().filter(|c| c.is_ascii_graphic());
    printable.take(64).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_in_a_list_is_known_by_its_name_however_long() {
        let name = "D-".repeat(60);
        let error = Error::new(ErrorKind::UnexpectedResponse, "no amount").with_item(&name);
        assert_eq!(error.item().map(str::len), Some(64));
        assert!(!error.is_of_another_item(&name) && error.is_of_another_item("D-1"));
        let of_list = Error::new(ErrorKind::Unavailable, "no answer");
        assert!(!of_list.is_of_another_item("D-1"));
    }

    #[test]
    fn what_a_failed_main_prints_has_no_empty_fields() {
        let bare = Error::new(ErrorKind::Settings, "set the mode");
        let shown = r#"Error { kind: Settings, effect: NotApplied, message: "set the mode" }"#;
        assert_eq!(format!("{bare:?}"), shown);
        let coded = format!("{:?}", bare.with_code("mode_missing"));
        assert!(coded.contains(r#"code: "mode_missing""#), "{coded}");
    }
}
