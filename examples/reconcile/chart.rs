//! Pictures as inline SVG. Bars stretch to the width of the page; words stand beside them as HTML,
//! so that they stay readable on a phone.

use std::collections::BTreeMap;
use std::fmt::Write;

use counterfoil::clock::Timestamp;
use counterfoil::matching::payout::Day;

use crate::summary::DayTally;

const DAY_S: i64 = 86_400;
/// More columns than this would be thinner than a pixel.
const COLUMNS_MAX: i64 = 1_000;
/// The height of a chart in its own units; its width is its number of columns.
const HEIGHT: u128 = 1_000;

/// A bar cut into parts, each with the class that colours it.
pub(crate) fn bar(parts: &[(&str, u64)]) -> String {
    let whole: u64 = parts.iter().map(|(_, count)| count).sum();
    let mut svg = format!(
        "<svg class=\"bar\" viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
        whole.max(1)
    );
    let mut x = 0;
    for (class, count) in parts {
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"0\" width=\"{count}\" height=\"1\"/>"
        );
        x += count;
    }
    svg.push_str("</svg>");
    svg
}

/// One value of a day that a chart shows, and the class that colours it.
pub(crate) type Series = (&'static str, fn(&DayTally) -> i128);

/// A column for each day, values above zero stacked upwards and those below downwards.
pub(crate) fn by_day(
    title: &str,
    days: &BTreeMap<Day, DayTally>,
    series: &[Series],
    label: impl Fn(i128) -> String,
) -> String {
    let (Some((first, _)), Some((last, _))) = (days.first_key_value(), days.last_key_value())
    else {
        return String::new();
    };
    let start = first.start_utc().unix();
    let span = (last.start_utc().unix() - start) / DAY_S + 1;
    let days_each = (span + COLUMNS_MAX - 1) / COLUMNS_MAX;
    let columns = usize::try_from((span + days_each - 1) / days_each).unwrap_or(1);
    let mut values = vec![vec![0_i128; columns]; series.len()];
    for (day, tally) in days {
        let place = (day.start_utc().unix() - start) / DAY_S / days_each;
        for ((_, value), column) in series.iter().zip(&mut values) {
            if let Some(sum) = usize::try_from(place)
                .ok()
                .and_then(|at| column.get_mut(at))
            {
                *sum += value(tally);
            }
        }
    }
    let stack = |at: usize, up: bool| -> i128 {
        let parts = values.iter().filter_map(|column| column.get(at)).copied();
        parts.filter(|value| (*value > 0) == up).sum()
    };
    let top = (0..columns).map(|at| stack(at, true)).max().unwrap_or(0);
    let bottom = (0..columns)
        .map(|at| stack(at, false))
        .min()
        .unwrap_or(0)
        .min(0);
    let range = (top - bottom).unsigned_abs().max(1);
    let scaled = |value: i128| value.unsigned_abs() * HEIGHT / range;
    let zero = scaled(top);
    let mut svg = format!(
        "<svg class=\"days\" viewBox=\"0 0 {columns} {HEIGHT}\" preserveAspectRatio=\"none\" \
         role=\"img\" aria-label=\"{title}\">"
    );
    let mut ups = vec![zero; columns];
    let mut downs = vec![zero; columns];
    for ((class, _), column) in series.iter().zip(&values) {
        let mut path = String::new();
        for (x, value) in column.iter().enumerate() {
            let height = scaled(*value).max(u128::from(*value != 0) * 8);
            let edge = if *value > 0 {
                ups.get_mut(x)
            } else {
                downs.get_mut(x)
            };
            let Some(edge) = edge.filter(|_| *value != 0) else {
                continue;
            };
            if *value > 0 {
                let _ = write!(path, "M{x} {edge}h1v-{height}h-1z");
                *edge = edge.saturating_sub(height);
            } else {
                let _ = write!(path, "M{x} {edge}h1v{height}h-1z");
                *edge += height;
            }
        }
        let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
    }
    let _ = write!(
        svg,
        "<path class=\"zero\" d=\"M0 {zero}H{columns}\" vector-effect=\"non-scaling-stroke\"/></svg>"
    );
    let low = if bottom < 0 {
        label(bottom)
    } else {
        String::new()
    };
    let each = if days_each == 1 {
        "per day".to_owned()
    } else {
        format!("per {days_each} days")
    };
    let mut ticks = String::new();
    for part in 0..5 {
        let at = Timestamp::from_unix(start + (span - 1) * part / 4 * DAY_S);
        if let Some(day) = Day::of(at, 0) {
            let _ = write!(ticks, "<span>{day}</span>");
        }
    }
    format!(
        "<figure><figcaption>{title} <small>{each}</small></figcaption>\
         <div class=\"plot\"><span class=\"high\">{}</span>{svg}<span class=\"low\">{low}</span></div>\
         <div class=\"ticks\">{ticks}</div></figure>",
        label(top)
    )
}
