//! What every reader takes and gives: bounds, sound rows, rejected rows, and errors.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::balance::StatementRecord;

/// What a reader may take, and what it does with bad rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// Whether the first bad row ends the reading, and a bank statement whose balances do not hold.
    /// False unless set.
    pub strict: bool,
    /// The most bytes that are read from one file, after unpacking. 4 GiB unless set.
    pub file_bytes_max: u64,
    /// The most bytes that one row may have. 1 MiB unless set.
    pub row_bytes_max: u64,
    /// How many bad rows are kept with their reason; the others are only counted. 1,000 unless
    /// set.
    pub rejected_max: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            strict: false,
            file_bytes_max: 4 << 30,
            row_bytes_max: 1 << 20,
            rejected_max: 1_000,
        }
    }
}

impl ReadOptions {
    /// Lets the first bad row end the reading, and a bank statement whose balances do not hold.
    #[must_use]
    pub const fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets the most bytes that are read from one file, after unpacking.
    #[must_use]
    pub const fn with_file_bytes_max(mut self, bytes: u64) -> Self {
        self.file_bytes_max = bytes;
        self
    }

    /// Sets the most bytes that one row may have.
    #[must_use]
    pub const fn with_row_bytes_max(mut self, bytes: u64) -> Self {
        self.row_bytes_max = bytes;
        self
    }
}

/// What was read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading<T> {
    /// The rows that are sound, in the order of the file.
    pub rows: Vec<T>,
    /// The first of the rows that are not, up to [`ReadOptions::rejected_max`].
    pub rejected: Vec<RejectedRow>,
    /// How many rows are not sound.
    pub rejected_count: u64,
    /// The statements of a bank, in the order of the file, with what is wrong with their balances:
    /// a host that does not look here does not learn that a file was cut off. Empty for other files.
    pub statements: Vec<StatementRecord>,
}

impl<T> Reading<T> {
    pub(super) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            rejected: Vec::new(),
            rejected_count: 0,
            statements: Vec::new(),
        }
    }

    /// Takes a row, or notes why it is not sound.
    pub(super) fn take(
        &mut self,
        line: u64,
        row: Result<T, String>,
        options: &ReadOptions,
    ) -> Result<(), ReadError> {
        match row {
            Ok(row) => self.rows.push(row),
            Err(reason) => self.reject(line, reason, options)?,
        }
        Ok(())
    }

    /// Notes why a row is not sound.
    pub(super) fn reject(
        &mut self,
        line: u64,
        reason: String,
        options: &ReadOptions,
    ) -> Result<(), ReadError> {
        let rejected = RejectedRow { line, reason };
        if options.strict {
            return Err(ReadError::Rejected(rejected));
        }
        self.rejected_count += 1;
        if self.rejected.len() < options.rejected_max {
            self.rejected.push(rejected);
        }
        Ok(())
    }

    /// Ends the reading if balances do not hold and the host asked to stop there.
    pub(super) fn refuse_broken_statements(&self, options: &ReadOptions) -> Result<(), ReadError> {
        let broken = self.statements.iter().find_map(|statement| {
            let problem = statement.problems.first()?;
            Some(RejectedRow {
                line: statement.line,
                reason: format!("statement of account {}: {problem}", statement.account),
            })
        });
        match broken.filter(|_| options.strict) {
            Some(broken) => Err(ReadError::Rejected(broken)),
            None => Ok(()),
        }
    }
}

/// A row that is not sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RejectedRow {
    /// The line of the file on which it begins, counted from 1; in JSON, the number of the record.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for RejectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not what it is taken for.
    #[error("this is not {expected}: {found}")]
    NotThat {
        /// What was expected, such as `a camt.053 statement`.
        expected: &'static str,
        /// What was found instead.
        found: String,
    },
    /// It is larger than the host allows.
    #[error("the file is larger than {0} bytes, the most that is read")]
    TooLarge(u64),
    /// A row is larger than the host allows.
    #[error("the row at line {line} is longer than {max} bytes; is a quote left open?")]
    RowTooLarge {
        /// The line on which the row begins.
        line: u64,
        /// The most bytes that a row may have.
        max: u64,
    },
    /// A row is not sound, and the host asked to stop there.
    #[error("{0}")]
    Rejected(RejectedRow),
    /// The file could not be read.
    #[error("the file could not be read: {0}")]
    Io(#[from] io::Error),
}

/// The content of `input`, unpacked if it is gzip.
///
/// # Errors
/// What reading the first bytes gives.
pub fn unpacked<'r>(input: impl Read + 'r) -> io::Result<Box<dyn BufRead + 'r>> {
    let mut input = BufReader::with_capacity(64 << 10, input);
    let is_gzip = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    if is_gzip {
        let unpacked = flate2::bufread::MultiGzDecoder::new(input);
        return Ok(Box::new(BufReader::with_capacity(64 << 10, unpacked)));
    }
    Ok(Box::new(input))
}

/// The whole text of `input`, for formats that are not read line by line. What is not UTF-8 is
/// read as Latin-1, which older banks send.
pub(super) fn whole_text(input: impl Read, options: &ReadOptions) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    let most = options.file_bytes_max;
    let _read = input.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(ReadError::TooLarge(most));
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| {
        error
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect()
    }))
}

/// What a file is that is not plain text, and what helps; told by its first bytes.
pub(super) fn not_plain_text(start: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 5] = [
        (b"\xff\xfe", "it is UTF-16 text: save it as UTF-8"),
        (b"\xfe\xff", "it is UTF-16 text: save it as UTF-8"),
        (
            b"PK\x03\x04",
            "it is a ZIP archive, as Excel workbooks are: save the sheet as CSV",
        ),
        (
            b"\xd0\xcf\x11\xe0",
            "it is an old Excel workbook: save the sheet as CSV",
        ),
        (b"%PDF", "it is a PDF: ask its sender for the data"),
    ];
    let found = KNOWN.iter().find(|(mark, _)| start.starts_with(mark));
    found.map(|(_, what)| *what)
}

/// The beginning of a text, fit to be shown.
pub(super) fn excerpt(text: &str) -> String {
    let clean = text.trim_start_matches('\u{feff}').trim();
    let mut shown: String = clean
        .chars()
        .take(40)
        .map(|c| if c.is_control() { '·' } else { c })
        .collect();
    if shown.is_empty() {
        shown.push_str("it is empty");
        return shown;
    }
    format!("it begins with “{shown}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_text_are_called_by_their_name() {
        for (start, named) in [
            (b"PK\x03\x04\x14\x00".as_slice(), "save the sheet as CSV"),
            (b"\xff\xfeo\x00r\x00", "UTF-16"),
            (b"%PDF-1.7", "PDF"),
        ] {
            assert!(not_plain_text(start).unwrap().contains(named), "{start:?}");
        }
        assert_eq!(not_plain_text(b"order_id,total_minor\n"), None);
        assert_eq!(not_plain_text("\u{feff}order_id".as_bytes()), None);
    }
}
