//! How a provider is set up, as far as it may be shown: what a preflight compares.

use std::time::Duration;

use crate::mode::ModeKind;
use crate::money::{Currency, Money};

/// How a provider is set up. It holds no secret.
///
/// An implementor fills in what it knows; a preflight takes what is left out as unknown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Setup {
    /// The address that requests go to.
    pub api_url: Box<str>,
    /// The mode that this address serves, if only one; `None` if the credentials choose.
    pub url_mode: Option<ModeKind>,
    /// The mode that the credentials show by themselves, if they do.
    pub credentials_mode: Option<ModeKind>,
    /// The version of the API that is asked for.
    pub api_version: Option<Box<str>>,
    /// The account that the host says it has.
    pub account: Option<Box<str>>,
    /// The provider's ids of the webhook endpoints that are accepted, where the host gives them.
    pub webhook_ids: Vec<Box<str>>,
    /// How far a webhook's signed time may be from now, if it is signed with a time.
    pub webhook_tolerance: Option<Duration>,
    /// The types of webhooks without which news of money would be missed.
    pub webhook_types: Vec<Box<str>>,
    /// The format that webhooks must be written in, where the endpoint chooses it.
    pub webhook_format: Option<Box<str>>,
    /// The longest idempotency key that the provider takes.
    pub key_length_max: Option<usize>,
    /// How long after the first attempt a request may be sent again.
    pub retries_end_after: Option<Duration>,
    /// How the provider counts a currency.
    pub currency_rule: Option<fn(Currency) -> Option<CurrencyRule>>,
}

impl Setup {
    /// A set-up of which nothing is known but the address of the API.
    #[must_use]
    pub fn new(api_url: &str) -> Self {
        Self {
            api_url: api_url.into(),
            url_mode: None,
            credentials_mode: None,
            api_version: None,
            account: None,
            webhook_ids: Vec::new(),
            webhook_tolerance: None,
            webhook_types: Vec::new(),
            webhook_format: None,
            key_length_max: None,
            retries_end_after: None,
            currency_rule: None,
        }
    }
}

/// How a provider counts one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrencyRule {
    /// How many decimals it counts with.
    pub exponent: u32,
    /// The least step between two amounts.
    pub step: Money,
    /// The least that it charges, if that does not depend on the account.
    pub least: Option<Money>,
}

impl CurrencyRule {
    /// A currency counted with `exponent` decimals in steps of `step`.
    #[must_use]
    pub const fn new(exponent: u32, step: Money, least: Option<Money>) -> Self {
        Self {
            exponent,
            step,
            least,
        }
    }
}

/// Where a provider posts its webhooks, as it has it registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookEndpoint {
    /// The provider's id of it.
    pub id: Box<str>,
    /// The address.
    pub url: Box<str>,
    /// Whether webhooks are sent there now.
    pub is_enabled: bool,
    /// The types that are sent; a `*` at the end stands for any rest.
    pub types: Vec<Box<str>>,
    /// The version of the API that bodies are written in, if the endpoint fixes one.
    pub api_version: Option<Box<str>>,
    /// Whether what is sent there is signed; `None` if the provider does not say.
    pub is_signed: Option<bool>,
    /// Whether it is sent by TLS; `None` if the provider does not say more than the address does.
    pub is_encrypted: Option<bool>,
    /// Whether the provider says that deliveries fail; `None` if it does not say.
    pub is_failing: Option<bool>,
    /// The format that bodies are written in, such as `json`, if the endpoint chooses it.
    pub format: Option<Box<str>>,
}

impl WebhookEndpoint {
    /// An endpoint that is enabled and gets these types.
    #[must_use]
    pub fn new<T: Into<Box<str>>>(id: &str, url: &str, types: impl IntoIterator<Item = T>) -> Self {
        Self {
            id: id.into(),
            url: url.into(),
            is_enabled: true,
            types: types.into_iter().map(Into::into).collect(),
            api_version: None,
            is_signed: None,
            is_encrypted: None,
            is_failing: None,
            format: None,
        }
    }

    /// Whether webhooks of this type are sent there.
    #[must_use]
    pub fn sends(&self, kind: &str) -> bool {
        self.types.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => **name == *kind,
        })
    }
}
