-- The ids are an array too, so that no plan reads the whole table to join it.
WITH due AS (
    SELECT id, due_at FROM counterfoil_orders WHERE due_at <= $1
    ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE counterfoil_orders AS orders SET due_at = $2 FROM due
    WHERE orders.id = due.id AND orders.id = ANY (ARRAY(SELECT id FROM due))
    RETURNING orders.id, orders.mode, due.due_at
)
SELECT id, mode FROM claimed ORDER BY due_at, id
