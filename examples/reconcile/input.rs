//! Files in, records out, with a bar that shows how far the reading is.

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use counterfoil::matching::EntryKind;
use counterfoil::matching::readers::csv::{self, CsvMapping};
use counterfoil::matching::readers::{
    Customers, EntryRecord, Format, OrderRecord, PayoutRecord, ReadError, ReadOptions, Reading,
    RejectedRow, ReportRecord, StatementRecord, adyen, camt, mt940, paypal, stripe, tell_gaps,
    unpacked,
};

use crate::args::Args;
use crate::policy::PolicyFile;

/// Everything that was read.
#[derive(Default)]
pub(crate) struct Input {
    pub(crate) orders: Vec<OrderRecord>,
    /// Payments and refunds.
    pub(crate) entries: Vec<EntryRecord>,
    pub(crate) payouts: Vec<PayoutRecord>,
    pub(crate) report: Vec<ReportRecord>,
    /// The rows that were left out, with the file that they are in.
    pub(crate) rejected: Vec<(String, RejectedRow)>,
    pub(crate) rejected_count: u64,
    /// The statements of banks, of all files.
    pub(crate) statements: Vec<StatementRecord>,
    /// The file of each of them.
    pub(crate) statement_files: Vec<String>,
}

/// Reads all files, or says which of them cannot be read and why.
pub(crate) fn read(args: &Args, policy: &PolicyFile) -> Result<Input, String> {
    let options = ReadOptions::default().with_strict(args.strict);
    let mut input = Input::default();
    if let Some(path) = &args.orders {
        let read = open(path, |file, format| match format {
            Format::Csv => csv::orders(file, &policy.orders, &options),
            other => Err(unsuitable(other, "orders")),
        })?;
        input.orders = keep(&mut input, path, read);
    }
    for path in &args.payments {
        let read = entries(path, &policy.payments, &options)?;
        let mut read = keep(&mut input, path, read);
        input.entries.append(&mut read);
    }
    for path in &args.refunds {
        let read = entries(path, &policy.refunds, &options)?;
        let mut read = keep(&mut input, path, read);
        for entry in &mut read {
            if entry.kind == EntryKind::Payment {
                entry.kind = EntryKind::Refund;
            }
        }
        input.entries.append(&mut read);
    }
    for path in &args.payouts {
        let read = open(path, |file, format| match format {
            Format::Csv => csv::payouts(file, &policy.payouts_file, &options),
            Format::Stripe => stripe::payouts(file, &options),
            Format::Adyen => adyen::payouts(file, &options),
            Format::Camt053 => camt::payouts(file, &options),
            Format::Mt940 => mt940::payouts(file, &options),
            other => Err(unsuitable(other, "payouts")),
        })?;
        let mut read = keep(&mut input, path, read);
        input.payouts.append(&mut read);
    }
    // A report that names no currency speaks of the payouts that it lists.
    let mut report = policy.report.clone();
    let mut currencies = input.payouts.iter().map(|payout| payout.net.currency());
    let first = currencies.next();
    if report.currency.is_none() && currencies.all(|other| Some(other) == first) {
        report.currency = first;
    }
    for path in &args.report {
        let read = open(path, |file, format| match format {
            Format::Csv => csv::report(file, &report, &options),
            Format::Stripe => stripe::report(file, &options),
            Format::Adyen => adyen::report(file, &options),
            other => Err(unsuitable(other, "lines of payouts")),
        })?;
        let mut read = keep(&mut input, path, read);
        input.report.append(&mut read);
    }
    // One file alone does not show that another is missing.
    tell_gaps(&mut input.statements);
    // A bank names who paid in its own words, which are a customer's only where an order says so.
    let customers = input.orders.iter();
    let customers = Customers::new(customers.filter_map(|order| order.customer.as_deref()));
    let entries = std::mem::take(&mut input.entries);
    input.entries = entries
        .into_iter()
        .map(|entry| entry.paid_by_one_of(&customers))
        .collect();
    Ok(input)
}

fn entries(
    path: &Path,
    mapping: &CsvMapping,
    options: &ReadOptions,
) -> Result<Reading<EntryRecord>, String> {
    open(path, |file, format| match format {
        Format::Stripe => stripe::entries(file, options),
        Format::Adyen => adyen::entries(file, options),
        Format::PayPal => paypal::entries(file, options),
        Format::Camt053 => camt::entries(file, options),
        Format::Mt940 => mt940::entries(file, options),
        _ => csv::entries(file, mapping, options),
    })
}

fn unsuitable(format: Format, wanted: &str) -> ReadError {
    ReadError::Io(io::Error::other(format!("a {format} holds no {wanted}")))
}

/// Opens a file, tells its format, and lets `read` read it.
fn open<T>(
    path: &Path,
    read: impl FnOnce(Box<dyn BufRead>, Format) -> Result<Reading<T>, ReadError>,
) -> Result<Reading<T>, String> {
    let shown = path.display();
    let failed = |error: &dyn std::fmt::Display| format!("{shown}: {error}");
    let file = File::open(path).map_err(|error| failed(&error))?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let file = Progress::new(file, path, length);
    let mut file = unpacked(file).map_err(|error| failed(&error))?;
    let format = Format::of(file.fill_buf().map_err(|error| failed(&error))?);
    read(file, format).map_err(|error| failed(&error))
}

fn keep<T>(input: &mut Input, path: &Path, read: Reading<T>) -> Vec<T> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = name.to_string_lossy();
    let rejected = read.rejected.into_iter();
    input
        .rejected
        .extend(rejected.map(|row| (name.clone().into_owned(), row)));
    input.rejected_count += read.rejected_count;
    let files = read.statements.iter().map(|_| name.clone().into_owned());
    input.statement_files.extend(files);
    input.statements.extend(read.statements);
    read.rows
}

/// Files below this are read before a bar could be seen.
const BAR_FROM_BYTES: u64 = 8 << 20;

/// A file that draws how much of it has been read, if a person watches.
struct Progress {
    file: File,
    name: String,
    length: u64,
    done: u64,
    drawn: u64,
    is_seen: bool,
}

impl Progress {
    fn new(file: File, path: &Path, length: u64) -> Self {
        let name = path.file_name().unwrap_or_default();
        Self {
            file,
            name: name.to_string_lossy().into_owned(),
            length,
            done: 0,
            drawn: u64::MAX,
            is_seen: length >= BAR_FROM_BYTES && io::stderr().is_terminal(),
        }
    }

    fn draw(&mut self) {
        let percent = (self.done * 100)
            .checked_div(self.length)
            .unwrap_or(100)
            .min(100);
        if self.is_seen && percent != self.drawn {
            self.drawn = percent;
            let full = "█".repeat((percent / 4) as usize);
            let _unseen = write!(
                io::stderr(),
                "\r{:<28} {full:<25} {percent:>3} %",
                self.name
            );
        }
    }
}

impl Read for Progress {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.done += count as u64;
        self.draw();
        Ok(count)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_seen {
            let _unseen = writeln!(io::stderr());
        }
    }
}
