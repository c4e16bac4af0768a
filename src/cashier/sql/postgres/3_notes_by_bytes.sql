-- Schema version 3. Notes are listed by the bytes of their names, whatever the language of the
-- database, as the payouts are.

CREATE INDEX counterfoil_notes_bytes ON counterfoil_notes (name COLLATE "C");
