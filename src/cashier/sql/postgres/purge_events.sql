-- The ids are an array, so that no plan reads the whole table to join it.
DELETE FROM counterfoil_events WHERE id = ANY (ARRAY(
    SELECT id FROM counterfoil_events WHERE outcome IS NOT NULL AND received_at < $1
    ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED
))
RETURNING id
