//! Which format a file has, told by how it begins.

use std::fmt;

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// A table of the host's own: [`csv`](super::csv).
    Csv,
    /// [`stripe`](super::stripe).
    Stripe,
    /// [`adyen`](super::adyen).
    Adyen,
    /// [`paypal`](super::paypal).
    PayPal,
    /// [`camt`](super::camt).
    Camt053,
    /// [`mt940`](super::mt940).
    Mt940,
}

impl Format {
    /// The format of a file by its first bytes, unpacked. What is nothing else is taken for CSV,
    /// whose reader says what is wrong with it.
    #[must_use]
    pub fn of(start: &[u8]) -> Self {
        let start = String::from_utf8_lossy(start.get(..4096).unwrap_or(start));
        let text = start.trim_start_matches('\u{feff}').trim_start();
        let first_line = text.lines().next().unwrap_or_default().to_lowercase();
        if text.starts_with('{') && !text.starts_with("{1:") {
            Self::PayPal
        } else if text.starts_with('<') {
            Self::Camt053
        } else if text.starts_with("{1:") || has_statement_field(text) {
            Self::Mt940
        } else if first_line.contains("psp reference") && first_line.contains("net currency") {
            Self::Adyen
        } else if first_line.contains("balance_transaction_id") {
            Self::Stripe
        } else {
            Self::Csv
        }
    }
}

/// Whether a line begins with a field of a bank statement, however the lines end.
fn has_statement_field(text: &str) -> bool {
    let lines = text.split(['\n', '\r']).flat_map(|line| line.split("@@"));
    let clean = |line: &'_ str| line.trim_start_matches(char::is_control).starts_with(':');
    lines
        .clone()
        .filter(|line| clean(line))
        .any(|line| super::mt940::is_tagged(line.trim_start_matches(char::is_control)))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "CSV",
            Self::Stripe => "Stripe report",
            Self::Adyen => "Adyen settlement details",
            Self::PayPal => "PayPal transaction search",
            Self::Camt053 => "camt.053 statement",
            Self::Mt940 => "MT940 statement",
        })
    }
}
