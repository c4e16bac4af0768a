//! The hosted pages: checkout, where a shopper pays, and the 3D Secure challenge.
//!
//! They need no scripts and load nothing. Everything that a request brought is escaped.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use super::amounts;
use super::form::Params;
use super::intents::{Intent, Status};
use super::put_header;
use super::sessions::{Session, SessionState};
use super::shopper::{Shopper, ShopperError, ShopperOutcome};
use super::state::{Record, World};

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

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1d2433}\
main{max-width:26rem;margin:0 auto;padding:1.25rem}\
.note{background:#fff3cd;color:#4d3b00;padding:.75rem 1rem;border-radius:.5rem;margin:0 0 1.25rem}\
.card{background:#fff;border-radius:.75rem;padding:1.25rem;box-shadow:0 1px 4px #0002}\
h1{font-size:1.75rem;margin:.25rem 0 1rem}\
table{width:100%;border-collapse:collapse;margin-bottom:1rem}\
td{padding:.25rem 0;vertical-align:top;overflow-wrap:anywhere}td:last-child{text-align:right;white-space:nowrap}\
fieldset{border:0;padding:0;margin:0 0 1rem}legend{font-weight:600;padding:0}\
label{display:block;padding:.6rem 0;border-bottom:1px solid #8883}\
small{color:#5a6478;white-space:nowrap}\
button{font:inherit;font-weight:600;width:100%;padding:.8rem;border:0;border-radius:.5rem;\
background:#0b5fff;color:#fff;margin-bottom:.75rem}\
button.plain{background:#5a6478}\
.error{color:#a40000;font-weight:600}\
@media(prefers-color-scheme:dark){body{background:#14171c;color:#e8eaee}\
.card{background:#1f242c}small{color:#a6afbd}.error{color:#ff8d8d}}";

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
    html(status, "Checkout", &format!("<p>{}</p>\n", escape(text)))
}

fn html(status: StatusCode, title: &str, body: &str) -> Response<Bytes> {
    let title = escape(title);
    let page = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\n\
         <title>{title} (simulation)</title>\n<style>{STYLE}</style>\n<main>\n\
         <p class=note><strong>Simulation.</strong> This is not Stripe. No card is asked for and no \
         money moves.</p>\n<div class=card>\n{body}</div>\n</main>\n</html>\n"
    );
    let mut response = Response::new(Bytes::from(page));
    *response.status_mut() = status;
    put_header(&mut response, "content-type", "text/html; charset=utf-8");
    put_header(&mut response, "cache-control", "no-store");
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'";
    put_header(&mut response, "content-security-policy", policy);
    put_header(&mut response, "x-content-type-options", "nosniff");
    response
}

fn redirect(url: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    put_header(&mut response, "location", url);
    response
}

/// A page is left only for the web, never for `javascript:`.
fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
