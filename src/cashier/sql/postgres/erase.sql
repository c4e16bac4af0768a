-- Removes each named order that still has the named version and about which nothing waits. Its
-- events stay as bare ids, so that one that is delivered again is known and changes nothing.
WITH doomed AS (
    SELECT orders.id
    FROM counterfoil_orders AS orders,
        unnest($1::text[], $2::bigint[]) AS wish (id, version)
    WHERE orders.id = wish.id AND orders.version = wish.version
      AND NOT EXISTS (
          SELECT FROM counterfoil_confirmations AS cue
          WHERE cue.order_id = orders.id AND cue.free_at IS NOT NULL
      )
      AND NOT EXISTS (
          SELECT FROM counterfoil_events AS event
          WHERE event.order_id = orders.id AND event.outcome IS NULL
      )
    FOR UPDATE OF orders
), payments AS (
    DELETE FROM counterfoil_payments USING doomed WHERE order_id = doomed.id
), confirmations AS (
    DELETE FROM counterfoil_confirmations USING doomed WHERE order_id = doomed.id
), events AS (
    UPDATE counterfoil_events SET order_id = NULL, body = '{}' FROM doomed
    WHERE order_id = doomed.id
)
DELETE FROM counterfoil_orders USING doomed WHERE counterfoil_orders.id = doomed.id
RETURNING counterfoil_orders.id
