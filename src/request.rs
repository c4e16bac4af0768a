//! What a host asks of a provider.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::card_number::has_card_number;
use crate::clock::Timestamp;
use crate::country::Country;
use crate::error::{Error, ErrorKind, Result};
use crate::http::is_loopback;
use crate::id::{Attempt, CommandId, OrderId, PaymentId};
use crate::mode::{Mode, ModeKind};
use crate::money::{Currency, PositiveMoney};
use crate::secret::Secret;

/// Asks for a payment of one order.
///
/// ```
/// use counterfoil::id::OrderId;
/// use counterfoil::money::{Currency, Money, PositiveMoney};
/// use counterfoil::request::{Checkout, CreateRequest};
///
/// let order = OrderId::new("A-1001")?;
/// let total = PositiveMoney::new(Money::new(1999, Currency::EUR))?;
/// let page = Checkout::hosted("https://shop.example/done", "https://shop.example/cart");
/// let request = CreateRequest::new(order, total, page);
/// # Ok::<(), counterfoil::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CreateRequest {
    /// The order to be paid.
    pub order: OrderId,
    /// Which try to pay it: the first, unless said otherwise.
    pub attempt: Attempt,
    /// How much.
    pub amount: PositiveMoney,
    /// How the shopper will pay.
    pub checkout: Checkout,
    /// Whether the money is taken at once or only held.
    pub capture: CaptureMode,
    /// What the shopper reads on the provider's page and receipt, without personal data.
    pub description: Option<String>,
    /// Where the provider may send a receipt.
    pub email: Option<String>,
    /// When an unpaid checkout ends, if the provider lets the host choose.
    pub expires_at: Option<Timestamp>,
    /// Where the shopper is, to choose among several providers.
    pub country: Option<Country>,
    /// More data for the provider to keep, without personal data.
    pub metadata: BTreeMap<String, String>,
}

impl CreateRequest {
    /// Asks for `amount` for the first attempt at `order`, taken at once.
    #[must_use]
    pub fn new(order: OrderId, amount: PositiveMoney, checkout: Checkout) -> Self {
        Self {
            order,
            attempt: Attempt::FIRST,
            amount,
            checkout,
            capture: CaptureMode::Automatic,
            description: None,
            email: None,
            expires_at: None,
            country: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Names the attempt. Take the next one only after a definite end of the last.
    #[must_use]
    pub fn with_attempt(mut self, attempt: Attempt) -> Self {
        self.attempt = attempt;
        self
    }

    /// Holds the amount, to be captured later.
    #[must_use]
    pub fn with_manual_capture(mut self) -> Self {
        self.capture = CaptureMode::Manual;
        self
    }

    /// Sets what the shopper reads.
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets where the provider may send a receipt.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Sets when an unpaid checkout ends.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: Timestamp) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Says where the shopper is, to choose among several providers.
    #[must_use]
    pub fn with_country(mut self, country: Country) -> Self {
        self.country = Some(country);
        self
    }

    /// Adds data for the provider to keep.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Refuses texts with a card number in them and addresses that are not `https`.
    pub(crate) fn check(&self, mode: ModeKind) -> Result<()> {
        let texts = self.description.iter().chain(self.metadata.values());
        if texts.map(String::as_str).any(has_card_number) {
            return Err(invalid(
                "a card number must not be in a description or in metadata",
            ));
        }
        match &self.checkout {
            Checkout::Hosted {
                success_url,
                cancel_url,
            } => {
                check_url("success_url", success_url, mode)?;
                check_url("cancel_url", cancel_url, mode)
            }
            Checkout::Embedded { return_url } => check_url("return_url", return_url, mode),
            Checkout::Direct { return_url, .. } => return_url
                .as_deref()
                .map_or(Ok(()), |url| check_url("return_url", url, mode)),
        }
    }
}

/// How the shopper will pay.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Checkout {
    /// On a page of the provider's, which keeps card data away from the host (PCI DSS SAQ A).
    Hosted {
        /// Where the browser goes after paying. Arriving there does not prove a payment.
        success_url: String,
        /// Where the browser goes if the shopper turns back.
        cancel_url: String,
    },
    /// In a form of the provider's own on the host's page, made by the provider's script, which
    /// keeps card data away from the host too.
    Embedded {
        /// Where the browser goes after paying elsewhere, as at a bank. Arriving there does not
        /// prove a payment.
        return_url: String,
    },
    /// With a token that the provider's script made, or with a method saved before.
    Direct {
        /// What to pay with.
        method: DirectMethod,
        /// Whether the shopper is there to confirm with the bank.
        presence: Presence,
        /// Where the browser goes after confirming with the bank.
        return_url: Option<String>,
    },
}

impl Checkout {
    /// On a page of the provider's; both addresses must be `https`.
    #[must_use]
    pub fn hosted(success_url: impl Into<String>, cancel_url: impl Into<String>) -> Self {
        Self::Hosted {
            success_url: success_url.into(),
            cancel_url: cancel_url.into(),
        }
    }

    /// In a form of the provider's on the host's page; the address must be `https`. What the
    /// provider's script needs stands in [`NextAction::UseSdk`](crate::payment::NextAction::UseSdk).
    pub fn embedded(return_url: impl Into<String>) -> Self {
        Self::Embedded {
            return_url: return_url.into(),
        }
    }

    /// With a token that the provider's script made, the shopper present.
    #[must_use]
    pub fn token(token: impl Into<Secret>, return_url: impl Into<String>) -> Self {
        Self::Direct {
            method: DirectMethod::Token(token.into()),
            presence: Presence::OnSession,
            return_url: Some(return_url.into()),
        }
    }

    /// With a customer's saved method, the shopper absent.
    #[must_use]
    pub fn saved(customer: impl Into<String>, method: impl Into<String>) -> Self {
        Self::Direct {
            method: DirectMethod::Saved {
                customer: customer.into(),
                method: method.into(),
            },
            presence: Presence::OffSession,
            return_url: None,
        }
    }
}

/// What to pay with, without a page of the provider's.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum DirectMethod {
    /// A token that the provider's script made in the browser.
    Token(Secret),
    /// A method saved before.
    Saved {
        /// The provider's id of the customer.
        customer: String,
        /// The provider's id of the saved method.
        method: String,
    },
}

/// Whether the shopper is there to confirm with the bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// The shopper is there.
    OnSession,
    /// The shopper is not, and has agreed to that before.
    OffSession,
}

/// Whether the money is taken at once or only held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// Taken at once.
    Automatic,
    /// Held, until captured or voided.
    Manual,
}

/// Asks to go on with a payment that the shopper has approved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompleteRequest<M: Mode> {
    /// The payment that was approved.
    pub payment: PaymentId<M>,
    /// What the host is owed. A payment of another amount is not completed.
    pub amount: PositiveMoney,
}

impl<M: Mode> CompleteRequest<M> {
    /// Asks to take or hold `amount`, all that was approved.
    #[must_use]
    pub const fn new(payment: PaymentId<M>, amount: PositiveMoney) -> Self {
        Self { payment, amount }
    }
}

/// Asks to take a held amount.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CaptureRequest<M: Mode> {
    /// The payment that holds it.
    pub payment: PaymentId<M>,
    /// How much of it.
    pub amount: PositiveMoney,
    /// The host's name for this wish.
    pub command: CommandId,
    /// Whether the rest is let go. If not, more can be captured where the provider allows it.
    pub is_final: bool,
}

impl<M: Mode> CaptureRequest<M> {
    /// Asks to take `amount` and to let the rest go.
    #[must_use]
    pub fn new(payment: PaymentId<M>, amount: PositiveMoney, command: CommandId) -> Self {
        Self {
            payment,
            amount,
            command,
            is_final: true,
        }
    }

    /// Keeps the rest held, for another capture.
    #[must_use]
    pub fn keeping_the_rest(mut self) -> Self {
        self.is_final = false;
        self
    }
}

/// Asks to give money back. It must be in the currency of the payment; it is never converted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RefundRequest<M: Mode> {
    /// The payment that it is taken from.
    pub payment: PaymentId<M>,
    /// How much goes back.
    pub amount: PositiveMoney,
    /// The host's name for this wish. Two refunds of the same amount have two names.
    pub command: CommandId,
    /// Why, for the provider's records.
    pub reason: RefundReason,
    /// Whether what a decided dispute has left may be refunded. It is `false` unless set.
    pub after_dispute: bool,
}

impl<M: Mode> RefundRequest<M> {
    /// Asks to give `amount` back because the shopper wants it.
    #[must_use]
    pub fn new(payment: PaymentId<M>, amount: PositiveMoney, command: CommandId) -> Self {
        Self {
            payment,
            amount,
            command,
            reason: RefundReason::RequestedByShopper,
            after_dispute: false,
        }
    }

    /// Allows a refund of what a dispute has left, once it is decided. While it is open, and where
    /// the provider says that it refunds no more of the payment, the refund is still rejected.
    #[must_use]
    pub const fn with_rest_after_dispute(mut self) -> Self {
        self.after_dispute = true;
        self
    }

    /// Says why.
    #[must_use]
    pub fn with_reason(mut self, reason: RefundReason) -> Self {
        self.reason = reason;
        self
    }
}

/// Why money is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RefundReason {
    /// The shopper wants it.
    RequestedByShopper,
    /// It was paid twice.
    Duplicate,
    /// It was fraud.
    Fraud,
}

/// A stretch of time, both ends included; an open end has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The last instant.
    pub to: Option<Timestamp>,
}

impl Period {
    /// From `from` on.
    #[must_use]
    pub const fn since(from: Timestamp) -> Self {
        Self {
            from: Some(from),
            to: None,
        }
    }
}

/// Where a provider's list goes on, in the provider's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub Box<str>);

/// A part of a provider's list.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the provider's order.
    pub items: Vec<T>,
    /// Why others of the same part could not be read, each with its name in [`Error::item`].
    pub unreadable: Vec<Error>,
    /// Where the list goes on; `None` at its end.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// A part of which everything could be read.
    #[must_use]
    pub const fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self {
            items,
            unreadable: Vec::new(),
            next,
        }
    }

    /// A part of which each thing was read by itself, given with the provider's name for it. One
    /// that cannot be read takes none of the others with it.
    ///
    /// # Errors
    /// What is not wrong with that one thing: [`ErrorKind::WrongMode`],
    /// [`ErrorKind::Credentials`], [`ErrorKind::Settings`] and [`ErrorKind::RateLimited`].
    pub fn of_each<N: AsRef<str>>(
        each: impl IntoIterator<Item = (N, Result<T>)>,
        next: Option<Cursor>,
    ) -> Result<Self> {
        let mut page = Self::new(Vec::new(), next);
        for (name, read) in each {
            match read {
                Ok(item) => page.items.push(item),
                Err(error) => match error.kind() {
                    ErrorKind::WrongMode
                    | ErrorKind::Credentials
                    | ErrorKind::Settings
                    | ErrorKind::RateLimited { .. } => return Err(error),
                    _ => page.unreadable.push(error.with_item(name.as_ref())),
                },
            }
        }
        Ok(page)
    }
}

/// Whose account the credentials open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// The provider's id of the account.
    pub id: Box<str>,
    /// The mode that the provider answered in.
    pub mode: ModeKind,
    /// Whether it can take payments now, if the provider says.
    pub can_charge: Option<bool>,
    /// The currencies that it settles in, if the provider says; one that [`Currency`] does not know
    /// is left out.
    pub currencies: Vec<Currency>,
    /// The time on the provider's clock when it answered, if the answer is dated.
    pub answered_at: Option<Timestamp>,
}

impl Account {
    /// An account of which nothing more is known.
    #[must_use]
    pub fn new(id: &str, mode: ModeKind) -> Self {
        Self {
            id: id.into(),
            mode,
            can_charge: None,
            currencies: Vec::new(),
            answered_at: None,
        }
    }
}

/// Only `https` leaves the host, but for a test on this machine.
fn check_url(name: &str, url: &str, mode: ModeKind) -> Result<()> {
    // Providers fill in placeholders such as `{CHECKOUT_SESSION_ID}`; a URI has no braces.
    let filled_in = url.replace(['{', '}'], "_");
    let not_a_url = |_| {
        let message = format!("the {name} is not a URL: write https://…");
        Error::new(ErrorKind::InvalidRequest, message)
    };
    let parsed: http::Uri = filled_in.parse().map_err(not_a_url)?;
    let is_loopback = parsed.host().is_some_and(is_loopback);
    match parsed.scheme_str() {
        Some("https") if parsed.host().is_some() => Ok(()),
        Some("http") if is_loopback && mode == ModeKind::Test => Ok(()),
        scheme => {
            let found = scheme.unwrap_or("no scheme");
            let message = format!(
                "the {name} has {found}: write https://… (http only to this machine, in test mode)"
            );
            Err(Error::new(ErrorKind::InvalidRequest, message))
        }
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}
