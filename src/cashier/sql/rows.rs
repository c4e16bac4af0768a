//! Columns of both databases into rows, and back into whole numbers that SQL has.

use super::super::store::{
    Backlog, ConfirmationRow, EventRow, LeasedConfirmation, NoteRow, OrderRow,
};
use super::OpenedMode;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::OrderId;

/// id, mode, version, due at, attention since, open since, changed at, body
pub(super) type OrderColumns = (
    String,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
    String,
);
/// id, mode, order, received at, due at, outcome, body
pub(super) type EventColumns = (
    String,
    String,
    Option<String>,
    i64,
    i64,
    Option<String>,
    String,
);
/// id, mode, order, kind, created at, lease
pub(super) type ConfirmationColumns = (String, String, String, String, i64, i64);
/// name, mode, version, body
pub(super) type NoteColumns = (String, String, i64, String);
/// The four instants of a backlog.
pub(super) type BacklogColumns = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);

pub(super) fn order(columns: OrderColumns, opened: &OpenedMode) -> Result<OrderRow> {
    let (id, mode, version, due_at, attention_since, open_since, changed_at, body) = columns;
    check_mode(&mode, opened)?;
    Ok(OrderRow {
        id: order_id(&id)?,
        version: unsigned(version)?,
        due_at: due_at.map(Timestamp::from_unix),
        attention_since: attention_since.map(Timestamp::from_unix),
        open_since: open_since.map(Timestamp::from_unix),
        changed_at: Timestamp::from_unix(changed_at),
        body,
    })
}

pub(super) fn event(columns: EventColumns, opened: &OpenedMode) -> Result<EventRow> {
    let (id, mode, order, received_at, due_at, outcome, body) = columns;
    check_mode(&mode, opened)?;
    Ok(EventRow {
        id,
        order: order.as_deref().map(order_id).transpose()?,
        received_at: Timestamp::from_unix(received_at),
        due_at: Timestamp::from_unix(due_at),
        outcome,
        body,
    })
}

pub(super) fn leased(
    columns: ConfirmationColumns,
    opened: &OpenedMode,
) -> Result<LeasedConfirmation> {
    let (id, mode, order, kind, created_at, lease) = columns;
    check_mode(&mode, opened)?;
    Ok(LeasedConfirmation {
        row: ConfirmationRow {
            id,
            order: match order.is_empty() {
                true => None,
                false => Some(order_id(&order)?),
            },
            kind,
            created_at: Timestamp::from_unix(created_at),
        },
        lease: unsigned(lease)?,
    })
}

pub(super) fn note(columns: NoteColumns, opened: &OpenedMode) -> Result<NoteRow> {
    let (name, mode, version, body) = columns;
    check_mode(&mode, opened)?;
    Ok(NoteRow {
        name,
        version: unsigned(version)?,
        body,
    })
}

pub(super) fn backlog(columns: BacklogColumns) -> Backlog {
    let (open, attention, event, confirmation) = columns;
    Backlog {
        open_since: open.map(Timestamp::from_unix),
        attention_since: attention.map(Timestamp::from_unix),
        event_since: event.map(Timestamp::from_unix),
        confirmation_since: confirmation.map(Timestamp::from_unix),
    }
}

/// An order's id that stands alone, with the mode of its row.
pub(super) fn order_of((id, mode): (String, String), opened: &OpenedMode) -> Result<OrderId> {
    check_mode(&mode, opened)?;
    order_id(&id)
}

/// A count as SQL has it. What does not fit is more than there can be.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A limit as SQL has it.
pub(super) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

fn check_mode(mode: &str, opened: &OpenedMode) -> Result<()> {
    opened.check(mode.parse().map_err(|_| not_ours())?)
}

fn order_id(text: &str) -> Result<OrderId> {
    OrderId::new(text).map_err(|_| not_ours())
}

fn unsigned(count: i64) -> Result<u64> {
    u64::try_from(count).map_err(|_| not_ours())
}

fn not_ours() -> Error {
    let message = "the store holds a row that was not written by the cashier";
    Error::new(ErrorKind::UnexpectedResponse, message)
}
