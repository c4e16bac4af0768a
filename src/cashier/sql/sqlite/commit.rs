//! What is written inside a transaction.

use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_as};

use super::super::rows::signed;
use super::super::{
    SCHEMA_VERSION, confirmation_of_another_order, payment_of_another_order, stamp_has_changed,
};
use super::error::{is_constraint_of, undone};
use super::statements;
use crate::cashier::store::{Batch, Commit, ConfirmationRow, EventRow, NoteRow, OrderRow};
use crate::clock::Timestamp;
use crate::error::Result;

/// Writes a batch. If it is stale, or after an error, the transaction is to be rolled back.
pub(super) async fn write(connection: &mut SqliteConnection, batch: &Batch) -> Result<Commit> {
    let order = batch.order.as_ref();
    let note = batch.note.as_ref();
    let (is_stamped, order_now, note_now): (bool, Option<i64>, Option<i64>) =
        query_as(statements::READ_CURRENT)
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
    let mut added_events = Vec::new();
    for row in &batch.new_events {
        if writer.add_event(row).await? {
            added_events.push(row.id.clone());
        } else if batch.follows_from_events && !added_events.contains(&row.id) {
            return Ok(Commit::Stale);
        }
    }
    if let Some(row) = order {
        writer.put_order(row).await?;
    }
    if let Some(row) = note {
        writer.put_note(row).await?;
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
    let find = query(statements::FIND_QUIET).bind(id).bind(version);
    let found = find.fetch_optional(&mut *connection).await;
    if found.map_err(undone)?.is_none() {
        return Ok(false);
    }
    for statement in statements::ERASE {
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
        query(statements::PUT_ORDER)
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
            let link = query(statements::LINK).bind(payment).bind(self.mode());
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
        let put = query(statements::PUT_NOTE)
            .bind(&row.name)
            .bind(self.mode());
        let put = put.bind(signed(row.version)).bind(&row.body);
        put.execute(&mut *self.connection).await.map_err(undone)?;
        Ok(())
    }

    /// Gives whether it was not there before.
    async fn add_event(&mut self, row: &EventRow) -> Result<bool> {
        let added = query(statements::ADD_EVENT)
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
        let finish = query(statements::FINISH_EVENT)
            .bind(outcome)
            .bind(order)
            .bind(id);
        let finished = finish.execute(&mut *self.connection).await;
        finished.map_err(undone)?;
        Ok(())
    }

    async fn add_confirmation(&mut self, row: &ConfirmationRow) -> Result<()> {
        let added = query(statements::ADD_CONFIRMATION)
            .bind(&row.id)
            .bind(self.mode())
            .bind(row.order.as_ref().map_or("", |order| order.as_str()))
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
