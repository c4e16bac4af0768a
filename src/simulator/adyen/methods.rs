//! Test payment methods, and the triggers that decide what becomes of a payment.

use serde_json::{Map, Value};

use super::errors::ApiError;

/// A payment method as a shopper has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Method {
    /// What requests call it: `scheme`, `ideal`, `sepadirectdebit`.
    pub(super) kind: &'static str,
    /// What notices and reports call it: `visa`, `mc`, `ideal`, `sepadirectdebit`.
    pub(super) variant: &'static str,
    /// The last digits.
    pub(super) summary: &'static str,
    /// Whether the bank asks for 3D Secure.
    pub(super) challenges: bool,
}

/// Methods by the name that [`Shopper::pay`](super::Shopper::pay) takes.
const METHODS: &[(&str, Method)] = &[
    ("visa", VISA),
    (
        "mc",
        Method {
            kind: "scheme",
            variant: "mc",
            summary: "1111",
            challenges: false,
        },
    ),
    (
        "visa_3ds",
        Method {
            kind: "scheme",
            variant: "visa",
            summary: "0000",
            challenges: true,
        },
    ),
    (
        "ideal",
        Method {
            kind: "ideal",
            variant: "ideal",
            summary: "",
            challenges: false,
        },
    ),
    (
        "sepadirectdebit",
        Method {
            kind: "sepadirectdebit",
            variant: "sepadirectdebit",
            summary: "3201",
            challenges: false,
        },
    ),
];
const VISA: Method = Method {
    kind: "scheme",
    variant: "visa",
    summary: "1111",
    challenges: false,
};

/// Adyen's test cards, in the form in which a test request may carry them.
const CARDS: &[(&str, &str)] = &[
    ("test_4111111111111111", "visa"),
    ("test_5555444433331111", "mc"),
    ("test_4917610000000000", "visa_3ds"),
];

/// What becomes of a payment, beyond being paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// It is refused, with this refusal reason code.
    Refuse(u8),
    /// The result is `Error`.
    Error,
    /// Half of the amount is authorised.
    AuthorisePart,
    /// It is pending for a day.
    Pend { authorised: bool },
    /// Captures are refused.
    RefuseCapture,
    /// Captures succeed, and fail after an hour.
    FailCapture,
    /// Cancellations are refused.
    RefuseCancel,
    /// Refunds are refused.
    RefuseRefund,
    /// Refunds succeed, and fail after an hour.
    FailRefund,
    /// Refunds succeed, and come back from the shopper's bank after an hour.
    ReverseRefund,
    /// Refunds take an hour.
    SlowRefund,
    /// It is charged back an hour after it was captured.
    ChargeBack,
    /// The bank that 3D Secure asks is content without asking the shopper.
    PassUnasked,
}

/// Refusal reasons: the code, the text, and the holder name that asks for it.
///
/// The numbers and texts are Adyen's; of the holder names only `DECLINED`, `NOT_ENOUGH_BALANCE` and
/// `CARD_EXPIRED` are documented, the others follow their pattern and are unverified.
const REFUSALS: &[(u8, &str, &str)] = &[
    (2, "Refused", "DECLINED"),
    (3, "Referral", "REFERRAL"),
    (4, "Acquirer Error", "ACQUIRER_ERROR"),
    (5, "Blocked Card", "BLOCK_CARD"),
    (6, "Expired Card", "CARD_EXPIRED"),
    (7, "Invalid Amount", "INVALID_AMOUNT"),
    (8, "Invalid Card Number", "INVALID_CARD"),
    (9, "Issuer Unavailable", "ISSUER_UNAVAILABLE"),
    (10, "Not supported", "NOT_SUPPORTED"),
    (11, "3D Not Authenticated", "NOT_3D_AUTHENTICATED"),
    (12, "Not enough balance", "NOT_ENOUGH_BALANCE"),
    (14, "Acquirer Fraud", "ACQUIRER_FRAUD"),
    (15, "Cancelled", "CANCELLED"),
    (16, "Shopper Cancelled", "SHOPPER_CANCELLED"),
    (17, "Invalid Pin", "INVALID_PIN"),
    (18, "Pin tries exceeded", "PIN_TRIES_EXCEEDED"),
    (20, "FRAUD", "FRAUD"),
    (21, "Not Submitted", "NOT_SUBMITTED"),
    (22, "FRAUD-CANCELLED", "FRAUD_CANCELLED"),
    (23, "Transaction Not Permitted", "TRANSACTION_NOT_PERMITTED"),
    (24, "CVC Declined", "CVC_DECLINED"),
    (25, "Restricted Card", "RESTRICTED_CARD"),
    (26, "Revocation Of Auth", "REVOCATION_OF_AUTH"),
    (27, "Declined Non Generic", "DECLINED_NON_GENERIC"),
    (
        28,
        "Withdrawal amount exceeded",
        "WITHDRAWAL_AMOUNT_EXCEEDED",
    ),
    (29, "Withdrawal count exceeded", "WITHDRAWAL_COUNT_EXCEEDED"),
    (31, "Issuer Suspected Fraud", "ISSUER_SUSPECTED_FRAUD"),
    (32, "AVS Declined", "AVS_DECLINED"),
    (38, "Authentication required", "AUTHENTICATION_REQUIRED"),
    (39, "RReq not received from DS", "RREQ_NOT_RECEIVED"),
    (42, "3DS Authentication Error", "3DS_AUTHENTICATION_ERROR"),
    (
        46,
        "Transaction blocked by Adyen to prevent excessive retry fees",
        "EXCESSIVE_RETRIES",
    ),
];

/// Triggers of the simulator's own, given as holder name.
const OWN: &[(&str, Trigger)] = &[
    ("SIM_ERROR", Trigger::Error),
    ("SIM_PARTLY_AUTHORISED", Trigger::AuthorisePart),
    ("SIM_PENDING", Trigger::Pend { authorised: true }),
    ("SIM_PENDING_REFUSED", Trigger::Pend { authorised: false }),
    ("SIM_CAPTURE_REFUSED", Trigger::RefuseCapture),
    ("SIM_CAPTURE_FAILED", Trigger::FailCapture),
    ("SIM_CANCEL_REFUSED", Trigger::RefuseCancel),
    ("SIM_REFUND_REFUSED", Trigger::RefuseRefund),
    ("SIM_REFUND_FAILED", Trigger::FailRefund),
    ("SIM_REFUND_REVERSED", Trigger::ReverseRefund),
    ("SIM_REFUND_SLOW", Trigger::SlowRefund),
    ("SIM_CHARGEBACK", Trigger::ChargeBack),
    ("SIM_FRICTIONLESS", Trigger::PassUnasked),
];

/// The text of a refusal reason.
pub(super) fn refusal_text(code: u8) -> &'static str {
    let found = REFUSALS.iter().find(|(known, _, _)| *known == code);
    found.map_or("Refused", |(_, text, _)| text)
}

/// The trigger that a holder name is; any other name is just a name.
pub(super) fn by_holder(name: &str) -> Option<Trigger> {
    let refusal = REFUSALS.iter().find(|(_, _, holder)| *holder == name);
    match refusal {
        Some((code, _, _)) => Some(Trigger::Refuse(*code)),
        None => Some(OWN.iter().find(|(holder, _)| *holder == name)?.1),
    }
}

/// The trigger of `additionalData.RequestedTestAcquirerResponseCode`.
pub(super) fn by_response_code(code: &str) -> Option<Trigger> {
    let code = code.parse().ok()?;
    let known = REFUSALS.iter().any(|(number, _, _)| *number == code);
    known.then_some(Trigger::Refuse(code))
}

/// A method and a trigger by a name such as `visa`, `visa_3ds` or `mc:NOT_ENOUGH_BALANCE`.
pub(super) fn by_name(name: &str) -> Option<(Method, Option<Trigger>)> {
    let (method, trigger) = match name.split_once(':') {
        Some((method, trigger)) => (method, Some(by_holder(trigger)?)),
        None => (name, None),
    };
    let (_, method) = METHODS.iter().find(|(known, _)| *known == method)?;
    Some((*method, trigger))
}

/// What the `paymentMethod` of a request says.
#[derive(Debug)]
pub(super) enum Chosen {
    /// A method, with the trigger that its holder name is.
    Method(Method, Option<Trigger>),
    /// A card that was stored before.
    Stored(String),
}

/// Reads the `paymentMethod` of a request. Real card numbers are not taken.
pub(super) fn choose(method: &Map<String, Value>) -> Result<Chosen, ApiError> {
    let text = |name: &str| method.get(name).and_then(Value::as_str);
    let stored = text("storedPaymentMethodId").or_else(|| text("recurringDetailReference"));
    if let Some(id) = stored {
        return Ok(Chosen::Stored(id.to_owned()));
    }
    let trigger = |name| text(name).and_then(by_holder);
    match text("type") {
        Some("scheme" | "card") | None => {
            let Some(card) = text("encryptedCardNumber") else {
                let message = "Raw card data is not allowed";
                return Err(if method.contains_key("number") {
                    ApiError::not_allowed()
                } else {
                    ApiError::validation(
                        "14_004",
                        &format!("Missing payment method details: {message}"),
                    )
                });
            };
            let card = card.replace(' ', "");
            let known = CARDS.iter().find(|(number, _)| *number == card);
            let found = known.and_then(|(_, name)| by_name(name));
            let (method, _) =
                found.ok_or_else(|| ApiError::validation("101", "Invalid card number"))?;
            if text("encryptedSecurityCode").is_some_and(|code| code != "test_737") {
                // A wrong code is refused by the issuer, not by the API.
                return Ok(Chosen::Method(method, Some(Trigger::Refuse(24))));
            }
            Ok(Chosen::Method(method, trigger("holderName")))
        }
        Some("sepadirectdebit") => {
            if text("iban").is_none() || text("ownerName").is_none() {
                let message = "Required field 'iban' or 'ownerName' is not provided.";
                return Err(ApiError::validation("14_002", message));
            }
            let (method, _) = by_name("sepadirectdebit").ok_or_else(unknown)?;
            Ok(Chosen::Method(method, trigger("ownerName")))
        }
        Some("ideal") => {
            let (method, _) = by_name("ideal").ok_or_else(unknown)?;
            Ok(Chosen::Method(method, None))
        }
        Some(_) => Err(unknown()),
    }
}

fn unknown() -> ApiError {
    ApiError::validation("905", "Payment details are not supported")
}
