//! A CSV file with a header, row by row.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::input::{ReadError, ReadOptions, Reading, excerpt, not_plain_text};

/// A CSV file whose header has been read.
pub(super) struct Table<R> {
    reader: ::csv::Reader<Bounded<R>>,
    budget: Budget,
    header: Vec<String>,
    options: ReadOptions,
}

impl<R: BufRead> Table<R> {
    /// Reads the header. `expected` says what the file should be.
    pub(super) fn open(
        mut input: R,
        delimiter: Option<u8>,
        expected: &'static str,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let first = input.fill_buf()?;
        if let Some(found) = not_plain_text(first) {
            let found = found.to_owned();
            return Err(ReadError::NotThat { expected, found });
        }
        let start = String::from_utf8_lossy(first.get(..first.len().min(4096)).unwrap_or(first));
        let line = start.lines().next().unwrap_or_default().to_owned();
        let delimiter = delimiter.unwrap_or_else(|| likely_delimiter(&line));
        let budget = Budget::new(options);
        let bounded = Bounded {
            input,
            budget: budget.clone(),
        };
        let mut reader = ::csv::ReaderBuilder::new()
            .buffer_capacity(AHEAD)
            .delimiter(delimiter)
            .flexible(true)
            .from_reader(bounded);
        let header = match reader.byte_headers() {
            Ok(header) => header.iter().map(normalised).collect::<Vec<_>>(),
            Err(error) => return Err(budget.explain(error, 1)),
        };
        if header.iter().filter(|name| !name.is_empty()).count() < 2 {
            return Err(ReadError::NotThat {
                expected,
                found: excerpt(&line),
            });
        }
        Ok(Self {
            reader,
            budget,
            header,
            options: *options,
        })
    }

    /// The place of the first of `names` that the header has.
    pub(super) fn column(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.header.iter().position(|column| column == name))
    }

    /// The place of a column that must be there.
    pub(super) fn required(
        &self,
        names: &[&str],
        expected: &'static str,
    ) -> Result<usize, ReadError> {
        self.column(names).ok_or_else(|| {
            let mut shown = self.header.join(", ");
            if shown.len() > 200 {
                shown = format!("{}…", shown.chars().take(200).collect::<String>());
            }
            let found = format!(
                "it has no column {}; its columns are {shown}",
                names.join(" or ")
            );
            ReadError::NotThat { expected, found }
        })
    }

    /// The name in the header at `place`.
    pub(super) fn name(&self, place: usize) -> &str {
        self.header.get(place).map_or("", String::as_str)
    }

    /// Reads all rows. A row for which `parse` gives nothing is left out.
    pub(super) fn rows<T>(
        mut self,
        mut parse: impl FnMut(&Row<'_>) -> Result<Option<T>, String>,
    ) -> Result<Reading<T>, ReadError> {
        let mut reading = Reading::new();
        let mut record = ::csv::ByteRecord::new();
        loop {
            self.budget.next_row();
            let line = self.reader.position().line();
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(reading),
                Err(error) => return Err(self.budget.explain(error, line)),
            }
            let line = record.position().map_or(line, ::csv::Position::line);
            let row = if record.len() == self.header.len() {
                parse(&Row {
                    record: &record,
                    line,
                })
            } else {
                Err(format!(
                    "{} fields, where the header has {}",
                    record.len(),
                    self.header.len()
                ))
            };
            if let Some(row) = row.transpose() {
                reading.take(line, row, &self.options)?;
            }
        }
    }
}

/// One row of a table.
pub(super) struct Row<'r> {
    record: &'r ::csv::ByteRecord,
    /// The line of the file on which it begins.
    pub(super) line: u64,
}

impl<'r> Row<'r> {
    /// The text in a column, trimmed; `None` where there is no such column or nothing in it.
    pub(super) fn optional(&self, column: Option<usize>) -> Result<Option<&'r str>, String> {
        let Some(bytes) = column.and_then(|column| self.record.get(column)) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
        let text = text.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    /// The text in a column, exactly as it stands.
    pub(super) fn verbatim(&self, column: Option<usize>) -> Result<Option<&'r str>, String> {
        let Some(bytes) = column.and_then(|column| self.record.get(column)) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
        Ok((!text.trim().is_empty()).then_some(text))
    }

    /// The text in a column that must not be empty; `name` is what the reason calls it.
    pub(super) fn required(&self, column: usize, name: &str) -> Result<&'r str, String> {
        self.optional(Some(column))?
            .ok_or_else(|| format!("{name} is missing"))
    }
}

/// Header names are compared without case, surrounding space and byte order mark.
fn normalised(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.trim_start_matches('\u{feff}').trim().to_lowercase()
}

fn likely_delimiter(line: &str) -> u8 {
    let count = |delimiter: u8| line.bytes().filter(|byte| *byte == delimiter).count();
    let candidates = [b',', b';', b'\t', b'|'];
    let best = candidates.into_iter().rev().max_by_key(|d| count(*d));
    best.unwrap_or(b',')
}

/// How many bytes the CSV parser reads at a time, at most: some of them are of the rows to come.
const AHEAD: usize = 8 << 10;

/// How many bytes may still come, for the file and for the row; the last of them is one too many.
#[derive(Clone)]
struct Budget {
    file_left: Rc<Cell<u64>>,
    row_left: Rc<Cell<u64>>,
    file_max: u64,
    row_max: u64,
}

impl Budget {
    fn new(options: &ReadOptions) -> Self {
        let budget = Self {
            file_left: Rc::new(Cell::new(options.file_bytes_max.saturating_add(1))),
            row_left: Rc::default(),
            file_max: options.file_bytes_max,
            row_max: options.row_bytes_max,
        };
        budget.next_row();
        budget
    }

    fn next_row(&self) {
        let most = self.row_max.saturating_add(AHEAD as u64);
        self.row_left.set(most.saturating_add(1));
    }

    fn explain(&self, error: ::csv::Error, line: u64) -> ReadError {
        if self.file_left.get() == 0 {
            return ReadError::TooLarge(self.file_max);
        }
        if self.row_left.get() == 0 {
            let max = self.row_max;
            return ReadError::RowTooLarge { line, max };
        }
        match error.into_kind() {
            ::csv::ErrorKind::Io(error) => ReadError::Io(error),
            kind => ReadError::Io(io::Error::other(format!("{kind:?}"))),
        }
    }
}

/// Ends with an error where the budget does. What is read ahead counts for the row that the parser
/// is in, so that a row may have up to twice [`AHEAD`] more than its bound.
struct Bounded<R> {
    input: R,
    budget: Budget,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        for left in [&self.budget.file_left, &self.budget.row_left] {
            left.set(left.get().saturating_sub(count as u64));
            if left.get() == 0 {
                return Err(io::Error::other("too large"));
            }
        }
        Ok(count)
    }
}
