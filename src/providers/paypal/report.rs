//! Lists that PayPal has only in its transaction search: payments, and transfers to the bank.
//!
//! The search shows a transaction up to three hours late, 31 days at a time and three years back.
//! Sources: PayPal's OpenAPI description of the transaction search, and
//! <https://developer.paypal.com/docs/transaction-search/transaction-event-codes/>.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::PayPal;
use super::convert::{missing, money};
use super::wire::{Transaction, TransactionDetail, Transactions};
use crate::capability::Operation;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::mode::Mode;
use crate::payment::Payment;
use crate::payout::Payout;
use crate::request::{Cursor, Page, Period};

/// The longest stretch that one search covers: 31 days.
const WINDOW: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// How far back the search goes: three years.
const HISTORY: Duration = Duration::from_secs(3 * 365 * 24 * 60 * 60);
/// How many payments are fetched at a time.
const AT_A_TIME: usize = 8;
/// What a row is called in errors that has no name.
const WITHOUT_ID: &str = "unnamed";

impl<M: Mode> PayPal<M> {
    /// The payments of a page of transactions. A row says too little, so each is fetched.
    pub(super) async fn payments_page(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payment<M>>> {
        let operation = Operation::ListPayments;
        let (rows, next) = self.rows(operation, period, after).await?;
        let rows = rows.into_iter().filter(is_payment);
        let mut ids: Vec<_> = rows.map(|row| row.transaction_id).collect();
        ids.dedup();
        let fetched = stream::iter(ids).map(|id| async move {
            let Some(id) = id else {
                return Some((WITHOUT_ID.to_owned(), Err(missing("transaction_id"))));
            };
            let payment = self.fetch_listed(operation, &id).await.transpose()?;
            Some((id, payment))
        });
        let fetched: Vec<_> = fetched.buffered(AT_A_TIME).collect().await;
        let mut page: Page<Payment<M>> = Page::of_each(fetched.into_iter().flatten(), next)?;
        // Several captures of one order are one payment.
        let mut known = HashSet::new();
        page.items
            .retain(|payment| known.insert(payment.id.clone()));
        Ok(page)
    }

    pub(super) async fn payouts_page(
        &self,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<Page<Payout<M>>> {
        let (rows, next) = self.rows(Operation::ListPayouts, period, after).await?;
        let reader = self.client.reader(self.client.now());
        let transfers = rows.iter().filter(|row| is_transfer(row));
        let each = transfers.map(|row| {
            let id = row.transaction_id.as_deref();
            (id.unwrap_or(WITHOUT_ID), reader.payout(row))
        });
        Page::of_each(each, next)
    }

    /// A payment that the search names, unless PayPal has no capture of this id: then it was paid
    /// in a way that this API does not have.
    async fn fetch_listed(&self, operation: Operation, id: &str) -> Result<Option<Payment<M>>> {
        match self.fetch(operation, id).await {
            Ok(found) => Ok(Some(found.payment)),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of transactions, newest first within it, and where to go on: pages of one window,
    /// then the window before it.
    async fn rows(
        &self,
        operation: Operation,
        period: &Period,
        after: Option<&Cursor>,
    ) -> Result<(Vec<Transaction>, Option<Cursor>)> {
        let now = self.client.now();
        let from = period.from.unwrap_or(Timestamp::from_unix(i64::MIN));
        let from = from.max(now.saturating_sub(HISTORY));
        let place = match after {
            Some(cursor) => Place::read(cursor)?,
            None => Place {
                end: period.to.map_or(now, |to| to.min(now)),
                page: 1,
            },
        };
        if place.end < from {
            return Ok((Vec::new(), None));
        }
        let start = place.end.saturating_sub(WINDOW).max(from);
        let answer = self
            .client
            .transactions(operation, (start, place.end), place.page)
            .await?;
        let (details, pages) = self.client.read(&answer, |_, found: Transactions| {
            Ok((found.transaction_details, found.total_pages))
        })?;
        let next = if place.page < pages {
            Some(Place {
                page: place.page + 1,
                ..place
            })
        } else if start > from {
            // Both ends are included.
            let end = start.saturating_sub(Duration::from_secs(1));
            Some(Place { end, page: 1 })
        } else {
            None
        };
        let mut rows: Vec<_> = details
            .into_iter()
            .map(|TransactionDetail { transaction_info }| transaction_info)
            .collect();
        rows.sort_by(|one, other| {
            other
                .transaction_initiation_date
                .cmp(&one.transaction_initiation_date)
        });
        Ok((rows, next.map(|place| place.cursor())))
    }
}

/// Where a list goes on: the end of its window, and the page in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    end: Timestamp,
    page: u32,
}

impl Place {
    fn read(cursor: &Cursor) -> Result<Self> {
        let parts = cursor.0.split_once('/');
        let parsed = parts.and_then(|(end, page)| {
            Some(Self {
                end: Timestamp::from_unix(end.parse().ok()?),
                page: page.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                "the cursor is none of this provider's",
            )
        })
    }

    fn cursor(self) -> Cursor {
        Cursor(format!("{}/{}", self.end.unix(), self.page).into())
    }
}

/// T00nn: a payment; those that the account itself has sent are negative. One whose amount cannot be
/// read is looked at by its id.
fn is_payment(row: &Transaction) -> bool {
    is_of(row, "T00") && money(&row.transaction_amount).map_or(true, |money| money.is_positive())
}

/// T04nn: a withdrawal from the balance to a bank.
fn is_transfer(row: &Transaction) -> bool {
    is_of(row, "T04")
}

fn is_of(row: &Transaction, group: &str) -> bool {
    let code = row.transaction_event_code.as_deref();
    code.is_some_and(|code| code.starts_with(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_no_other() {
        let place = Place {
            end: Timestamp::from_unix(1_795_000_000),
            page: 7,
        };
        assert_eq!(Place::read(&place.cursor()).unwrap(), place);
        for text in ["", "1", "1/", "/1", "1/x", "x/1", "1/-1", "1/1/1"] {
            assert!(Place::read(&Cursor(text.into())).is_err(), "{text}");
        }
    }
}
