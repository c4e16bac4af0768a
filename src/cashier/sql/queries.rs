//! What is asked of both databases in the same words.

pub(super) const ORDER: &str = "
    SELECT id, mode, version, due_at, attention_since, open_since, changed_at, CAST(body AS TEXT)
    FROM counterfoil_orders WHERE id = $1";

pub(super) const ORDERS_NEEDING_ATTENTION: &str = "
    SELECT id, mode, version, due_at, attention_since, open_since, changed_at, CAST(body AS TEXT)
    FROM counterfoil_orders WHERE attention_since IS NOT NULL
    ORDER BY attention_since, id LIMIT $1";

pub(super) const ORDER_OF_PAYMENT: &str = "
    SELECT order_id, mode FROM counterfoil_payments WHERE payment = $1";

pub(super) const EVENTS_WAITING: &str = "
    SELECT id, mode, order_id, received_at, due_at, outcome, CAST(body AS TEXT)
    FROM counterfoil_events WHERE order_id = $1 AND outcome IS NULL ORDER BY id";

pub(super) const NOTE: &str = "
    SELECT name, mode, version, CAST(body AS TEXT) FROM counterfoil_notes WHERE name = $1";

pub(super) const BACKLOG: &str = "
    SELECT
        (SELECT MIN(open_since) FROM counterfoil_orders WHERE open_since IS NOT NULL),
        (SELECT MIN(attention_since) FROM counterfoil_orders WHERE attention_since IS NOT NULL),
        (SELECT MIN(received_at) FROM counterfoil_events WHERE outcome IS NULL),
        (SELECT MIN(created_at) FROM counterfoil_confirmations WHERE free_at IS NOT NULL)";

/// Orders that can be forgotten: nothing about them is expected or waits.
pub(super) const QUIET_ORDERS: &str = "
    SELECT id, version FROM counterfoil_orders AS orders
    WHERE due_at IS NULL AND attention_since IS NULL AND open_since IS NULL AND changed_at < $1
      AND NOT EXISTS (
          SELECT 1 FROM counterfoil_confirmations AS cue
          WHERE cue.order_id = orders.id AND cue.free_at IS NOT NULL
      )
      AND NOT EXISTS (
          SELECT 1 FROM counterfoil_events AS event
          WHERE event.order_id = orders.id AND event.outcome IS NULL
      )
    ORDER BY changed_at LIMIT $2";
