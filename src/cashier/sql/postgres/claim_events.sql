-- The ids are an array too, so that no plan reads the whole table to join it.
WITH due AS (
    SELECT id, due_at FROM counterfoil_events WHERE outcome IS NULL AND due_at <= $1
    ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE counterfoil_events AS events SET due_at = $2 FROM due
    WHERE events.id = due.id AND events.id = ANY (ARRAY(SELECT id FROM due))
    RETURNING events.id, mode, order_id, received_at, due.due_at, outcome, body::text
)
SELECT id, mode, order_id, received_at, due_at, outcome, body FROM claimed ORDER BY due_at, id
