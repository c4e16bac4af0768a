-- The ids are an array, so that no plan reads the whole table to join it.
WITH free AS (
    SELECT id FROM counterfoil_confirmations WHERE free_at <= $1
    ORDER BY created_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE counterfoil_confirmations SET lease = lease + 1, free_at = $2
    WHERE id = ANY (ARRAY(SELECT id FROM free))
    RETURNING id, mode, order_id, kind, created_at, lease
)
SELECT id, mode, order_id, kind, created_at, lease FROM leased ORDER BY created_at, id
