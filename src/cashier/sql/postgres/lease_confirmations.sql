-- The ids are an array too, so that no plan reads the whole table to join it.
WITH free AS (
    SELECT id, free_at FROM counterfoil_confirmations WHERE free_at <= $1
    ORDER BY free_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
), leased AS (
    UPDATE counterfoil_confirmations AS cue SET lease = lease + 1, free_at = $2 FROM free
    WHERE cue.id = free.id AND cue.id = ANY (ARRAY(SELECT id FROM free))
    RETURNING cue.id, mode, order_id, kind, created_at, lease, free.free_at
)
SELECT id, mode, order_id, kind, created_at, lease FROM leased ORDER BY free_at, id
