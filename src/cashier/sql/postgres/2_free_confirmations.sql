-- Schema version 2. Confirmations are leased in the order in which they came free, so that those that
-- are leased already are not read.

CREATE INDEX counterfoil_confirmations_free ON counterfoil_confirmations (free_at, id)
    WHERE free_at IS NOT NULL;
