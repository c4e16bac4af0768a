//! From the files to the verdicts, the table and the page.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Instant;

use counterfoil::Live;
use counterfoil::matching::payout::{PayoutMatches, match_by_report, match_by_terms};
use counterfoil::matching::{Batch, RowError};

use crate::args::Args;
use crate::input::{Input, read};
use crate::page::{money, signed};
use crate::policy::{PolicyFile, load};
use crate::summary::{PayoutTally, Summary, Tally};
use crate::{output, page};

/// Reconciles and writes what was asked for; the table for people goes to `out`.
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Result<(), String> {
    let policy = load(args.policy.as_deref())?;
    let started = Instant::now();
    let input = read(args, &policy)?;
    let read_in = started.elapsed();

    let started = Instant::now();
    let batch = batch(&input, &policy)?;
    let report = args.orders.is_some().then(|| batch.run());
    let payouts = payouts(&input, &policy);
    let matched_in = started.elapsed();

    let mut summary = match &report {
        Some(report) => Summary::of(&input, report),
        None => Summary::default(),
    };
    for matches in &payouts {
        summary.payouts(matches);
    }
    if let Some(report) = &report {
        if let Some(path) = &args.verdicts {
            output::verdicts(path, report)?;
        }
        if let Some(path) = &args.matches {
            output::matches(path, &input, report)?;
        }
    }
    if let Some(path) = &args.lines {
        // What the provider reports is certain; only without it do the terms speak.
        if let Some(best) = payouts.first() {
            output::lines(path, best)?;
        }
    }
    if let Some(path) = &args.evidence {
        output::evidence(path, &input, report.as_ref(), &payouts)?;
    }
    if let Some(path) = &args.html {
        let page = page::write(&summary, &input, &policy);
        std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    table(out, &summary, &input, &policy).map_err(|error| error.to_string())?;
    let rows = input.orders.len() + input.entries.len() + input.payouts.len();
    eprintln!(
        "{rows} rows read in {} ms, matched in {} ms",
        read_in.as_millis(),
        matched_in.as_millis()
    );
    Ok(())
}

fn batch(input: &Input, policy: &PolicyFile) -> Result<Batch<Live>, String> {
    let mut batch = Batch::new(policy.matching.clone());
    let failed = |id: &str, error: RowError| format!("{id}: {error}");
    for order in &input.orders {
        let taken = batch.order(&order.row());
        taken.map_err(|error| failed(&order.id, error))?;
    }
    for entry in &input.entries {
        let taken = batch.entry(&entry.row());
        taken.map_err(|error| failed(&entry.id, error))?;
    }
    Ok(batch)
}

/// By the provider's report if there is one, else by the declared terms.
fn payouts(input: &Input, policy: &PolicyFile) -> Vec<PayoutMatches> {
    if input.payouts.is_empty() && input.report.is_empty() {
        return Vec::new();
    }
    let terms = &policy.payouts;
    let rails: Vec<&str> = terms
        .methods
        .iter()
        .map(|term| term.rail.as_str())
        .collect();
    let rails: HashSet<&str> = rails.into_iter().collect();
    let mut rails: Vec<&str> = rails.into_iter().collect();
    rails.sort_unstable();
    let rows: Vec<_> = input
        .payouts
        .iter()
        .map(|payout| payout.row(&rails))
        .collect();
    if input.report.is_empty() {
        let lines: Vec<_> = input
            .entries
            .iter()
            .filter_map(|entry| entry.line())
            .collect();
        return vec![match_by_terms(&rows, &lines, terms)];
    }
    let known: HashSet<&str> = input
        .entries
        .iter()
        .map(|entry| entry.id.as_str())
        .collect();
    let report: Vec<_> = input.report.iter().map(|line| line.row()).collect();
    vec![match_by_report(&rows, &report, &known)]
}

/// The table for people.
fn table(
    out: &mut impl Write,
    summary: &Summary,
    input: &Input,
    policy: &PolicyFile,
) -> io::Result<()> {
    if summary.orders > 0 {
        orders(out, summary)?;
        writeln!(out)?;
        payments(out, summary)?;
        writeln!(
            out,
            "\n  Differences of up to {} minor units count as rounding.",
            policy.matching.rounding_minor
        )?;
    }
    if summary.payouts.payouts > 0 {
        writeln!(out)?;
        payout_lines(out, &summary.payouts)?;
    }
    broken_statements(out, input)?;
    if input.rejected_count > 0 {
        writeln!(out, "\n  {} rows were left out:", input.rejected_count)?;
        for (file, row) in input.rejected.iter().take(10) {
            writeln!(out, "    {file}, {row}")?;
        }
        if input.rejected_count > 10 {
            writeln!(out, "    … (up to 1,000 a file are in the evidence)")?;
        }
    }
    Ok(())
}

/// The bank statements whose balances do not hold, each with the reason.
fn broken_statements(out: &mut impl Write, input: &Input) -> io::Result<()> {
    let all = input.statements.iter().zip(&input.statement_files);
    let broken: Vec<_> = all
        .flat_map(|(statement, file)| {
            let problems = statement.problems.iter();
            problems.map(move |problem| (file, statement, problem))
        })
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n  {} balances of bank statements do not hold:",
        broken.len()
    )?;
    for (file, statement, problem) in broken.iter().take(10) {
        writeln!(out, "    {file}, {statement}: {problem}")?;
    }
    if broken.len() > 10 {
        writeln!(out, "    …")?;
    }
    Ok(())
}

/// One line of the table: a count, its share of `whole` and its money, where there are any.
fn line(
    out: &mut impl Write,
    name: &str,
    count: u64,
    whole: Option<u64>,
    sum: Option<String>,
) -> io::Result<()> {
    let share = whole.map_or_else(String::new, |whole| percent(count, whole));
    let sum = sum.unwrap_or_default();
    let line = format!("  {name:<62} {count:>9} {share:>9} {sum:>17}");
    writeln!(out, "{}", line.trim_end())
}

fn orders(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let currency = summary.only_currency();
    let came = |tally: Tally| currency.map(|c| money(tally.minor, Some(c)));
    let differs = |tally: Tally| currency.map(|c| signed(tally.difference, Some(c)));
    let all = Some(summary.orders);
    let unit = currency.map(|currency| currency.code().to_owned());
    line(out, "orders", summary.orders, all, unit)?;
    let exact = |name: &str| summary.classes.get(name).copied().unwrap_or_default();
    for (name, tally) in [
        ("paid exactly, by one payment", exact("single_exact")),
        ("paid exactly, by several (split)", exact("split_exact")),
        ("paid within rounding", summary.of_kind("rounding")),
    ] {
        line(out, name, tally.count, all, came(tally))?;
    }
    for (name, kind) in [
        ("overpaid", "over"),
        ("underpaid", "under"),
        ("unpaid", "unpaid"),
    ] {
        let tally = summary.of_kind(kind);
        line(out, name, tally.count, all, differs(tally))?;
    }
    let unknown = summary.of_kind("no_total");
    line(out, "of unknown total", unknown.count, all, came(unknown))?;
    let shown = ["exact", "rounding", "over", "under", "unpaid", "no_total"];
    for (class, tally) in &summary.classes {
        if !shown.iter().any(|kind| class.ends_with(kind)) {
            let name = class.replace('_', " ");
            line(out, &name, tally.count, all, came(*tally))?;
        }
    }
    Ok(())
}

fn payments(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let currency = summary.only_currency();
    let came = |tally: Tally| currency.map(|c| money(tally.minor, Some(c)));
    let all = summary.paid.values().copied().next().unwrap_or_default();
    line(out, "payments", summary.payments, None, came(all))?;
    if summary.again > 0 {
        let name = "payments given again, counted once";
        line(out, name, summary.again, None, None)?;
    }
    for (what, tally) in &summary.open_payments {
        let name = format!("open: {what}");
        line(
            out,
            &name,
            tally.count,
            Some(summary.payments),
            came(*tally),
        )?;
    }
    let (groups, alike) = summary.identical;
    let name = "groups alike in order and amount";
    line(out, name, groups, None, None)?;
    let name = "payments in them, honest unless shown otherwise";
    line(out, name, alike, None, None)?;
    let suspected = summary.suspected;
    line(
        out,
        "suspected duplicates",
        suspected.count,
        None,
        came(suspected),
    )
}

fn payout_lines(out: &mut impl Write, payouts: &PayoutTally) -> io::Result<()> {
    for (name, count) in [
        ("payouts", payouts.payouts),
        ("closed to the minor unit", payouts.closed),
        ("closed with a named residual", payouts.with_residual),
        ("open", payouts.open),
        ("lines", payouts.lines),
        ("in a payout for certain", payouts.placed),
        ("of these a business day late", payouts.late),
    ] {
        line(out, name, count, None, None)?;
    }
    for (reason, count) in &payouts.lines_open {
        line(out, &format!("open: {reason}"), *count, None, None)?;
    }
    Ok(())
}

/// A share with two decimals, cut off: never shown as more than it is.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let parts = u128::from(part) * 10_000;
    let parts = parts.checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{:02} %", parts / 100, parts % 100)
}
