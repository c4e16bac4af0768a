-- Schema version 1. What the columns mean is told in ../schema.md.

CREATE TABLE counterfoil_store (
    id             BIGINT PRIMARY KEY CHECK (id = 1),
    schema_version BIGINT NOT NULL,
    mode           TEXT CHECK (mode IN ('test', 'live'))
);

INSERT INTO counterfoil_store (id, schema_version) VALUES (1, 0);

-- Names sort by their bytes, as in every other store.
CREATE TABLE counterfoil_orders (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mode            TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    version         BIGINT NOT NULL CHECK (version > 0),
    due_at          BIGINT,
    attention_since BIGINT,
    open_since      BIGINT,
    changed_at      BIGINT NOT NULL,
    body            JSON NOT NULL
);

CREATE INDEX counterfoil_orders_due ON counterfoil_orders (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX counterfoil_orders_attention ON counterfoil_orders (attention_since, id)
    WHERE attention_since IS NOT NULL;
CREATE INDEX counterfoil_orders_open ON counterfoil_orders (open_since) WHERE open_since IS NOT NULL;
CREATE INDEX counterfoil_orders_quiet ON counterfoil_orders (changed_at)
    WHERE due_at IS NULL AND attention_since IS NULL AND open_since IS NULL;

CREATE TABLE counterfoil_payments (
    payment  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mode     TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    order_id TEXT COLLATE "C" NOT NULL
);

CREATE INDEX counterfoil_payments_order ON counterfoil_payments (order_id);

CREATE TABLE counterfoil_events (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mode        TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    order_id    TEXT COLLATE "C",
    received_at BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    outcome     TEXT,
    body        JSON NOT NULL
);

CREATE INDEX counterfoil_events_due ON counterfoil_events (due_at, id) WHERE outcome IS NULL;
CREATE INDEX counterfoil_events_waiting ON counterfoil_events (received_at) WHERE outcome IS NULL;
CREATE INDEX counterfoil_events_finished ON counterfoil_events (received_at)
    WHERE outcome IS NOT NULL;
CREATE INDEX counterfoil_events_order ON counterfoil_events (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE counterfoil_confirmations (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mode       TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    order_id   TEXT COLLATE "C" NOT NULL,
    kind       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    lease      BIGINT NOT NULL,
    free_at    BIGINT,
    UNIQUE (order_id, kind)
);

CREATE INDEX counterfoil_confirmations_open ON counterfoil_confirmations (created_at, id)
    WHERE free_at IS NOT NULL;

CREATE TABLE counterfoil_notes (
    name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mode    TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    version BIGINT NOT NULL CHECK (version > 0),
    body    JSON NOT NULL
);
