//! The approval page, where a shopper agrees to pay, chooses how, or goes back.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use super::funding::Funding;
use super::orders::{self, Order, State};
use super::shopper::{self, Shopper, ShopperError, ShopperOutcome};
use super::state::World;
use crate::html::escape;
use crate::simulator::page::{self, is_web, redirect};

/// Answers `/checkoutnow?token=ORDER`.
pub(super) fn answer(world: &mut World, request: &Request<Bytes>) -> Response<Bytes> {
    let query = request.uri().query().unwrap_or_default();
    let Some(order) = value(query.as_bytes(), "token") else {
        return message(StatusCode::NOT_FOUND, "There is no such order.");
    };
    let said = |name| value(request.body(), name).unwrap_or_default();
    match *request.method() {
        Method::GET => show(world, &order, None),
        Method::POST => act(world, &order, &said("action"), &said("funding")),
        _ => message(
            StatusCode::METHOD_NOT_ALLOWED,
            "This page is not used like that.",
        ),
    }
}

fn value(form: &[u8], name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(form);
    let found = pairs.find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

fn act(world: &mut World, order: &str, action: &str, funding: &str) -> Response<Bytes> {
    let mut shopper = Shopper::new(world);
    let outcome = match (action, Funding::named(funding)) {
        ("pass", _) => shopper.pass_challenge(order),
        ("fail", _) => shopper.fail_challenge(order),
        ("cancel", _) => shopper.cancel(order),
        (_, Some(funding)) => shopper.approve(order, funding),
        (_, None) => Err(ShopperError("Choose how to pay.".to_owned())),
    };
    match outcome {
        Ok(ShopperOutcome::Approved { return_url }) => leave(return_url, "Approved."),
        Ok(ShopperOutcome::Cancelled { cancel_url }) => leave(cancel_url, "Nothing was paid."),
        Ok(ShopperOutcome::Challenged { url }) => redirect(&url),
        Ok(ShopperOutcome::Declined) => show(
            world,
            order,
            Some("Your bank declined. Choose another way to pay."),
        ),
        Err(ShopperError(problem)) => show(world, order, Some(&problem)),
    }
}

/// On to the shop, if it said where.
fn leave(url: Option<String>, text: &str) -> Response<Bytes> {
    match url {
        Some(url) if is_web(&url) => redirect(&url),
        _ => message(StatusCode::OK, &format!("{text} You can close this page.")),
    }
}

fn show(world: &World, id: &str, error: Option<&str>) -> Response<Bytes> {
    let Ok(order) = orders::known(world, id) else {
        return message(StatusCode::NOT_FOUND, "There is no such order.");
    };
    match order.state {
        State::Completed => message(StatusCode::OK, "This order is paid."),
        _ if order.lapsed => message(
            StatusCode::GONE,
            "This page has expired. Nothing was charged.",
        ),
        State::Challenged => challenge(&order),
        _ => choice(&order, error),
    }
}

fn choice(order: &Order, error: Option<&str>) -> Response<Bytes> {
    let total = order.display_total();
    let shop = order.page.brand_name.as_deref().unwrap_or("the shop");
    let mut body = format!(
        "<h1>{}</h1>\n<p>To {}</p>\n<table>\n",
        escape(&total),
        escape(shop)
    );
    for unit in &order.units {
        let what = unit.description.as_deref().or(unit.invoice_id.as_deref());
        let line = what.unwrap_or(&unit.reference_id);
        body += &format!(
            "<tr><td>{}<td>{}\n",
            escape(line),
            escape(&unit.amount.display())
        );
    }
    body += "</table>\n";
    if let Some(error) = error {
        body += &format!("<p class=error role=alert>{}</p>\n", escape(error));
    }
    body += "<form method=post>\n<fieldset><legend>Pay with a test method that …</legend>\n";
    for (at, (_, name, effect)) in Funding::CHOICES.iter().enumerate() {
        let checked = if at == 0 { " checked" } else { "" };
        body += &format!(
            "<label><input type=radio name=funding value={name}{checked}> {effect}</label>\n"
        );
    }
    let agree = if order.page.pays_now {
        "Pay now"
    } else {
        "Continue"
    };
    body += &format!(
        "</fieldset>\n<button name=action value=approve>{agree}</button>\n\
         <button name=action value=cancel class=plain>Cancel and return</button>\n</form>\n"
    );
    if shopper::cancel_url(order).is_none() {
        body += "<p><small>To walk away, close this page.</small>\n";
    }
    page::html("PayPal", StatusCode::OK, &format!("Pay {total}"), &body)
}

fn challenge(order: &Order) -> Response<Bytes> {
    let body = format!(
        "<h1>Is this you?</h1>\n<p>Your bank asks you to confirm a payment of {}.</p>\n\
         <form method=post>\n\
         <button name=action value=pass>Yes, confirm</button>\n\
         <button name=action value=fail class=plain>No, this fails</button>\n</form>\n\
         <p><small>To walk away, close this page.</small>\n",
        escape(&order.display_total())
    );
    page::html("PayPal", StatusCode::OK, "Confirm with your bank", &body)
}

fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    page::message("PayPal", status, text)
}
