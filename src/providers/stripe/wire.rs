//! What Stripe sends, as it sends it: few fields, texts borrowed, every enum open.
//!
//! Answers and webhooks hold the same objects, and a webhook does not tell which one before it has
//! come. One type with the fields of all payment objects is therefore read in one pass, and
//! [`convert`](super::convert) demands the fields that each object must have.
//!
//! Source: the OpenAPI description of version 2026-08-26.dahlia.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{
    Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor, value::MapAccessDeserializer,
};

/// The metadata key under which a payment carries its reference.
pub(super) const REFERENCE_KEY: &str = "counterfoil_reference";
/// The metadata key under which a refund carries the command that asked for it.
pub(super) const COMMAND_KEY: &str = "counterfoil_command";

/// A PaymentIntent, Checkout Session, Charge, Refund, Dispute or Payout.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Object<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) object: Option<Text<'a>>,
    pub(super) livemode: Option<bool>,
    pub(super) created: Option<i64>,
    pub(super) status: Option<Text<'a>>,
    pub(super) amount: Option<i64>,
    pub(super) currency: Option<Text<'a>>,
    pub(super) metadata: Option<Metadata<'a>>,
    /// Of a session, charge, refund or dispute.
    pub(super) payment_intent: Option<Link<'a, Object<'a>>>,

    // PaymentIntent
    pub(super) amount_capturable: Option<i64>,
    pub(super) amount_received: Option<i64>,
    pub(super) cancellation_reason: Option<Text<'a>>,
    pub(super) client_secret: Option<Text<'a>>,
    pub(super) last_payment_error: Option<ApiError<'a>>,
    pub(super) latest_charge: Option<Link<'a, Object<'a>>>,
    pub(super) next_action: Option<NextAction<'a>>,

    // Checkout Session
    pub(super) amount_total: Option<i64>,
    pub(super) client_reference_id: Option<Text<'a>>,
    pub(super) expires_at: Option<i64>,
    pub(super) mode: Option<Text<'a>>,
    pub(super) payment_status: Option<Text<'a>>,
    pub(super) url: Option<Text<'a>>,

    // Charge
    pub(super) amount_captured: Option<i64>,
    pub(super) amount_refunded: Option<i64>,
    pub(super) balance_transaction: Option<Link<'a, BalanceTransaction<'a>>>,
    pub(super) captured: Option<bool>,
    pub(super) failure_code: Option<Text<'a>>,
    pub(super) outcome: Option<Outcome<'a>>,
    pub(super) payment_method_details: Option<PaymentMethodDetails>,
    pub(super) refunded: Option<bool>,

    // Refund and Dispute
    pub(super) charge: Option<Link<'a, Object<'a>>>,
    pub(super) balance_transactions: Option<Vec<DisputeBooking<'a>>>,
    pub(super) evidence_details: Option<EvidenceDetails>,
    pub(super) is_charge_refundable: Option<bool>,
    pub(super) reason: Option<Text<'a>>,

    // Early fraud warning and review
    pub(super) actionable: Option<bool>,
    pub(super) fraud_type: Option<Text<'a>>,
    pub(super) open: Option<bool>,

    // Payout
    pub(super) arrival_date: Option<i64>,
    pub(super) automatic: Option<bool>,
    pub(super) reconciliation_status: Option<Text<'a>>,
}

/// Our own entries among the metadata.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Metadata<'a> {
    #[serde(rename = "counterfoil_reference")]
    pub(super) reference: Option<Text<'a>>,
    #[serde(rename = "counterfoil_command")]
    pub(super) command: Option<Text<'a>>,
}

/// What a charge's processing came to.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Outcome<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) reason: Option<Text<'a>>,
    pub(super) advice_code: Option<Text<'a>>,
}

impl Outcome<'_> {
    /// Whether Radar blocked the charge, so that no bank was asked.
    pub(super) fn is_blocked(&self) -> bool {
        self.kind.as_deref() == Some("blocked")
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct PaymentMethodDetails {
    pub(super) card: Option<CardDetails>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct CardDetails {
    pub(super) capture_before: Option<i64>,
}

/// What Stripe has booked for a dispute: negative when it withdraws, positive when it reinstates.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct DisputeBooking<'a> {
    pub(super) amount: i64,
    pub(super) currency: Text<'a>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct EvidenceDetails {
    pub(super) due_by: Option<i64>,
}

/// What the customer must do next: the page to go to, or the page that says how to pay.
///
/// Stripe may send the details of every other kind as null beside those of the one that applies.
#[derive(Debug, Default)]
pub(super) struct NextAction<'a> {
    /// Where the browser goes.
    pub(super) redirect: Option<Text<'a>>,
    /// The page that says how to pay.
    pub(super) instructions: Option<Text<'a>>,
    /// Whether the customer has a voucher or the details of a bank transfer, and pays elsewhere,
    /// perhaps days later.
    pub(super) is_payable_later: bool,
}

/// The details that say how to pay. Source: `next_action` of a PaymentIntent.
const INSTRUCTIONS: [&str; 9] = [
    "cashapp_handle_redirect_or_display_qr_code",
    "klarna_display_qr_code",
    "paynow_display_qr_code",
    "pix_display_qr_code",
    "promptpay_display_qr_code",
    "swish_handle_redirect_or_display_qr_code",
    "upi_handle_redirect_or_display_qr_code",
    VERIFY_DEPOSITS,
    "wechat_pay_display_qr_code",
];

/// The customer waits a day or two for small deposits, and says then how much they are.
const VERIFY_DEPOSITS: &str = "verify_with_microdeposits";

/// Whether it is a voucher or the details of a bank transfer, also of a kind of tomorrow:
/// `oxxo_display_details`, `display_bank_transfer_instructions`.
fn is_voucher(kind: &str) -> bool {
    let is_transfer = kind.starts_with("display_") && kind.ends_with("_instructions");
    is_transfer || kind.ends_with("_display_details")
}

/// Whether what must be done is done elsewhere and later.
fn is_done_later(kind: &str) -> bool {
    kind == VERIFY_DEPOSITS || is_voucher(kind)
}

impl<'de: 'a, 'a> Deserialize<'de> for NextAction<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NextActionVisitor;

        impl<'de> Visitor<'de> for NextActionVisitor {
            type Value = NextAction<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a next action")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut read = NextAction::default();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if matches!(&*name, "redirect_to_url" | "alipay_handle_redirect") {
                        let page: Option<NextPage<'de>> = map.next_value()?;
                        read.redirect = page.and_then(|page| page.url).or(read.redirect);
                        continue;
                    }
                    if &*name == "type" {
                        let kind: Option<Text<'de>> = map.next_value()?;
                        read.is_payable_later |= kind.is_some_and(|kind| is_done_later(&kind));
                        continue;
                    }
                    if !INSTRUCTIONS.contains(&&*name) && !is_voucher(&name) {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    if let Some(page) = map.next_value::<Option<NextPage<'de>>>()? {
                        read.instructions = page.url.or(read.instructions);
                        read.is_payable_later |= is_done_later(&name);
                    }
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(NextActionVisitor)
    }
}

/// Only one of the names is there; others may be null.
#[derive(Debug, Default)]
struct NextPage<'a> {
    url: Option<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for NextPage<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NextPageVisitor;

        impl<'de> Visitor<'de> for NextPageVisitor {
            type Value = NextPage<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the details of a next action")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                const NAMES: [&str; 4] = [
                    "url",
                    "hosted_instructions_url",
                    "hosted_verification_url",
                    "hosted_voucher_url",
                ];
                let mut read = NextPage::default();
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if NAMES.contains(&&*name) {
                        read.url = map.next_value::<Option<Text<'de>>>()?.or(read.url);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(NextPageVisitor)
    }
}

/// One page of a list.
#[derive(Debug, serde::Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
    /// Where a search goes on.
    pub(super) next_page: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct BalanceTransaction<'a> {
    pub(super) id: Text<'a>,
    pub(super) amount: i64,
    pub(super) created: i64,
    pub(super) currency: Text<'a>,
    pub(super) fee: i64,
    pub(super) net: i64,
    pub(super) reporting_category: Text<'a>,
    pub(super) source: Option<Link<'a, Object<'a>>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Account<'a> {
    pub(super) id: Text<'a>,
    pub(super) charges_enabled: Option<bool>,
    pub(super) default_currency: Option<Text<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct RegisteredEndpoint<'a> {
    pub(super) id: Text<'a>,
    pub(super) url: Text<'a>,
    pub(super) status: Text<'a>,
    pub(super) livemode: bool,
    pub(super) api_version: Option<Text<'a>>,
    pub(super) enabled_events: Vec<Text<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Balance<'a> {
    pub(super) livemode: bool,
    pub(super) available: Vec<BalanceAmount<'a>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct BalanceAmount<'a> {
    pub(super) currency: Text<'a>,
}

/// The body of an answer that is not a success.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ErrorBody<'a> {
    pub(super) error: ApiError<'a>,
}

/// An error. Its `message` is not read: it is free text, and can quote what was sent.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ApiError<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) code: Option<Text<'a>>,
    pub(super) decline_code: Option<Text<'a>>,
    pub(super) advice_code: Option<Text<'a>>,
    pub(super) param: Option<Text<'a>>,
    pub(super) payment_intent: Option<Box<Object<'a>>>,
}

/// A webhook's body, and what it is about as far as `D` reads it.
#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a, D: serde::Deserialize<'de>"))]
pub(super) struct Event<'a, D> {
    pub(super) object: Text<'a>,
    pub(super) id: Text<'a>,
    #[serde(rename = "type")]
    pub(super) kind: Text<'a>,
    /// The connected account that it is about, if it is about one.
    pub(super) account: Option<Text<'a>>,
    pub(super) created: i64,
    pub(super) livemode: bool,
    pub(super) data: D,
}

#[derive(Debug, serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct EventData<'a> {
    pub(super) object: Object<'a>,
}

/// A text of Stripe's. It is borrowed unless it has an escape in it, also inside an `Option`, where
/// serde would copy a `Cow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Another object: only its id, or the object itself where it was expanded.
#[derive(Debug)]
pub(super) enum Link<'a, T> {
    Id(Text<'a>),
    Object(Box<T>),
}

impl<T> Link<'_, T> {
    pub(super) fn object(&self) -> Option<&T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(object),
        }
    }
}

impl<'a> Link<'a, Object<'a>> {
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Object(object) => object.id.as_deref(),
        }
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Link<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinkVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for LinkVisitor<T> {
            type Value = Link<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id or an object")
            }

            fn visit_borrowed_str<E>(self, id: &'de str) -> Result<Self::Value, E> {
                Ok(Link::Id(Text(Cow::Borrowed(id))))
            }

            fn visit_str<E>(self, id: &str) -> Result<Self::Value, E> {
                Ok(Link::Id(Text(Cow::Owned(id.to_owned()))))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let object = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Link::Object(Box::new(object)))
            }
        }

        deserializer.deserialize_any(LinkVisitor(PhantomData))
    }
}
