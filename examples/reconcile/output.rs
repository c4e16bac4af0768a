//! What is written for programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use counterfoil::matching::payout::{LineVerdict, PayoutMatches};
use counterfoil::matching::{Report, Verdict};
use serde::Serialize;

use crate::input::Input;
use crate::summary::class;

/// A row per order: CSV if the file is called so, else JSON Lines.
pub(crate) fn verdicts(path: &Path, report: &Report<'_>) -> Result<(), String> {
    #[derive(Serialize)]
    struct Row<'a> {
        order_id: &'a str,
        n_payments: u32,
        paid_minor: i64,
        delta_minor: Option<i64>,
        verdict: String,
    }
    let rows = report.orders().map(|order| Row {
        order_id: order.id,
        n_payments: order.payments,
        paid_minor: order.paid.minor(),
        // Where nothing came there is nothing to compare.
        delta_minor: order.difference_minor.filter(|_| order.payments > 0),
        verdict: class(&order),
    });
    if path.extension().is_some_and(|end| end == "csv") {
        table(path, rows)
    } else {
        lines_of_json(path, rows)
    }
}

/// A row per payment that has an order, certain or suggested.
pub(crate) fn matches(path: &Path, input: &Input, report: &Report<'_>) -> Result<(), String> {
    #[derive(Serialize)]
    struct Row<'a> {
        payment_id: &'a str,
        order_id: String,
        status: &'static str,
    }
    let rows = report.entries().filter_map(|entry| {
        let record = input.entries.get(entry.row)?;
        if !record.kind.is_payment() {
            return None;
        }
        let (order_id, status) = match (&entry.verdict, entry.order) {
            (Verdict::AlreadyApplied, _) => return None,
            (Verdict::Suggested { candidates }, _) => {
                (candidates.first()?.order.clone(), "SUGGEST")
            }
            (_, Some(order)) => (order.to_owned(), "AUTO"),
            _ => return None,
        };
        Some(Row {
            payment_id: entry.id,
            order_id,
            status,
        })
    });
    table(path, rows)
}

/// A row per payment, refund or dispute that is certainly in a payout. What else is in a payout,
/// such as fees and adjustments, is in the evidence.
pub(crate) fn lines(path: &Path, matches: &PayoutMatches) -> Result<(), String> {
    #[derive(Serialize)]
    struct Row<'a> {
        line_id: &'a str,
        payout_id: &'a str,
    }
    let ours = matches
        .lines
        .iter()
        .filter(|line| line.kind.has_source() && line.verdict != LineVerdict::ReportedUnknown);
    let rows = ours.filter_map(|line| {
        Some(Row {
            line_id: &line.line,
            payout_id: line.payout.as_deref()?,
        })
    });
    table(path, rows)
}

/// Everything that is known about each verdict.
pub(crate) fn evidence(
    path: &Path,
    input: &Input,
    report: Option<&Report<'_>>,
    payouts: &[PayoutMatches],
) -> Result<(), String> {
    #[derive(Serialize)]
    #[serde(tag = "about", rename_all = "snake_case")]
    enum About<'a, T: Serialize> {
        Order(Told<T>),
        Entry(Told<T>),
        Payout(Told<T>),
        Line(Told<T>),
        RejectedRow { file: &'a str, row: T },
    }
    #[derive(Serialize)]
    struct Told<T: Serialize> {
        sentence: String,
        #[serde(flatten)]
        what: T,
    }
    fn told<T: Serialize + std::fmt::Display>(what: T) -> Told<T> {
        Told {
            sentence: what.to_string(),
            what,
        }
    }
    let mut file = create(path)?;
    let mut write = || -> io::Result<()> {
        if let Some(report) = report {
            for row in 0..input.orders.len() {
                if let Some(decision) = report.order_decision(row) {
                    line(&mut file, &About::Order(told(decision)))?;
                }
            }
            for row in 0..input.entries.len() {
                if let Some(decision) = report.entry_decision(row) {
                    line(&mut file, &About::Entry(told(decision)))?;
                }
            }
        }
        for matches in payouts {
            for payout in &matches.payouts {
                line(&mut file, &About::Payout(told(payout)))?;
            }
            for found in &matches.lines {
                line(&mut file, &About::Line(told(found)))?;
            }
        }
        for (name, row) in &input.rejected {
            line(&mut file, &About::RejectedRow { file: name, row })?;
        }
        file.flush()
    };
    write().map_err(|error| format!("{}: {error}", path.display()))
}

fn table(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut writer = csv::Writer::from_writer(create(path)?);
    for row in rows {
        writer.serialize(row).map_err(|error| failed(&error))?;
    }
    writer.flush().map_err(|error| failed(&error))
}

fn lines_of_json(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<(), String> {
    let mut file = create(path)?;
    let write = || -> io::Result<()> {
        for row in rows {
            line(&mut file, &row)?;
        }
        file.flush()
    };
    write().map_err(|error| format!("{}: {error}", path.display()))
}

fn line(file: &mut impl Write, row: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, row)?;
    file.write_all(b"\n")
}

fn create(path: &Path) -> Result<BufWriter<File>, String> {
    let file = File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 18, file))
}
