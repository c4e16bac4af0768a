//! The hosted pages: checkout, where a shopper pays, and the 3D Secure challenge.
//!
//! They need no scripts and load nothing. Everything that a request brought is escaped.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use super::amounts;
use super::form::Params;
use super::intents::{Intent, Status};
use super::sessions::{Session, SessionState};
use super::shopper::{Shopper, ShopperError, ShopperOutcome};
use super::state::{Record, World};
use crate::html::escape;
use crate::simulator::page::{self, is_web, redirect};

/// What a shopper can choose: the test payment method, and what it does.
const CHOICES: &[(&str, &str, &str)] = &[
    ("pm_card_visa", "Card •••• 4242", "pays"),
    (
        "pm_card_visa_chargeDeclined",
        "Card •••• 0002",
        "is declined",
    ),
    (
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "Card •••• 9995",
        "has too little money",
    ),
    (
        "pm_card_authenticationRequired",
        "Card •••• 3184",
        "asks for 3D Secure",
    ),
    (
        "pm_card_radarBlock",
        "Card •••• 0019",
        "is blocked as risky",
    ),
    (
        "pm_card_createDispute",
        "Card •••• 0259",
        "pays, then disputes",
    ),
];
const EURO_CHOICES: &[(&str, &str, &str)] = &[
    (
        "pm_sepaDebit_success",
        "SEPA debit •••• 3201",
        "pays after three days",
    ),
    (
        "pm_sepaDebit_failed",
        "SEPA debit •••• 3202",
        "fails after three days",
    ),
];
const DOLLAR_CHOICES: &[(&str, &str, &str)] = &[
    (
        "pm_usBankAccount_success",
        "US bank account •••• 6789",
        "pays after three days",
    ),
    (
        "pm_usBankAccount_insufficientFunds",
        "US bank account •••• 2227",
        "fails after three days",
    ),
];

/// Answers a request for a page; `path` starts behind `/c/`.
pub(super) fn answer(world: &mut World, request: &Request<Bytes>, path: &str) -> Response<Bytes> {
    let posts = request.method() == Method::POST;
    if !posts && request.method() != Method::GET {
        return message(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page is not used like that.",
        );
    }
    let form = std::str::from_utf8(request.body()).ok();
    let mut form = form
        .and_then(|form| Params::decode(form).ok())
        .unwrap_or_default();
    let mut said = |name| form.text(name).ok().flatten().unwrap_or_default();
    match path.split_once('/') {
        Some(("pay", id)) if posts => pay(world, id, &said("method")),
        Some(("pay", id)) => checkout(world, id, None),
        Some(("challenge", id)) if posts => answer_challenge(world, id, &said("answer")),
        Some(("challenge", id)) => challenge(world, id),
        _ => message(StatusCode::NOT_FOUND, "There is no such page."),
    }
}

fn pay(world: &mut World, id: &str, method: &str) -> Response<Bytes> {
    match Shopper::new(world).pay(id, method) {
        Ok(ShopperOutcome::Challenged { url }) => redirect(&url),
        Ok(ShopperOutcome::Declined { message }) => checkout(world, id, Some(&message)),
        Ok(_) => leave(world, id),
        Err(ShopperError(message)) => checkout(world, id, Some(&message)),
    }
}

/// After paying: on to the shop.
fn leave(world: &World, session: &str) -> Response<Bytes> {
    let session = world.sessions.get(session);
    match session.and_then(Session::landing_url) {
        Some(url) if is_web(&url) => redirect(&url),
        _ => message(StatusCode::OK, "Done. You can close this page."),
    }
}

fn checkout(world: &World, id: &str, error: Option<&str>) -> Response<Bytes> {
    let Some(session) = world.sessions.get(id) else {
        return message(StatusCode::NOT_FOUND, "There is no such payment.");
    };
    match session.state {
        SessionState::Open => {}
        SessionState::Complete => return message(StatusCode::OK, "This payment is done."),
        SessionState::Expired => {
            return message(
                StatusCode::GONE,
                "This page has expired. Nothing was charged.",
            );
        }
    }
    let total = amounts::display(session.amount, &session.currency);
    let mut body = format!("<h1>{}</h1>\n<table>\n", escape(&total));
    for item in &session.items {
        let line = format!("{} × {}", item.quantity, item.name);
        let price = amounts::display(item.total(), &session.currency);
        body += &format!("<tr><td>{}<td>{}\n", escape(&line), escape(&price));
    }
    body += "</table>\n";
    if let Some(error) = error {
        body += &format!("<p class=error role=alert>{}</p>\n", escape(error));
    }
    body += "<form method=post>\n<fieldset><legend>Pay with a test method that …</legend>\n";
    let debits: &[(&str, &str, &str)] = match session.currency.as_str() {
        _ if session.captures_later() => &[],
        "eur" => EURO_CHOICES,
        "usd" => DOLLAR_CHOICES,
        _ => &[],
    };
    for (at, (method, name, effect)) in CHOICES.iter().chain(debits).enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        body += &format!(
            "<label><input type=radio name=method value={method}{checked}> \
             {effect} <small>{name}</small></label>\n"
        );
    }
    body += &format!(
        "</fieldset>\n<button>Pay {}</button>\n</form>\n",
        escape(&total)
    );
    match &session.cancel_url {
        Some(url) if is_web(url) => {
            body += &format!(
                "<p><a href=\"{}\">Go back without paying</a>\n",
                escape(url)
            );
        }
        _ => body += "<p><small>To walk away, close this page.</small>\n",
    }
    html(StatusCode::OK, &format!("Pay {total}"), &body)
}

fn challenge(world: &World, id: &str) -> Response<Bytes> {
    let Some(intent) = world.intents.get(id) else {
        return message(StatusCode::NOT_FOUND, "There is no such payment.");
    };
    if intent.status != Status::RequiresAction {
        return message(StatusCode::OK, "There is nothing to confirm.");
    }
    let amount = escape(&amounts::display(intent.amount, &intent.currency));
    let body = format!(
        "<h1>Is this you?</h1>\n<p>Your bank asks you to confirm a payment of {amount}.</p>\n\
         <form method=post>\n\
         <button name=answer value=pass>Yes, confirm</button>\n\
         <button name=answer value=fail class=plain>No, this fails</button>\n</form>\n\
         <p><small>To walk away, close this page.</small>\n"
    );
    html(StatusCode::OK, "3D Secure", &body)
}

fn answer_challenge(world: &mut World, id: &str, answer: &str) -> Response<Bytes> {
    let mut shopper = Shopper::new(world);
    let outcome = match answer {
        "pass" => shopper.pass_challenge(id),
        "fail" => shopper.fail_challenge(id),
        _ => return challenge(world, id),
    };
    let found = world.find::<Intent>(id);
    let (Ok(outcome), Ok(intent)) = (outcome, found) else {
        return challenge(world, id);
    };
    if let Some(session) = &intent.session {
        return match outcome {
            ShopperOutcome::Declined { message } => checkout(world, session, Some(&message)),
            _ => leave(world, session),
        };
    }
    match &intent.return_url {
        Some(url) if is_web(url) => redirect(&come_back(&intent, url, &outcome)),
        _ => message(StatusCode::OK, "Done. You can close this page."),
    }
}

/// The shop's own page, with what Stripe adds to its query.
fn come_back(intent: &Intent, url: &str, outcome: &ShopperOutcome) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let status = match outcome {
        ShopperOutcome::Declined { .. } => "failed",
        _ => "succeeded",
    };
    let (id, secret) = (intent.id(), intent.client_secret());
    format!(
        "{url}{separator}payment_intent={id}&payment_intent_client_secret={secret}\
         &redirect_status={status}"
    )
}

fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    page::message("Stripe", status, text)
}

fn html(status: StatusCode, title: &str, body: &str) -> Response<Bytes> {
    page::html("Stripe", status, title, body)
}
