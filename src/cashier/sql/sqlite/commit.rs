//! What is written inside a transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_as};

use super::super::rows::signed;
use super::super::{
    SCHEMA_VERSION, confirmation_of_another_order, payment_of_another_order, stamp_has_changed,
};
use super::error::{is_constraint_of, undone};
use crate::cashier::store::{Batch, Commit, ConfirmationRow, EventRow, NoteRow, OrderRow};
use crate::clock::Timestamp;
use crate::error::Result;

/// Whether the database is stamped as expected, and the versions of the order and the note.
const READ_CURRENT: &str = "
    SELECT EXISTS (SELECT 1 FROM counterfoil_store WHERE mode = $1 AND schema_version = $2),
        (SELECT version FROM counterfoil_orders WHERE id = $3),
        (SELECT version FROM counterfoil_notes WHERE name = $4)";

const PUT_ORDER: &str = "
    INSERT INTO counterfoil_orders
        (id, mode, version, due_at, attention_since, open_since, changed_at, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, due_at = excluded.due_at,
        attention_since = excluded.attention_since, open_since = excluded.open_since,
        changed_at = excluded.changed_at, body = excluded.body";

/// Where the payment belongs to another order, the NULL breaks a NOT NULL.
const LINK: &str = "
    INSERT INTO counterfoil_payments (payment, mode, order_id) VALUES ($1, $2, $3)
    ON CONFLICT (payment) DO UPDATE SET order_id = NULL
    WHERE counterfoil_payments.order_id <> excluded.order_id";

const ADD_EVENT: &str = "
    INSERT INTO counterfoil_events (id, mode, order_id, received_at, due_at, outcome, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";

const FINISH_EVENT: &str = "
    UPDATE counterfoil_events SET outcome = $1, order_id = COALESCE(order_id, $2) WHERE id = $3";

const ADD_CONFIRMATION: &str = "
    INSERT INTO counterfoil_confirmations (id, mode, order_id, kind, created_at, lease, free_at)
    VALUES ($1, $2, $3, $4, $5, 0, $5) ON CONFLICT (order_id, kind) DO NOTHING";

const PUT_NOTE: &str = "
    INSERT INTO counterfoil_notes (name, mode, version, body) VALUES ($1, $2, $3, $4)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body";

const FIND_QUIET: &str = "
    SELECT 1 FROM counterfoil_orders AS orders WHERE id = $1 AND version = $2
      AND NOT EXISTS (
          SELECT 1 FROM counterfoil_confirmations AS cue
          WHERE cue.order_id = orders.id AND cue.free_at IS NOT NULL
      )
      AND NOT EXISTS (
          SELECT 1 FROM counterfoil_events AS event
          WHERE event.order_id = orders.id AND event.outcome IS NULL
      )";

/// What is run to erase an order. Its events stay as bare ids, so that one that is delivered again
/// is known and changes nothing.
const ERASE: [&str; 4] = [
    "DELETE FROM counterfoil_payments WHERE order_id = $1",
    "DELETE FROM counterfoil_confirmations WHERE order_id = $1",
    "UPDATE counterfoil_events SET order_id = NULL, body = '{}' WHERE order_id = $1",
    "DELETE FROM counterfoil_orders WHERE id = $1",
];

/// Writes a batch, or nothing if it is stale. After an error the transaction is to be rolled back.
pub(super) async fn write(connection: &mut SqliteConnection, batch: &Batch) -> Result<Commit> {
    let order = batch.order.as_ref();
    let note = batch.note.as_ref();
    let (is_stamped, order_now, note_now): (bool, Option<i64>, Option<i64>) =
        query_as(READ_CURRENT)
            .bind(batch.mode.as_str())
            .bind(SCHEMA_VERSION)
            .bind(order.map(|row| row.id.as_str()))
            .bind(note.map(|row| row.name.as_str()))
            .fetch_one(&mut *connection)
            .await
            .map_err(undone)?;
    if !is_stamped {
        return Err(stamp_has_changed());
    }
    let follows = |version: u64, now: Option<i64>| signed(version) == now.unwrap_or(0) + 1;
    let is_current = order.is_none_or(|row| follows(row.version, order_now))
        && note.is_none_or(|row| follows(row.version, note_now));
    if !is_current {
        return Ok(Commit::Stale);
    }
    let mut writer = Writer { connection, batch };
    if let Some(row) = order {
        writer.put_order(row).await?;
    }
    if let Some(row) = note {
        writer.put_note(row).await?;
    }
    let mut added_events = Vec::new();
    for row in &batch.new_events {
        if writer.add_event(row).await? {
            added_events.push(row.id.clone());
        }
    }
    for (id, outcome) in &batch.finished_events {
        writer.finish_event(id, outcome).await?;
    }
    for row in &batch.confirmations {
        writer.add_confirmation(row).await?;
    }
    Ok(Commit::Applied { added_events })
}

/// Removes an order that has this version, unless something about it waits.
pub(super) async fn erase(
    connection: &mut SqliteConnection,
    id: &str,
    version: i64,
) -> Result<bool> {
    let find = query(FIND_QUIET).bind(id).bind(version);
    let found = find.fetch_optional(&mut *connection).await;
    if found.map_err(undone)?.is_none() {
        return Ok(false);
    }
    for statement in ERASE {
        let erase = query(statement).bind(id);
        erase.execute(&mut *connection).await.map_err(undone)?;
    }
    Ok(true)
}

struct Writer<'b> {
    connection: &'b mut SqliteConnection,
    batch: &'b Batch,
}

impl Writer<'_> {
    fn mode(&self) -> &'static str {
        self.batch.mode.as_str()
    }

    async fn put_order(&mut self, row: &OrderRow) -> Result<()> {
        query(PUT_ORDER)
            .bind(row.id.as_str())
            .bind(self.mode())
            .bind(signed(row.version))
            .bind(row.due_at.map(Timestamp::unix))
            .bind(row.attention_since.map(Timestamp::unix))
            .bind(row.open_since.map(Timestamp::unix))
            .bind(row.changed_at.unix())
            .bind(&row.body)
            .execute(&mut *self.connection)
            .await
            .map_err(undone)?;
        for payment in &self.batch.links {
            let link = query(LINK).bind(payment).bind(self.mode());
            let link = link.bind(row.id.as_str());
            let linked = link.execute(&mut *self.connection).await;
            linked.map_err(
                |error| match is_constraint_of(&error, "counterfoil_payments") {
                    true => payment_of_another_order(),
                    false => undone(error),
                },
            )?;
        }
        Ok(())
    }

    async fn put_note(&mut self, row: &NoteRow) -> Result<()> {
        let put = query(PUT_NOTE).bind(&row.name).bind(self.mode());
        let put = put.bind(signed(row.version)).bind(&row.body);
        put.execute(&mut *self.connection).await.map_err(undone)?;
        Ok(())
    }

    /// Gives whether it was not there before.
    async fn add_event(&mut self, row: &EventRow) -> Result<bool> {
        let added = query(ADD_EVENT)
            .bind(&row.id)
            .bind(self.mode())
            .bind(row.order.as_ref().map(|order| order.as_str()))
            .bind(row.received_at.unix())
            .bind(row.due_at.unix())
            .bind(&row.outcome)
            .bind(&row.body)
            .execute(&mut *self.connection)
            .await
            .map_err(undone)?;
        Ok(added.rows_affected() > 0)
    }

    async fn finish_event(&mut self, id: &str, outcome: &str) -> Result<()> {
        let order = self.batch.order.as_ref().map(|order| order.id.as_str());
        let finish = query(FINISH_EVENT).bind(outcome).bind(order).bind(id);
        let finished = finish.execute(&mut *self.connection).await;
        finished.map_err(undone)?;
        Ok(())
    }

    async fn add_confirmation(&mut self, row: &ConfirmationRow) -> Result<()> {
        let added = query(ADD_CONFIRMATION)
            .bind(&row.id)
            .bind(self.mode())
            .bind(row.order.as_str())
            .bind(&row.kind)
            .bind(row.created_at.unix())
            .execute(&mut *self.connection)
            .await;
        added.map_err(
            |error| match is_constraint_of(&error, "counterfoil_confirmations") {
                true => confirmation_of_another_order(),
                false => undone(error),
            },
        )?;
        Ok(())
    }
}
