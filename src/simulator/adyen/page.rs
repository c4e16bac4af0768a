//! The pages: of a link, of a session in place of the drop-in, and of a shopper's bank.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use super::links::LinkStatus;
use super::methods::refusal_text;
use super::payments::{Payment, PaymentState, Source, Step};
use super::sessions::{Order, SessionStatus};
use super::shopper::{Shopper, ShopperError, ShopperOutcome};
use super::state::World;
use crate::html::escape;
use crate::simulator::page::{self, is_web, redirect};

const SERVICE: &str = "Adyen";

/// What a shopper can choose: the test method with its trigger, its name, and what it does.
const CHOICES: &[(&str, &str, &str)] = &[
    ("visa", "Visa •••• 1111", "pays"),
    ("mc", "Mastercard •••• 1111", "pays"),
    ("visa:DECLINED", "Visa, DECLINED", "is refused"),
    (
        "visa:NOT_ENOUGH_BALANCE",
        "Visa, NOT_ENOUGH_BALANCE",
        "has too little money",
    ),
    ("visa:CARD_EXPIRED", "Visa, CARD_EXPIRED", "has expired"),
    (
        "visa:CVC_DECLINED",
        "Visa, CVC_DECLINED",
        "has another security code",
    ),
    ("visa:FRAUD", "Visa, FRAUD", "is refused as fraud"),
    (
        "visa:ISSUER_UNAVAILABLE",
        "Visa, ISSUER_UNAVAILABLE",
        "has an issuer who is away",
    ),
    ("visa_3ds", "Visa •••• 0000", "asks for 3D Secure"),
    (
        "visa:SIM_CAPTURE_FAILED",
        "Visa, SIM_CAPTURE_FAILED",
        "pays, and the capture fails later",
    ),
    (
        "visa:SIM_REFUND_FAILED",
        "Visa, SIM_REFUND_FAILED",
        "pays, and refunds fail later",
    ),
    (
        "visa:SIM_CHARGEBACK",
        "Visa, SIM_CHARGEBACK",
        "pays, then charges back",
    ),
];
const EURO_CHOICES: &[(&str, &str, &str)] = &[
    ("ideal", "iDEAL", "pays at the bank"),
    ("sepadirectdebit", "SEPA debit", "pays after three days"),
    (
        "sepadirectdebit:SIM_PENDING_REFUSED",
        "SEPA debit",
        "fails after three days",
    ),
];

/// Answers a request for a page, if `path` is one.
pub(super) fn answer(
    world: &mut World,
    request: &Request<Bytes>,
    path: &str,
) -> Option<Response<Bytes>> {
    let bank = path.strip_prefix("/checkoutshopper/authenticate/");
    let page = path
        .strip_prefix("/PL")
        .or_else(|| path.strip_prefix("/CS"));
    let id = match (bank, page) {
        (Some(psp), _) => psp,
        (None, Some(_)) => path.trim_start_matches('/'),
        (None, None) => return None,
    };
    let posts = request.method() == Method::POST;
    if !posts && request.method() != Method::GET {
        let text = "This page is not used like that.";
        return Some(message(StatusCode::METHOD_NOT_ALLOWED, text));
    }
    let said = |name: &str| {
        let pairs = form_urlencoded::parse(request.body());
        let mut fitting = pairs.filter(|(key, _)| key == name);
        fitting
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Some(match (bank, posts) {
        (Some(_), true) => answer_bank(world, id, &said("answer")),
        (Some(_), false) => at_bank(world, id),
        (None, true) if said("cancel") == "yes" => {
            let _ = Shopper::new(world).cancel(id);
            leave(world, id)
        }
        (None, true) => pay(world, id, &said("method")),
        (None, false) => checkout(world, id, None),
    })
}

fn pay(world: &mut World, id: &str, method: &str) -> Response<Bytes> {
    let outcome = Shopper::new(world).pay(id, method);
    after(world, id, outcome)
}

/// Where the shopper of a page goes after a try to pay.
fn after(
    world: &World,
    id: &str,
    outcome: Result<ShopperOutcome, ShopperError>,
) -> Response<Bytes> {
    match outcome {
        Ok(ShopperOutcome::SentTo { url }) => redirect(&url),
        Ok(ShopperOutcome::Refused { code }) => {
            let text = format!(
                "Refused: {} ({code}). Try another method.",
                refusal_text(code)
            );
            checkout(world, id, Some(&text))
        }
        Ok(ShopperOutcome::Cancelled) => checkout(world, id, Some("You have cancelled.")),
        Ok(ShopperOutcome::Error) => checkout(world, id, Some("It ended in an error.")),
        Ok(_) => leave(world, id),
        Err(ShopperError(text)) => checkout(world, id, Some(&text)),
    }
}

/// On to the shop.
fn leave(world: &World, id: &str) -> Response<Bytes> {
    let url = match (world.links.get(id), world.sessions.get(id)) {
        (Some(link), _) => link.order.return_url.clone(),
        (None, Some(session)) => session.landing_url(),
        (None, None) => None,
    };
    match url {
        Some(url) if is_web(&url) => redirect(&url),
        _ => message(StatusCode::OK, "Done. You can close this page."),
    }
}

fn checkout(world: &World, id: &str, error: Option<&str>) -> Response<Bytes> {
    let (order, can_cancel) = match open_order(world, id) {
        Ok(found) => found,
        Err((status, text)) => return message(status, text),
    };
    let total = order.amount.display();
    let mut body = format!(
        "<h1>{}</h1>\n<table>\n<tr><td>To<td>{}\n<tr><td>For<td>{}\n</table>\n",
        escape(&total),
        escape(&order.merchant),
        escape(&order.reference)
    );
    if let Some(error) = error {
        body += &format!("<p class=error role=alert>{}</p>\n", escape(error));
    }
    body += "<form method=post>\n<fieldset><legend>Pay with a test method that …</legend>\n";
    let debits = if order.amount.currency == "EUR" {
        EURO_CHOICES
    } else {
        &[]
    };
    for (at, (method, name, effect)) in CHOICES.iter().chain(debits).enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        body += &format!(
            "<label><input type=radio name=method value=\"{method}\"{checked}> \
             {effect} <small>{name}</small></label>\n"
        );
    }
    body += &format!(
        "</fieldset>\n<button>Pay {}</button>\n</form>\n",
        escape(&total)
    );
    if can_cancel {
        body += "<form method=post>\n<button name=cancel value=yes class=plain>Cancel</button>\n\
                 </form>\n";
    }
    body += "<p><small>To walk away, close this page.</small>\n";
    page::html(SERVICE, StatusCode::OK, &format!("Pay {total}"), &body)
}

/// The order of a page that can be paid; and whether it can be given up.
fn open_order<'w>(
    world: &'w World,
    id: &str,
) -> Result<(&'w Order, bool), (StatusCode, &'static str)> {
    let over = "This page has expired. Nothing was charged.";
    if let Some(link) = world.links.get(id) {
        return match link.status {
            LinkStatus::Active => Ok((&link.order, false)),
            LinkStatus::Expired => Err((StatusCode::GONE, over)),
            LinkStatus::PaymentPending => Err((StatusCode::OK, "This payment is under way.")),
            LinkStatus::Completed => Err((StatusCode::OK, "This payment is done.")),
        };
    }
    match world.sessions.get(id) {
        Some(session) => match session.status {
            SessionStatus::Active => Ok((&session.order, true)),
            SessionStatus::Expired => Err((StatusCode::GONE, over)),
            _ => Err((StatusCode::OK, "This payment is done.")),
        },
        None => Err((StatusCode::NOT_FOUND, "There is no such payment.")),
    }
}

fn at_bank(world: &World, psp: &str) -> Response<Bytes> {
    let Some(payment) = world.payments.get(psp) else {
        return message(StatusCode::NOT_FOUND, "There is no such payment.");
    };
    let PaymentState::Action(step, None) = payment.state else {
        return message(StatusCode::OK, "There is nothing to confirm.");
    };
    let (title, refusal) = match step {
        Step::AtBank => ("Pay at your bank", ""),
        _ => (
            "Is this you?",
            "<button name=answer value=fail class=plain>No, this fails</button>\n",
        ),
    };
    let amount = escape(&payment.amount.display());
    let body = format!(
        "<h1>{title}</h1>\n<p>Your bank asks you to confirm a payment of {amount}.</p>\n\
         <form method=post>\n<button name=answer value=pass>Yes, confirm</button>\n{refusal}\
         <button name=answer value=cancel class=plain>Cancel</button>\n</form>\n\
         <p><small>To walk away, close this page.</small>\n"
    );
    page::html(SERVICE, StatusCode::OK, title, &body)
}

fn answer_bank(world: &mut World, psp: &str, answer: &str) -> Response<Bytes> {
    let mut shopper = Shopper::new(world);
    let outcome = match answer {
        "pass" => shopper.approve(psp),
        "fail" => shopper.fail(psp),
        "cancel" => shopper.cancel(psp),
        _ => return at_bank(world, psp),
    };
    let (Ok(outcome), Some(payment)) = (outcome, world.payments.get(psp)) else {
        return at_bank(world, psp);
    };
    match &payment.source {
        Source::Link(id) | Source::Session(id) => after(world, &id.clone(), Ok(outcome)),
        Source::Api => come_back(payment),
    }
}

/// The shop's own page, with what `/payments/details` takes.
fn come_back(payment: &Payment) -> Response<Bytes> {
    match &payment.return_url {
        Some(url) if is_web(url) => {
            let separator = if url.contains('?') { '&' } else { '?' };
            let token = &payment.result_token;
            redirect(&format!("{url}{separator}redirectResult={token}"))
        }
        _ => message(StatusCode::OK, "Done. You can close this page."),
    }
}

fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    page::message(SERVICE, status, text)
}
