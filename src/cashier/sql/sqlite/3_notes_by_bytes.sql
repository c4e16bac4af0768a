-- Schema version 3. Notes are listed by the bytes of their names, which is how SQLite's primary key
-- has them: only the number changes.

UPDATE counterfoil_store SET schema_version = 3;
