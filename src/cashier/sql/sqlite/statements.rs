//! What is asked of SQLite alone.

/// Takes the lock to write, and writes nothing.
pub(super) const LOCK: &str = "UPDATE counterfoil_store SET mode = mode WHERE FALSE";

pub(super) const STAMP: &str =
    "UPDATE counterfoil_store SET mode = COALESCE(mode, $1) RETURNING mode";

/// Whether the database is stamped as expected, and the versions of the order and the note.
pub(super) const READ_CURRENT: &str = "
    SELECT EXISTS (SELECT 1 FROM counterfoil_store WHERE mode = $1 AND schema_version = $2),
        (SELECT version FROM counterfoil_orders WHERE id = $3),
        (SELECT version FROM counterfoil_notes WHERE name = $4)";

pub(super) const PUT_ORDER: &str = "
    INSERT INTO counterfoil_orders
        (id, mode, version, due_at, attention_since, open_since, changed_at, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, due_at = excluded.due_at,
        attention_since = excluded.attention_since, open_since = excluded.open_since,
        changed_at = excluded.changed_at, body = excluded.body";

/// Where the payment belongs to another order, the NULL breaks a NOT NULL.
pub(super) const LINK: &str = "
    INSERT INTO counterfoil_payments (payment, mode, order_id) VALUES ($1, $2, $3)
    ON CONFLICT (payment) DO UPDATE SET order_id = NULL
    WHERE counterfoil_payments.order_id <> excluded.order_id";

pub(super) const ADD_EVENT: &str = "
    INSERT INTO counterfoil_events (id, mode, order_id, received_at, due_at, outcome, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";

pub(super) const FINISH_EVENT: &str = "
    UPDATE counterfoil_events SET outcome = $1, order_id = COALESCE(order_id, $2) WHERE id = $3";

pub(super) const ADD_CONFIRMATION: &str = "
    INSERT INTO counterfoil_confirmations (id, mode, order_id, kind, created_at, lease, free_at)
    VALUES ($1, $2, $3, $4, $5, 0, $5) ON CONFLICT (order_id, kind) DO NOTHING";

pub(super) const PUT_NOTE: &str = "
    INSERT INTO counterfoil_notes (name, mode, version, body) VALUES ($1, $2, $3, $4)
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body";

pub(super) const NOTES_BETWEEN: &str = "
    SELECT name, mode, version, body FROM counterfoil_notes
    WHERE name > $1 AND name < $2 ORDER BY name LIMIT $3";

pub(super) const FIND_QUIET: &str = "
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
pub(super) const ERASE: [&str; 4] = [
    "DELETE FROM counterfoil_payments WHERE order_id = $1",
    "DELETE FROM counterfoil_confirmations WHERE order_id = $1",
    "UPDATE counterfoil_events SET order_id = NULL, body = '{}' WHERE order_id = $1",
    "DELETE FROM counterfoil_orders WHERE id = $1",
];

pub(super) const DUE_ORDERS: &str = "
    SELECT id, mode FROM counterfoil_orders WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2";

pub(super) const CLAIM_ORDER: &str = "UPDATE counterfoil_orders SET due_at = $1 WHERE id = $2";

pub(super) const DUE_EVENTS: &str = "
    SELECT id, mode, order_id, received_at, due_at, outcome, body FROM counterfoil_events
    WHERE outcome IS NULL AND due_at <= $1 ORDER BY due_at, id LIMIT $2";

pub(super) const CLAIM_EVENT: &str = "UPDATE counterfoil_events SET due_at = $1 WHERE id = $2";

pub(super) const FREE_CONFIRMATIONS: &str = "
    SELECT id, mode, order_id, kind, created_at, lease + 1 FROM counterfoil_confirmations
    WHERE free_at <= $1 ORDER BY free_at, id LIMIT $2";

pub(super) const LEASE_CONFIRMATION: &str = "
    UPDATE counterfoil_confirmations SET lease = lease + 1, free_at = $1 WHERE id = $2";

pub(super) const IS_HELD: &str = "
    SELECT lease = $1 AND free_at IS NOT NULL FROM counterfoil_confirmations WHERE id = $2";

pub(super) const ACKNOWLEDGE: &str = "
    UPDATE counterfoil_confirmations SET free_at = NULL WHERE id = $1";

pub(super) const PURGE_EVENTS: &str = "
    DELETE FROM counterfoil_events WHERE id IN (
        SELECT id FROM counterfoil_events WHERE outcome IS NOT NULL AND received_at < $1
        ORDER BY received_at LIMIT $2
    )";

#[cfg(test)]
mod tests {
    use sqlx::{Row, query};

    use super::super::super::queries;
    use super::super::connect;
    use super::*;

    /// All of this file, and those that both databases are asked.
    const ALL: &[&str] = &[
        LOCK,
        STAMP,
        READ_CURRENT,
        PUT_ORDER,
        LINK,
        ADD_EVENT,
        FINISH_EVENT,
        ADD_CONFIRMATION,
        PUT_NOTE,
        NOTES_BETWEEN,
        FIND_QUIET,
        ERASE[0],
        ERASE[1],
        ERASE[2],
        ERASE[3],
        DUE_ORDERS,
        CLAIM_ORDER,
        DUE_EVENTS,
        CLAIM_EVENT,
        FREE_CONFIRMATIONS,
        LEASE_CONFIRMATION,
        IS_HELD,
        ACKNOWLEDGE,
        PURGE_EVENTS,
        queries::ORDER,
        queries::ORDERS_NEEDING_ATTENTION,
        queries::ORDER_OF_PAYMENT,
        queries::EVENTS_WAITING,
        queries::NOTE,
        queries::BACKLOG,
        queries::QUIET_ORDERS,
    ];

    /// Indexes of only what waits, which may be read from their beginning.
    const OF_WHAT_WAITS: [&str; 4] = [
        "counterfoil_orders_attention",
        "counterfoil_orders_open",
        "counterfoil_events_due",
        "counterfoil_events_waiting",
    ];

    #[test]
    fn every_statement_is_among_those_whose_plan_is_tested() {
        let of_both = include_str!("../queries.rs");
        let files = [include_str!("statements.rs"), of_both];
        let declared = files.map(|file| file.matches("\npub(super) const ").count());
        // One of them is four.
        assert_eq!(declared.iter().sum::<usize>() + 3, ALL.len());
    }

    /// However much is stored, a statement costs the same.
    #[tokio::test]
    async fn no_statement_reads_a_table_from_end_to_end() {
        let writer = connect::options().in_memory(true);
        let writer = connect::writer(writer).await.unwrap();
        connect::update_schema(&writer).await.unwrap();
        for statement in ALL {
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let plan = query(&explain).fetch_all(&writer).await.unwrap();
            for step in plan.iter().map(|row| row.get::<String, _>("detail")) {
                let of_one_row = ["counterfoil_store", "counterfoil_notes"];
                let is_small = of_one_row.iter().any(|table| step.contains(table));
                let is_of_few = OF_WHAT_WAITS.iter().any(|index| step.contains(index));
                let is_bounded = is_small || is_of_few || step == "SCAN CONSTANT ROW";
                assert!(!step.contains("SCAN ") || is_bounded, "{statement}\n{step}");
            }
        }
    }
}
