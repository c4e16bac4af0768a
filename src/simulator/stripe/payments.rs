//! What happens to an intent: confirming, authenticating, capturing, cancelling, expiring.

use std::time::Duration;

use super::amounts;
use super::charges::{self, Charge};
use super::customers::{self, PaymentMethod};
use super::errors::ApiError;
use super::form::Params;
use super::intents::{Intent, Redirects, Status};
use super::sessions;
use super::state::{Record, Task, World};
use super::tokens::{self, Behaviour, Decline};

/// How long an authorization stands before it is released.
pub(super) const AUTHORIZED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a bank debit is on its way.
const DEBIT_TAKES: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What a request says about confirming.
#[derive(Debug, Clone, Default)]
pub(super) struct Confirmation {
    pub(super) return_url: Option<String>,
    off_session: bool,
    error_on_requires_action: bool,
}

impl Confirmation {
    pub(super) fn take(params: &mut Params) -> Result<Self, ApiError> {
        let off_session = params.filled("off_session")?;
        Ok(Self {
            return_url: params.filled("return_url")?,
            off_session: off_session.is_some_and(|said| said != "false"),
            error_on_requires_action: params.boolean("error_on_requires_action")?.unwrap_or(false),
        })
    }

    /// A payment method that redirects needs somewhere to come back to.
    pub(super) fn check(&self, intent: &Intent) -> Result<(), ApiError> {
        let has_url = self.return_url.is_some() || intent.return_url.is_some();
        let may_redirect = intent.automatic_methods == Some(Redirects::Always);
        if has_url || !may_redirect || self.off_session || self.error_on_requires_action {
            return Ok(());
        }
        let message = "This PaymentIntent is configured to accept payment methods enabled in your \
                       Dashboard. Because some of these payment methods might redirect your \
                       customer off of your page, you must provide a `return_url`. If you don't \
                       want to accept redirect-based payment methods, set \
                       `automatic_payment_methods[enabled]` to `true` and \
                       `automatic_payment_methods[allow_redirects]` to `never` when creating \
                       Payment Intents.";
        Err(ApiError::invalid_request(message))
    }
}

/// Confirms an intent with the given payment method, or with the one that it has.
pub(super) fn confirm(
    world: &mut World,
    id: &str,
    method: Option<PaymentMethod>,
    confirmation: Confirmation,
) -> Result<(), ApiError> {
    let mut intent: Intent = world.find(id)?;
    let open = matches!(
        intent.status,
        Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction
    );
    if !open {
        let message = format!(
            "This PaymentIntent's status is {}, so it cannot be confirmed.",
            intent.status.as_str()
        );
        return Err(intent.unexpected_state(world, &message));
    }
    let method = match (method, &intent.payment_method) {
        (Some(method), _) => method,
        (None, Some(known)) => world.find(known)?,
        (None, None) => {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment \
                           method. Update the PaymentIntent with a payment method and then \
                           confirm it again.";
            return Err(intent.unexpected_state(world, message));
        }
    };
    check_method(&intent, &method)?;
    if intent.capture_method == "manual"
        && matches!(method.method.behaviour, Behaviour::Debits { .. })
    {
        let message = format!(
            "The payment method type {} cannot be used with capture_method manual",
            method.method.kind.as_str()
        );
        return Err(ApiError::refused(
            "payment_method_unsupported_type",
            &message,
        ));
    }
    intent.payment_method = Some(method.id.clone());
    intent.return_url = confirmation.return_url.clone().or(intent.return_url);
    intent.last_payment_error = None;

    if method.method.behaviour == Behaviour::Challenges {
        if confirmation.off_session || confirmation.error_on_requires_action {
            return decline(world, intent, &method, tokens::AUTHENTICATION_REQUIRED);
        }
        intent.status = Status::RequiresAction;
        finish(world, intent, "payment_intent.requires_action");
        return Ok(());
    }
    attempt(world, intent, &method, false)
}

/// The shopper passed the challenge.
pub(super) fn pass_challenge(world: &mut World, id: &str) -> Result<(), ApiError> {
    let (intent, method) = challenged(world, id)?;
    attempt(world, intent, &method, true)
}

/// The shopper failed the challenge.
pub(super) fn fail_challenge(world: &mut World, id: &str) -> Result<(), ApiError> {
    let (mut intent, method) = challenged(world, id)?;
    let message = "We are unable to authenticate your payment method. Please choose a different \
                   payment method and try again.";
    let error = ApiError::refused("payment_intent_authentication_failure", message);
    intent.last_payment_error = Some(with_method(world, error, &method).object());
    intent.status = Status::RequiresPaymentMethod;
    intent.payment_method = None;
    finish(world, intent, "payment_intent.payment_failed");
    Ok(())
}

fn challenged(world: &World, id: &str) -> Result<(Intent, PaymentMethod), ApiError> {
    let intent: Intent = world.find(id)?;
    match (&intent.payment_method, intent.status) {
        (Some(method), Status::RequiresAction) => {
            let method = world.find(method)?;
            Ok((intent, method))
        }
        _ => Err(intent.unexpected_state(world, "There is no challenge to answer.")),
    }
}

fn check_method(intent: &Intent, method: &PaymentMethod) -> Result<(), ApiError> {
    if method.customer.is_none() && method.used {
        return Err(customers::used_up());
    }
    if method.customer.is_some() && method.customer != intent.customer {
        let message = "The provided PaymentMethod belongs to a customer. You must set the \
                       `customer` of the PaymentIntent to that customer.";
        return Err(ApiError::refused(
            "payment_method_customer_mismatch",
            message,
        ));
    }
    match method.method.kind.only_currency() {
        Some(only) if only != intent.currency => {
            let message = format!(
                "The currency provided ({}) is invalid for the payment method type {}.",
                intent.currency,
                method.method.kind.as_str()
            );
            Err(
                ApiError::refused("payment_intent_invalid_currency", &message)
                    .with_param("currency"),
            )
        }
        _ => Ok(()),
    }
}

/// Takes the money, or is told that there is none.
fn attempt(
    world: &mut World,
    intent: Intent,
    method: &PaymentMethod,
    authenticated: bool,
) -> Result<(), ApiError> {
    match method.method.behaviour {
        Behaviour::Declines(said) => decline(world, intent, method, said),
        Behaviour::Blocks => decline(world, intent, method, tokens::BLOCKED),
        Behaviour::Debits { .. } => {
            start_debit(world, intent, method);
            Ok(())
        }
        _ => {
            authorize(world, intent, method, authenticated);
            Ok(())
        }
    }
}

fn decline(
    world: &mut World,
    mut intent: Intent,
    method: &PaymentMethod,
    said: Decline,
) -> Result<(), ApiError> {
    let charge = Charge::declined(world, &intent, method, said);
    let error = with_method(
        world,
        said.error().with("charge", charge.id.clone().into()),
        method,
    );
    intent.latest_charge = Some(charge.id.clone());
    intent.last_payment_error = Some(error.object());
    intent.status = Status::RequiresPaymentMethod;
    intent.payment_method = None;
    world.put_and_emit(charge, "charge.failed");
    finish(world, intent.clone(), "payment_intent.payment_failed");
    let rendered = intent.render(world);
    Err(error.with("payment_intent", rendered))
}

fn with_method(world: &World, error: ApiError, method: &PaymentMethod) -> ApiError {
    error.with("payment_method", method.render(world))
}

fn authorize(world: &mut World, mut intent: Intent, method: &PaymentMethod, authenticated: bool) {
    let mut used = method.clone();
    used.used = true;
    if intent.setup_future_usage.is_some() && intent.customer.is_some() {
        used.customer.clone_from(&intent.customer);
    }
    world.put(used);
    let capture = intent.capture_method != "manual";
    let mut charge = Charge::succeeded(world, &intent, method, capture);
    charge.authenticated = authenticated;
    let charge_id = charge.id.clone();
    intent.latest_charge = Some(charge_id.clone());
    if !capture {
        intent.status = Status::RequiresCapture;
        intent.amount_capturable = intent.amount;
        let expiry = Task::ExpireAuthorization(intent.id.clone());
        world.plan(AUTHORIZED_FOR, expiry);
        world.put_and_emit(charge, "charge.succeeded");
        finish(world, intent, "payment_intent.amount_capturable_updated");
        return;
    }
    intent.status = Status::Succeeded;
    intent.amount_received = intent.amount;
    let asynchronous = intent.capture_method == "automatic_async";
    world.put(charge);
    if asynchronous {
        // The balance transaction follows; until then the charge shows none.
        world.plan(
            Duration::from_secs(1),
            Task::SettleCharge(charge_id.clone()),
        );
    } else {
        charges::book(world, &charge_id, intent.amount);
    }
    charges::emit(world, &charge_id, "charge.succeeded");
    finish(world, intent, "payment_intent.succeeded");
    charges::after_success(world, &charge_id);
}

fn start_debit(world: &mut World, mut intent: Intent, method: &PaymentMethod) {
    let charge = Charge::pending(world, &intent, method);
    intent.latest_charge = Some(charge.id.clone());
    intent.status = Status::Processing;
    world.plan(DEBIT_TAKES, Task::FinishDebit(intent.id.clone()));
    world.put_and_emit(charge, "charge.pending");
    finish(world, intent, "payment_intent.processing");
}

/// The bank has answered a debit.
pub(super) fn finish_debit(world: &mut World, id: &str) {
    let Ok(mut intent) = world.find::<Intent>(id) else {
        return;
    };
    let Some(charge_id) = intent.latest_charge.clone() else {
        return;
    };
    let Some(method) = charges::method_of(world, &charge_id) else {
        return;
    };
    let fails = matches!(method.method.behaviour, Behaviour::Debits { fails: true });
    if fails {
        let error = ApiError::card(
            "charge_exceeds_source_limit",
            Some("insufficient_funds"),
            "The customer's account has insufficient funds to cover this payment.",
        );
        let error = error.with("charge", charge_id.clone().into());
        intent.last_payment_error = Some(with_method(world, error, &method).object());
        intent.status = Status::RequiresPaymentMethod;
        intent.payment_method = None;
        charges::fail_pending(world, &charge_id);
        finish(world, intent, "payment_intent.payment_failed");
        return;
    }
    intent.status = Status::Succeeded;
    intent.amount_received = intent.amount;
    let amount = intent.amount;
    charges::succeed_pending(world, &charge_id);
    charges::book(world, &charge_id, amount);
    charges::emit(world, &charge_id, "charge.succeeded");
    finish(world, intent, "payment_intent.succeeded");
}

/// Stores the intent, tells the world, and lets its session follow.
fn finish(world: &mut World, intent: Intent, event: &str) {
    let id = intent.id.clone();
    world.update_and_emit(intent, event);
    super::search::plan(world, &id);
    sessions::follow(world, &id);
}

/// Captures what was authorized, or a part of it.
pub(super) fn capture(
    world: &mut World,
    id: &str,
    amount: Option<i64>,
    final_capture: bool,
) -> Result<(), ApiError> {
    let mut intent: Intent = world.find(id)?;
    if intent.status != Status::RequiresCapture {
        let status = intent.status.as_str();
        let message = format!(
            "This PaymentIntent could not be captured because it has a status of {status}. Only a \
             PaymentIntent with one of the following statuses may be captured: requires_capture."
        );
        return Err(intent.unexpected_state(world, &message));
    }
    let amount = amount.unwrap_or(intent.amount_capturable);
    amounts::movable(amount, &intent.currency, "amount_to_capture")?;
    if amount > intent.amount_capturable {
        let most = amounts::display(intent.amount_capturable, &intent.currency);
        let message = format!(
            "The amount to capture is greater than the amount that can be captured: {most}"
        );
        return Err(ApiError::refused("amount_too_large", &message).with_param("amount_to_capture"));
    }
    if !final_capture && !intent.multicapture {
        let message = "final_capture=false needs multicapture, which is not available for this \
                       payment. Ask for it with \
                       payment_method_options[card][request_multicapture]=if_available.";
        return Err(
            ApiError::refused("payment_intent_invalid_parameter", message)
                .with_param("final_capture"),
        );
    }
    intent.amount_received += amount;
    intent.amount_capturable -= amount;
    let done = final_capture || intent.amount_capturable == 0;
    let charge = intent.latest_charge.clone().unwrap_or_default();
    charges::capture(world, &charge, amount, done);
    if done {
        intent.amount_capturable = 0;
        intent.status = Status::Succeeded;
        finish(world, intent, "payment_intent.succeeded");
        charges::after_success(world, &charge);
    } else {
        finish(world, intent, "payment_intent.amount_capturable_updated");
    }
    Ok(())
}

/// Cancels an intent at the merchant's wish.
pub(super) fn cancel(
    world: &mut World,
    id: &str,
    reason: Option<&'static str>,
) -> Result<(), ApiError> {
    let intent: Intent = world.find(id)?;
    let cancelable = matches!(
        intent.status,
        Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::RequiresCapture
    );
    if !cancelable {
        let message = format!(
            "You cannot cancel this PaymentIntent because it has a status of {}. Only a \
             PaymentIntent with one of the following statuses may be canceled: \
             requires_payment_method, requires_capture, requires_confirmation, requires_action, \
             processing.",
            intent.status.as_str()
        );
        return Err(intent.unexpected_state(world, &message));
    }
    if intent.session.is_some() && intent.status != Status::RequiresCapture {
        let message = "You cannot cancel this PaymentIntent because it was created by Checkout. \
                       Expire the Checkout Session instead.";
        return Err(intent.unexpected_state(world, message));
    }
    close(world, intent, reason);
    Ok(())
}

/// Cancels an intent and releases what it holds.
pub(super) fn close(world: &mut World, mut intent: Intent, reason: Option<&'static str>) {
    if intent.status == Status::RequiresCapture
        && let Some(charge) = intent.latest_charge.clone()
    {
        let expired = reason == Some("automatic");
        charges::release(world, &charge, expired);
    }
    // What was captured in parts stays captured; only the rest is let go.
    intent.status = if intent.amount_received > 0 {
        Status::Succeeded
    } else {
        Status::Canceled
    };
    intent.amount_capturable = 0;
    if intent.status == Status::Succeeded {
        finish(world, intent, "payment_intent.succeeded");
        return;
    }
    intent.canceled_at = Some(world.now);
    intent.cancellation_reason = reason;
    finish(world, intent, "payment_intent.canceled");
}

/// An authorization that no one captured is released by Stripe.
pub(super) fn expire_authorization(world: &mut World, id: &str) {
    if let Ok(intent) = world.find::<Intent>(id)
        && intent.status == Status::RequiresCapture
    {
        close(world, intent, Some("automatic"));
    }
}
