//! What a verified notice says.

use serde::{Deserialize, Serialize};

use crate::capture::Capture;
use crate::clock::Timestamp;
use crate::dispute::Dispute;
use crate::id::{EventId, Namespace, PaymentId, Reference};
use crate::mode::{Mode, ModeKind};
use crate::payment::Payment;
use crate::payout::Payout;
use crate::refund::Refund;
use crate::warning::Warning;

use super::refusal::WebhookRefusal;
use super::unreadable::UnreadableEvent;

/// A verified notice of mode `M`.
///
/// It comes out of [`Provider::webhook`](crate::Provider::webhook) and from nowhere else.
///
/// ```compile_fail
/// # fn forge(draft: counterfoil::webhook::EventDraft<counterfoil::Live>) {
/// let event = counterfoil::webhook::Event::from_verified(draft);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Event<M: Mode>(EventDraft<M>);

impl<M: Mode> Event<M> {
    /// Only the handle calls this, on what a provider's verification let through.
    pub(crate) fn from_verified(draft: EventDraft<M>) -> Self {
        Self(draft)
    }

    /// The same event, saying what the provider has answered when it was asked.
    pub(crate) fn proven(mut self, kind: EventKind<M>) -> Self {
        self.0.kind = kind;
        self.0.authenticity = Authenticity::Body;
        self
    }

    /// The provider's name for the event. The same id again is the same event again.
    #[must_use]
    pub fn id(&self) -> &EventId<M> {
        &self.0.id
    }

    /// The provider's type of the event, as it came.
    #[must_use]
    pub fn type_text(&self) -> &str {
        &self.0.type_text
    }

    /// When it happened, by the provider's clock. It does not order events.
    #[must_use]
    pub fn occurred_at(&self) -> Timestamp {
        self.0.occurred_at
    }

    /// What it says.
    #[must_use]
    pub fn kind(&self) -> &EventKind<M> {
        &self.0.kind
    }

    /// What the signature proves. Behind [`Authenticity::HeaderOnly`],
    /// [prove](crate::Provider::prove) the event before money moves.
    #[must_use]
    pub fn authenticity(&self) -> Authenticity {
        self.0.authenticity
    }

    /// Which of the configured secrets verified it, counted from 0: the old one should fall silent
    /// after a rotation.
    #[must_use]
    pub fn secret_index(&self) -> usize {
        self.0.secret_index
    }

    /// The order and attempt that it is about, if the provider says.
    #[must_use]
    pub fn reference(&self) -> Option<&Reference> {
        self.0.reference()
    }

    /// The payment that it is about, if it is about one.
    #[must_use]
    pub fn payment(&self) -> Option<&Payment<M>> {
        match &self.0.kind {
            EventKind::Payment(payment) => Some(payment),
            _ => None,
        }
    }
}

/// What an event says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind<M: Mode> {
    /// How a payment stood.
    Payment(Box<Payment<M>>),
    /// How a capture stood, where the provider reports each by itself.
    Capture(Box<Capture<M>>),
    /// How a refund stood.
    Refund(Box<Refund<M>>),
    /// How a dispute stood.
    Dispute(Box<Dispute<M>>),
    /// How a payout stood.
    Payout(Box<Payout<M>>),
    /// A report of fraud, or a review, before money is asked back.
    Warning(Box<Warning<M>>),
    /// Something about money that only a person can judge.
    Unclear(Box<Unclear<M>>),
    /// Something that is verified and could not be interpreted. It changes no payment; it is kept
    /// for review.
    Unreadable(Box<UnreadableEvent<M>>),
    /// Something that is not about payments.
    NotAboutPayments,
    /// Something that may be about payments and that this library does not know. Store it, and
    /// fetch what it may be about.
    Unrecognized,
}

impl<M: Mode> EventKind<M> {
    /// A fixed name, for counters and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Payment(_) => "payment",
            Self::Capture(_) => "capture",
            Self::Refund(_) => "refund",
            Self::Dispute(_) => "dispute",
            Self::Payout(_) => "payout",
            Self::Warning(_) => "warning",
            Self::Unclear(_) => "unclear",
            Self::Unreadable(_) => "unreadable",
            Self::NotAboutPayments => "not about payments",
            Self::Unrecognized => "unrecognized",
        }
    }
}

/// Something about money that the provider says and does not prove, or says without what is needed
/// to take it in. It changes no state: a person must look.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct Unclear<M: Mode> {
    /// The payment, if it is named. Otherwise see [`Event::reference`].
    pub payment: Option<PaymentId<M>>,
    /// What may have happened and where to look, for staff to read.
    pub text: Box<str>,
}

impl<M: Mode> Unclear<M> {
    /// Something unclear about a payment, or about the order that the event names.
    #[must_use]
    pub fn new(payment: Option<PaymentId<M>>, text: &str) -> Self {
        Self {
            payment,
            text: text.into(),
        }
    }
}

/// What a provider's verification let through, on its way to become an [`Event`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EventDraft<M: Mode> {
    /// See [`Event::id`].
    pub id: EventId<M>,
    /// See [`Event::type_text`].
    pub type_text: Box<str>,
    /// See [`Event::occurred_at`].
    pub occurred_at: Timestamp,
    /// See [`Event::kind`].
    pub kind: EventKind<M>,
    /// See [`Event::authenticity`].
    pub authenticity: Authenticity,
    /// See [`Event::secret_index`].
    pub secret_index: usize,
    /// The order and attempt of the payment, where the notice is about its refund, say, and names
    /// them all the same.
    pub reference: Option<Reference>,
}

impl<M: Mode> EventDraft<M> {
    /// A draft whose signature covers the body and was made with the first secret.
    #[must_use]
    pub fn new(
        id: EventId<M>,
        type_text: &str,
        occurred_at: Timestamp,
        kind: EventKind<M>,
    ) -> Self {
        Self {
            id,
            type_text: type_text.into(),
            occurred_at,
            kind,
            authenticity: Authenticity::Body,
            secret_index: 0,
            reference: None,
        }
    }

    /// Says what the signature proves.
    #[must_use]
    pub fn with_authenticity(mut self, authenticity: Authenticity) -> Self {
        self.authenticity = authenticity;
        self
    }

    /// Says which of the configured secrets verified it, counted from 0.
    #[must_use]
    pub fn with_secret_index(mut self, secret_index: usize) -> Self {
        self.secret_index = secret_index;
        self
    }

    /// Says which order and attempt it is about, where it is not about the payment itself.
    #[must_use]
    pub fn with_reference(mut self, reference: Option<Reference>) -> Self {
        self.reference = reference;
        self
    }

    fn reference(&self) -> Option<&Reference> {
        match &self.kind {
            EventKind::Payment(payment) => payment.reference.as_ref(),
            _ => self.reference.as_ref(),
        }
    }
}

/// One notice of a genuine webhook, as a provider's verification hands it on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice<M: Mode> {
    /// It is of this mode and account.
    Event(EventDraft<M>),
    /// It is not.
    SetAside(SetAside),
    /// It could not be verified, beside others of the same webhook that could.
    Rejected(WebhookRefusal),
}

impl<M: Mode> Notice<M> {
    /// Sets an event of another installation aside.
    pub(crate) fn within(self, namespace: &Namespace) -> Self {
        match self {
            Self::Event(draft)
                if draft
                    .reference()
                    .is_some_and(|reference| reference.namespace != *namespace) =>
            {
                let reason = SetAsideReason::OtherInstallation;
                Self::SetAside(SetAside::new(draft.id.raw(), &draft.type_text, reason))
            }
            notice => notice,
        }
    }
}

/// A genuine notice that is not for this installation, account and mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetAside {
    /// The provider's id of the notice.
    pub id: Box<str>,
    /// The provider's type of the notice.
    pub type_text: Box<str>,
    /// Why it is not acted on.
    pub reason: SetAsideReason,
    /// The account that the notice says it is of, where it says one.
    #[serde(default)]
    pub account: Option<Box<str>>,
}

impl SetAside {
    /// A notice set aside for `reason`.
    #[must_use]
    pub fn new(id: &str, type_text: &str, reason: SetAsideReason) -> Self {
        Self {
            id: id.into(),
            type_text: type_text.into(),
            reason,
            account: None,
        }
    }

    /// Says of which account it is.
    #[must_use]
    pub fn with_account(mut self, account: Option<&str>) -> Self {
        self.account = account.map(Into::into);
        self
    }
}

/// Why a genuine notice is not acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SetAsideReason {
    /// It is of the other mode: an endpoint of one mode is registered in the other.
    WrongMode {
        /// The mode that the notice says it is of.
        found: ModeKind,
    },
    /// It is of another account.
    OtherAccount,
    /// Its reference is of another installation on the same account.
    OtherInstallation,
}

impl SetAsideReason {
    /// A fixed name, for counters and logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WrongMode { .. } => "wrong mode",
            Self::OtherAccount => "another account",
            Self::OtherInstallation => "another installation",
        }
    }
}

/// What a webhook's signature proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Authenticity {
    /// The provider wrote this body.
    Body,
    /// The provider wrote what moves money: which payment or refund, whose, how much and with what
    /// outcome. The rest of the body, such as times and reasons, may have been changed.
    Facts,
    /// The provider wrote these headers; the body may have been changed. Fetch what it is about
    /// before money moves.
    HeaderOnly,
}
