-- One batch in one statement, which is one transaction and one round trip: PostgreSQL applies all
-- of it or nothing. What is to be replaced is locked and its version compared before anything is
-- written, so the statement is right under every isolation level.
--
-- Where two writers insert one order or note at once, the second one breaks its primary key. Where a
-- payment belongs to another order, or another writer has stored an event that the batch follows
-- from since this statement began, a NULL below breaks a NOT NULL. Each undoes everything.
WITH order_now AS (
    SELECT version FROM counterfoil_orders WHERE id = $3 FOR UPDATE
), note_now AS (
    SELECT version FROM counterfoil_notes WHERE name = $10 FOR UPDATE
), stamp AS (
    SELECT mode FROM counterfoil_store WHERE mode = $1 AND schema_version = $2
), current AS (
    SELECT mode FROM stamp
    WHERE ($3::text IS NULL OR COALESCE((SELECT version FROM order_now), 0) = $4::bigint - 1)
      AND ($10::text IS NULL OR COALESCE((SELECT version FROM note_now), 0) = $11::bigint - 1)
      AND NOT ($26 AND EXISTS (SELECT FROM counterfoil_events WHERE id = ANY ($14::text[])))
), new_order AS (
    INSERT INTO counterfoil_orders
        (id, mode, version, due_at, attention_since, open_since, changed_at, body)
    SELECT $3, mode, $4, $5, $6, $7, $8, $9::json FROM current WHERE $4 = 1
), old_order AS (
    UPDATE counterfoil_orders
    SET version = $4, due_at = $5, attention_since = $6, open_since = $7, changed_at = $8,
        body = $9::json
    FROM current WHERE id = $3 AND $4 > 1
), new_note AS (
    INSERT INTO counterfoil_notes (name, mode, version, body)
    SELECT $10, mode, $11, $12::json FROM current WHERE $11 = 1
), old_note AS (
    UPDATE counterfoil_notes SET version = $11, body = $12::json
    FROM current WHERE name = $10 AND $11 > 1
), linked AS (
    INSERT INTO counterfoil_payments (payment, mode, order_id)
    SELECT DISTINCT link.payment, mode, $3 FROM current, unnest($13::text[]) AS link (payment)
    WHERE $3 IS NOT NULL AND NOT EXISTS (
        SELECT FROM counterfoil_payments AS known
        WHERE known.payment = link.payment AND known.order_id = $3
    )
    ON CONFLICT (payment) DO UPDATE SET order_id = NULL
    WHERE counterfoil_payments.order_id <> excluded.order_id
), added AS (
    INSERT INTO counterfoil_events (id, mode, order_id, received_at, due_at, outcome, body)
    SELECT DISTINCT ON (event.id) event.id, mode, event.order_id, event.received_at, event.due_at,
        event.outcome, event.body::json
    FROM current,
        unnest($14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::text[], $19::text[])
            AS event (id, order_id, received_at, due_at, outcome, body)
    ORDER BY event.id
    ON CONFLICT (id) DO UPDATE SET body = NULL WHERE $26
    RETURNING id
), finished AS (
    UPDATE counterfoil_events
    SET outcome = finish.outcome, order_id = COALESCE(order_id, $3)
    FROM current, unnest($20::text[], $21::text[]) AS finish (id, outcome)
    WHERE counterfoil_events.id = finish.id
), confirmed AS (
    INSERT INTO counterfoil_confirmations (id, mode, order_id, kind, created_at, lease, free_at)
    SELECT cue.id, mode, cue.order_id, cue.kind, cue.created_at, 0, cue.created_at
    FROM current,
        unnest($22::text[], $23::text[], $24::text[], $25::bigint[])
            AS cue (id, order_id, kind, created_at)
    ORDER BY cue.order_id, cue.kind
    ON CONFLICT (order_id, kind) DO NOTHING
)
SELECT EXISTS (SELECT FROM stamp), EXISTS (SELECT FROM current), ARRAY(SELECT id FROM added)
