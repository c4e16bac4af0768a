//! The shop's pages: plain, readable on a phone, and honest. Nobody is thanked before the money has
//! come.

use std::fmt::Write;

use counterfoil::Test;
use counterfoil::cashier::{Concern, Health, OrderRecord, Standing};
use counterfoil::payment::PaymentStatus;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f6f5f1;color:#22261f}\
main{max-width:44rem;margin:0 auto;padding:1.25rem}\
h1{font-size:1.6rem;margin:.5rem 0 1rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}\
.good,.card{background:#fff;border-radius:.75rem;padding:1rem 1.25rem;margin-bottom:1rem;\
box-shadow:0 1px 3px #0002}\
.good{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;justify-content:space-between}\
.price{font-variant-numeric:tabular-nums;white-space:nowrap}\
button{font:inherit;font-weight:600;padding:.55rem 1.1rem;border:0;border-radius:.5rem;\
background:#2f6f4f;color:#fff}\
input{font:inherit;padding:.45rem;width:5.5rem;border:1px solid #8886;border-radius:.4rem}\
.state{font-size:1.25rem;font-weight:600;margin:.25rem 0}\
.scroll{overflow-x:auto}table{width:100%;border-collapse:collapse}\
tr:not(.more):has(+.more) td{border-bottom:0}.id{white-space:nowrap}\
th,td{text-align:left;padding:.45rem .6rem .45rem 0;border-bottom:1px solid #8883;vertical-align:top}\
.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
.muted{color:#666b60}form{margin:0}\
@media(prefers-color-scheme:dark){body{background:#161815;color:#e7e9e3}\
.good,.card{background:#20231e}.muted{color:#a5aa9e}}";

pub(crate) fn front(goods: &[(&str, &str)]) -> String {
    let mut body = String::from("<h1>A small shop</h1>\n");
    for (number, (name, price)) in goods.iter().enumerate() {
        let (name, price) = (escape(name), escape(price));
        let _ = writeln!(
            body,
            "<form class=good method=post action=/><span>{name}</span>\
             <span class=price>{price}</span>\
             <button name=good value={number}>Buy</button></form>"
        );
    }
    page("A small shop", false, &body)
}

pub(crate) fn order(record: &OrderRecord<Test>, name: &str) -> String {
    let state = State::of(record);
    let id = escape(record.order.id.as_str());
    let (name, total) = (escape(name), record.order.total);
    let mut body = format!(
        "<h1>Order {id}</h1>\n<div class=card><p>{name}, <span class=price>{total}</span></p>\n\
         <p class=state id=state>{}</p><p>{}</p>\n",
        state.title,
        escape(&state.text)
    );
    if let Some(button) = state.button {
        let _ = writeln!(
            body,
            "<form method=post><button id=pay>{button}</button></form>"
        );
    }
    body.push_str("</div>\n<p><a href=/>Back to the shop</a></p>\n");
    page(&format!("Order {id}"), state.may_change, &body)
}

/// What a shopper is told.
struct State {
    title: &'static str,
    text: String,
    button: Option<&'static str>,
    may_change: bool,
}

impl State {
    fn of(record: &OrderRecord<Test>) -> Self {
        let (title, text, button, may_change) = match record.standing() {
            Standing::Paid => ("Paid", "Thank you. We are packing it.".into(), None, false),
            Standing::Overpaid { excess } => (
                "Paid",
                format!("{excess} came too much. We will give it back."),
                None,
                false,
            ),
            Standing::Reversed { .. } if is_disputed(record) => (
                "Disputed",
                "Your bank has asked for this payment back. We settle it with your bank.".into(),
                None,
                true,
            ),
            Standing::Reversed { left } if left.is_positive() => (
                "Partly refunded",
                format!("{left} of your payment is left with us."),
                None,
                true,
            ),
            Standing::Reversed { .. } => (
                "Refunded",
                "Your money is on its way back. Banks take some days.".into(),
                None,
                true,
            ),
            Standing::Pending => (
                "Payment under way",
                "Your bank is working on it. This can take days. Please do not pay again.".into(),
                None,
                true,
            ),
            Standing::Authorized => ("Reserved", "The amount is reserved.".into(), None, true),
            Standing::PartlyPaid { short } => (
                "Partly paid",
                format!("{short} is missing."),
                Some("Pay the rest"),
                true,
            ),
            Standing::Unpaid => match declined(record) {
                Some(text) => ("Not paid", text.into(), Some("Try again"), true),
                None => (
                    "Not paid yet",
                    "If you have just paid, this page changes by itself.".into(),
                    Some("Go to payment"),
                    true,
                ),
            },
            _ => (
                "We are looking into it",
                "Something about your payment needs a person. We will write to you.".into(),
                None,
                true,
            ),
        };
        Self {
            title,
            text,
            button,
            may_change,
        }
    }
}

fn is_disputed(record: &OrderRecord<Test>) -> bool {
    let disputes = record.payments.iter().flat_map(|p| p.ledger.disputes());
    disputes
        .into_iter()
        .any(|dispute| dispute.status.holds_money())
}

/// What may be said about the last try, if it was declined.
fn declined(record: &OrderRecord<Test>) -> Option<&'static str> {
    let last = record.payments.last()?.ledger.payment()?;
    match &last.status {
        PaymentStatus::Failed(decline) => Some(decline.shopper_text()),
        _ => None,
    }
}

pub(crate) fn staff(
    orders: &[(OrderRecord<Test>, &str)],
    waiting: &[(&OrderRecord<Test>, Vec<Concern>)],
    health: &Health,
) -> String {
    let mut body = String::from("<h1>Staff</h1>\n<h2>Needs a person</h2>\n");
    if waiting.is_empty() {
        body.push_str("<p class=muted>Nothing.</p>\n");
    }
    for (record, concerns) in waiting {
        let id = escape(record.order.id.as_str());
        for concern in concerns {
            let text = escape(&concern.text);
            let _ = writeln!(body, "<p class=card><strong>{id}</strong> {text}</p>");
        }
    }
    body.push_str(
        "<h2>Orders</h2>\n<div class=scroll><table><tr><th>Order<th>State\
         <th class=num>Total<th class=num>Ours</tr>\n",
    );
    for (record, name) in orders {
        body.push_str(&row(record, name));
    }
    body.push_str("</table></div>\n<h2>Health</h2>\n<div class=scroll><table>\n");
    body.push_str(&health_rows(health));
    body.push_str("</table></div>\n");
    page("Staff", false, &body)
}

fn row(record: &OrderRecord<Test>, name: &str) -> String {
    let id = escape(record.order.id.as_str());
    let state = State::of(record).title;
    let received = record.received().map_or("?".into(), |sum| sum.to_string());
    let left = record.payments.iter().filter_map(|p| p.ledger.payment());
    let left = left
        .filter_map(|payment| record.refundable(&payment.id).ok().flatten())
        .find(|left| left.is_positive());
    let refund = left.map_or(String::new(), |left| {
        let amount = left.to_decimal();
        let command = format!("staff-{}", record.commands.len() + 1);
        format!(
            "<form method=post action=\"/staff/orders/{id}/refund\">\
             <input name=amount value=\"{amount}\" aria-label=Amount>\
             <input type=hidden name=command value={command}> <button>Refund</button></form>"
        )
    });
    let (name, total) = (escape(name), record.order.total);
    format!(
        "<tbody id=\"{id}\"><tr><td class=id><a href=\"/orders/{id}\">{id}</a><td>{state}\
         <td class=num>{total}<td class=num>{received}</tr>\n\
         <tr class=more><td colspan=2 class=muted>{name}<td colspan=2 class=num>{refund}</tr></tbody>\n"
    )
}

fn health_rows(health: &Health) -> String {
    let mut rows = String::new();
    for provider in &health.providers {
        let webhooks = &provider.webhooks;
        let name = format!("{} ({} mode)", provider.provider, provider.mode);
        let last = webhooks.last_at.map_or("never".into(), |at| at.to_string());
        let refused: u64 = webhooks.refused.values().sum();
        let set_aside: u64 = webhooks.set_aside.values().sum();
        let _ = writeln!(
            rows,
            "<tr><td>{name}<td>last webhook {last}, {} events, {refused} refused, \
             {set_aside} set aside</tr>",
            webhooks.events
        );
    }
    let oldest = health.oldest();
    let oldest = oldest.map_or("nothing".into(), |age| format!("{} s", age.as_secs()));
    let _ = writeln!(rows, "<tr><td>Oldest open thing<td>{oldest}</tr>");
    rows
}

pub(crate) fn message(text: &str) -> String {
    let body = format!(
        "<div class=card><p>{}</p></div>\n<p><a href=/>Back to the shop</a></p>\n",
        escape(text)
    );
    page("A small shop", false, &body)
}

/// A page that loads nothing. One that may change asks again every two seconds.
fn page(title: &str, may_change: bool, body: &str) -> String {
    let refresh = match may_change {
        true => "<meta http-equiv=refresh content=2>\n",
        false => "",
    };
    format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\n{refresh}\
         <title>{title}</title>\n<style>{STYLE}</style>\n<main>\n{body}</main>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
