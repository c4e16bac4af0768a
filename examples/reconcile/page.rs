//! One page that explains itself, to look at, print and keep: no script, nothing from elsewhere.

use std::fmt::Write;

use counterfoil::matching::RULES_VERSION;
use counterfoil::matching::payout::PayoutVerdict;
use counterfoil::money::{Currency, decimal_from_minor};

use crate::app::percent;
use crate::chart::{Series, bar, by_day};
use crate::input::Input;
use crate::policy::PolicyFile;
use crate::summary::{Group, PayoutTally, Summary, Tally};

/// How many payouts that do not close are shown.
const SHOWN_MAX: usize = 25;

/// The page.
pub(crate) fn write(summary: &Summary, input: &Input, policy: &PolicyFile) -> String {
    let mut page = String::with_capacity(256 << 10);
    page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    page.push_str("<title>Reconciliation</title><style>");
    page.push_str(include_str!("page.css"));
    page.push_str("</style></head><body>\n");
    header(&mut page, summary);
    if summary.orders > 0 {
        picture(&mut page, summary);
        days(&mut page, summary);
        differences(&mut page, summary);
        people(&mut page, summary);
        classes(&mut page, summary);
    }
    if summary.payouts.payouts > 0 {
        payouts(&mut page, &summary.payouts);
    }
    rejected(&mut page, input);
    footer(&mut page, summary, policy);
    page.push_str("</body></html>\n");
    page
}

fn header(page: &mut String, summary: &Summary) {
    page.push_str("<header><h1>Reconciliation</h1><p class=\"soft\">");
    if let (Some((first, _)), Some((last, _))) = (
        summary.days.first_key_value(),
        summary.days.last_key_value(),
    ) {
        let _ = write!(page, "Orders of {first} to {last}. ");
    }
    for (code, tally) in &summary.paid {
        let sum = money(tally.minor, Currency::from_code(code).ok());
        let _ = write!(page, "{} payments of {sum} {code}. ", grouped(tally.count));
    }
    for (code, tally) in &summary.payouts.net {
        let sum = money(tally.minor, Currency::from_code(code).ok());
        let _ = write!(page, "{} payouts of {sum} {code}. ", grouped(tally.count));
    }
    page.push_str("</p></header>\n");
}

fn picture(page: &mut String, summary: &Summary) {
    let tally = |group: Group| summary.groups.get(&group).copied().unwrap_or_default();
    let settled = tally(Group::Matched).count + tally(Group::Split).count;
    let _ = write!(
        page,
        "<p class=\"lead\"><strong>{}</strong> of {} orders are settled; <strong>{}</strong> are \
         not.</p>",
        percent(settled, summary.orders),
        grouped(summary.orders),
        grouped(summary.orders - settled)
    );
    let parts = Group::ALL.map(|group| (group.name(), tally(group).count));
    page.push_str(&bar(&parts));
    let unsettled = parts.get(2..).unwrap_or_default();
    if settled < summary.orders {
        let _ = write!(
            page,
            "<div class=\"enlarged\"><small>What is not settled, enlarged</small>{}</div>",
            bar(unsettled)
        );
    }
    page.push_str("<ul class=\"tiles\">");
    for group in Group::ALL {
        let meaning = match group {
            Group::Matched => "one payment, right",
            Group::Split => "several payments, right",
            Group::Short => "missing: too little came, or nothing",
            Group::Over => "too much came",
            Group::Open => "nothing can be said yet",
        };
        let _ = write!(
            page,
            "<li class=\"{name}\">{name}<b>{}</b><small>{}{}<br>{meaning}</small></li>",
            grouped(tally(group).count),
            percent(tally(group).count, summary.orders),
            with_money(group, tally(group), summary),
            name = group.name(),
        );
    }
    page.push_str("</ul>\n");
}

fn days(page: &mut String, summary: &Summary) {
    let settled: [Series; 2] = [
        ("matched", |day| i128::from(day.groups[0])),
        ("split", |day| i128::from(day.groups[1])),
    ];
    let unsettled: [Series; 3] = [
        ("short", |day| i128::from(day.groups[2])),
        ("over", |day| i128::from(day.groups[3])),
        ("open", |day| i128::from(day.groups[4])),
    ];
    let amounts: [Series; 2] = [
        ("over", |day| day.over_minor),
        ("short", |day| day.short_minor),
    ];
    let count = |value: i128| grouped_signed(value);
    let currency = summary.currency();
    page.push_str("<h2>By day of the order</h2>");
    page.push_str(&by_day("Settled orders", &summary.days, &settled, count));
    page.push_str(&by_day(
        "Orders not settled",
        &summary.days,
        &unsettled,
        count,
    ));
    if summary.paid.len() == 1 {
        let label = |minor| money(minor, currency);
        page.push_str(&by_day(
            "Too much, and too little",
            &summary.days,
            &amounts,
            label,
        ));
    }
}

fn differences(page: &mut String, summary: &Summary) {
    if summary.differences.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Largest differences</h2><div class=\"scroll\"><table><tr><th>Order</th>\
         <th class=\"wide\">Day</th><th>Class</th><th class=\"n\">Total</th>\
         <th class=\"n\">Difference</th></tr>",
    );
    for difference in &summary.differences {
        let currency = difference.total.currency();
        let day = difference
            .day
            .map(|day| day.to_string())
            .unwrap_or_default();
        let _ = write!(
            page,
            "<tr><td class=\"id\">{}</td><td class=\"wide\">{day}</td><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{} {currency}</td></tr>",
            escaped(&difference.order),
            escaped(&difference.class.replace('_', " ")),
            money(i128::from(difference.total.minor()), Some(currency)),
            signed(i128::from(difference.minor), Some(currency)),
        );
    }
    page.push_str("</table></div>\n");
}

fn people(page: &mut String, summary: &Summary) {
    page.push_str("<h2>What needs a person</h2>");
    let mut short = summary.of_kind("under");
    short.add_all(summary.of_kind("unpaid"));
    let over = summary.of_kind("over");
    let (groups, alike) = summary.identical;
    page.push_str("<div class=\"scroll\"><table>");
    let currency = summary.only_currency();
    let mut row = |count: u64, what: &str, sum: String| {
        if count > 0 {
            let code = currency.map_or("", Currency::code);
            let sum = currency.map_or_else(String::new, |_| format!("{sum} {code}"));
            let _ = write!(
                page,
                "<tr><td class=\"n\">{}</td><td>{what}</td><td class=\"n\">{sum}</td></tr>",
                grouped(count)
            );
        }
    };
    row(
        short.count,
        "orders to which money is missing: remind, or cancel",
        signed(short.difference, currency),
    );
    row(
        over.count,
        "orders for which too much came: interest, a fee, or money to give back",
        signed(over.difference, currency),
    );
    row(
        summary.suspected.count,
        "payments that look sent twice: without them their order would be paid exactly",
        money(summary.suspected.minor, currency),
    );
    for (what, tally) in &summary.open_payments {
        let what = format!("payments: {}", escaped(what));
        row(tally.count, &what, money(tally.minor, currency));
    }
    page.push_str("</table></div>");
    if groups > 0 {
        let _ = write!(
            page,
            "<p class=\"soft\">{} orders have payments alike in method and amount, {} in all. \
             That is not a fault: all are counted.</p>",
            grouped(groups),
            grouped(alike)
        );
    }
    if summary.cases.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Largest payments among them</h2><div class=\"scroll\"><table><tr><th>Payment</th>\
         <th class=\"n\">Amount</th><th>What is known</th></tr>",
    );
    for case in &summary.cases {
        let currency = case.amount.currency();
        let _ = write!(
            page,
            "<tr><td class=\"id\">{}</td><td class=\"n\">{} {currency}</td><td>{}</td></tr>",
            escaped(&case.id),
            money(i128::from(case.amount.minor()), Some(currency)),
            escaped(&case.sentence)
        );
    }
    page.push_str("</table></div>\n");
}

fn classes(page: &mut String, summary: &Summary) {
    page.push_str(
        "<h2>All orders</h2><div class=\"scroll\"><table><tr><th>Class</th>\
         <th class=\"n\">Orders</th><th class=\"n\">Share</th><th class=\"n\">Paid</th>\
         <th class=\"n\">Less owed</th></tr>",
    );
    let mut row = |name: &str, tally: Tally| {
        let currency = summary.only_currency();
        let [paid, difference] = match currency {
            Some(_) => [
                money(tally.minor, currency),
                signed(tally.difference, currency),
            ],
            None => [String::new(), String::new()],
        };
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{paid}</td><td class=\"n\">{difference}</td></tr>",
            escaped(name),
            grouped(tally.count),
            percent(tally.count, summary.orders),
        );
    };
    let mut all = Tally::default();
    for (class, tally) in &summary.classes {
        row(&class.replace('_', " "), *tally);
        all.add_all(*tally);
    }
    row("all", all);
    page.push_str("</table></div>\n");
}

fn payouts(page: &mut String, tally: &PayoutTally) {
    page.push_str("<h2>Payouts</h2>");
    let _ = write!(
        page,
        "<p class=\"lead\"><strong>{}</strong> of {} payouts close to the minor unit; {} close \
         with a named residual, {} are open.</p>",
        percent(tally.closed, tally.payouts),
        grouped(tally.payouts),
        grouped(tally.with_residual),
        grouped(tally.open)
    );
    page.push_str(&bar(&[
        ("matched", tally.closed),
        ("over", tally.with_residual),
        ("open", tally.open),
    ]));
    let _ = write!(
        page,
        "<p>{} of {} lines are in a payout for certain, {} of them a business day late.</p>",
        grouped(tally.placed),
        grouped(tally.lines),
        grouped(tally.late)
    );
    if !tally.lines_open.is_empty() {
        page.push_str("<div class=\"scroll\"><table>");
        for (reason, count) in &tally.lines_open {
            let count = grouped(*count);
            let _ = write!(
                page,
                "<tr><td class=\"n\">{count}</td><td>lines open: {reason}</td></tr>"
            );
        }
        page.push_str("</table></div>");
    }
    if !tally.unexplained.is_empty() {
        unexplained(page, tally);
    }
}

fn unexplained(page: &mut String, tally: &PayoutTally) {
    page.push_str(
        "<h2>Payouts that do not close</h2><div class=\"scroll\"><table><tr><th>Payout</th>\
         <th>Value date</th><th class=\"n\">Paid</th><th class=\"n\">Lines due</th>\
         <th class=\"n\">Difference</th><th class=\"wide\">What is known</th></tr>",
    );
    for payout in tally.unexplained.iter().take(SHOWN_MAX) {
        let currency = payout.net.currency();
        let known = match payout.verdict {
            PayoutVerdict::Open(reason) => reason.to_string(),
            _ => payout
                .residuals
                .iter()
                .map(|residual| format!("{} {}", residual.label, residual.amount))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let _ = write!(
            page,
            "<tr><td class=\"id\">{}</td><td class=\"day\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{} {currency}</td>\
             <td class=\"wide\">{}</td></tr>",
            escaped(&payout.payout),
            payout.value_date,
            money(i128::from(payout.net.minor()), Some(currency)),
            money(i128::from(payout.expected.minor()), Some(currency)),
            signed(i128::from(payout.difference_minor()), Some(currency)),
            escaped(&known)
        );
    }
    page.push_str("</table></div>\n");
    if let Some(rest) = tally.unexplained.len().checked_sub(SHOWN_MAX + 1) {
        let _ = write!(page, "<p class=\"soft\">And {} more.</p>", rest + 1);
    }
}

fn rejected(page: &mut String, input: &Input) {
    if input.rejected_count == 0 {
        return;
    }
    let _ = write!(
        page,
        "<h2>Rows left out</h2><p>{} rows of the files are not sound and were not used.</p><ul>",
        grouped(input.rejected_count)
    );
    for (file, row) in input.rejected.iter().take(50) {
        let _ = write!(
            page,
            "<li>{}, {}</li>",
            escaped(file),
            escaped(&row.to_string())
        );
    }
    page.push_str("</ul>\n");
}

fn footer(page: &mut String, summary: &Summary, policy: &PolicyFile) {
    let rounding = i128::from(policy.matching.rounding_minor);
    let rounding = match summary.currency() {
        Some(currency) => format!("{} {currency}", money(rounding, Some(currency))),
        None => format!("{rounding} minor units"),
    };
    let _ = write!(
        page,
        "<footer>Differences of up to {rounding} count as rounding. Sums are exact. Shares are cut \
         off, not rounded. Rules of version {RULES_VERSION}, counterfoil {}.</footer>",
        env!("CARGO_PKG_VERSION")
    );
}

/// The money of a group: what is missing or too much where that is what counts, else what came.
fn with_money(group: Group, tally: Tally, summary: &Summary) -> String {
    let Some(currency) = summary.only_currency() else {
        return String::new();
    };
    let shown = match group {
        Group::Short | Group::Over => signed(tally.difference, Some(currency)),
        Group::Matched | Group::Split | Group::Open => money(tally.minor, Some(currency)),
    };
    format!("<br>{shown} {currency}")
}

/// An amount with its decimals and with groups of three digits.
pub(crate) fn money(minor: i128, currency: Option<Currency>) -> String {
    let exponent = currency.map_or(0, Currency::exponent);
    let Ok(minor) = i64::try_from(minor) else {
        return format!("{minor} minor units");
    };
    let text = decimal_from_minor(minor, exponent);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, whole) = whole
        .strip_prefix('-')
        .map_or(("", whole), |whole| ("−", whole));
    let whole = grouped(whole.parse().unwrap_or(0));
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

pub(crate) fn signed(minor: i128, currency: Option<Currency>) -> String {
    let plus = if minor > 0 { "+" } else { "" };
    format!("{plus}{}", money(minor, currency))
}

fn grouped_signed(value: i128) -> String {
    grouped(u64::try_from(value).unwrap_or(0))
}

/// A number with a comma between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text that is safe inside an element.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
