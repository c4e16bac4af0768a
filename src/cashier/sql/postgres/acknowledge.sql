WITH known AS (
    SELECT id FROM counterfoil_confirmations WHERE id = $1
), acknowledged AS (
    UPDATE counterfoil_confirmations SET free_at = NULL
    WHERE id = $1 AND lease = $2 AND free_at IS NOT NULL
    RETURNING id
)
SELECT EXISTS (SELECT FROM known), EXISTS (SELECT FROM acknowledged)
