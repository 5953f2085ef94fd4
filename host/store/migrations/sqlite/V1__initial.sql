-- Bodies are JSON; the columns beside them are what is searched or sorted by. Times are milliseconds since 1970.

CREATE TABLE execution (
    -- In order of creation.
    row             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    device          TEXT    NOT NULL,
    origin          TEXT    NOT NULL,
    alias           TEXT,
    idempotency_key TEXT,
    state           TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    owner           TEXT    NOT NULL,
    lease_until_ms  INTEGER NOT NULL,
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    deadline_ms     INTEGER NOT NULL,
    -- Set if and only if the state is final.
    ended_ms        INTEGER,
    body            TEXT    NOT NULL
) STRICT;

-- Pages go by the time of creation and then, as every index ends in the row, by the row.
CREATE INDEX execution_created ON execution (created_ms);
CREATE INDEX execution_device ON execution (device, created_ms);
CREATE INDEX execution_origin ON execution (origin, created_ms);
CREATE INDEX execution_origin_state ON execution (origin, state, created_ms);
CREATE INDEX execution_alias ON execution (origin, device, alias) WHERE alias IS NOT NULL;
CREATE INDEX execution_idempotency ON execution (origin, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX execution_open ON execution (created_ms) WHERE ended_ms IS NULL;
CREATE INDEX execution_ended ON execution (ended_ms) WHERE ended_ms IS NOT NULL;

CREATE TABLE transition (
    -- Rises over all histories. With AUTOINCREMENT none is given twice, also after the last lines were forgotten.
    position  INTEGER PRIMARY KEY AUTOINCREMENT,
    execution INTEGER NOT NULL REFERENCES execution (row) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    -- Of the execution.
    origin    TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,
    -- The latest time of this line and all before it, so that it rises with the position also where a clock was set
    -- back: nothing before the first line that has a certain value here is as late as that.
    latest_ms INTEGER NOT NULL,
    body      TEXT    NOT NULL,
    UNIQUE (execution, seq)
) STRICT;

CREATE INDEX transition_origin ON transition (origin);
CREATE INDEX transition_latest ON transition (latest_ms);

-- How far each dialect was told the lines of its executions.
CREATE TABLE cursor (
    dialect  TEXT    PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE execution_label (
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    -- Of the execution: pages go by it.
    created_ms INTEGER NOT NULL,
    execution  INTEGER NOT NULL REFERENCES execution (row) ON DELETE CASCADE,
    PRIMARY KEY (name, value, created_ms, execution)
) STRICT, WITHOUT ROWID;

CREATE INDEX execution_label_execution ON execution_label (execution);

CREATE TABLE correlation (
    reporter  TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    execution INTEGER NOT NULL REFERENCES execution (row) ON DELETE CASCADE,
    attempt   INTEGER NOT NULL,
    PRIMARY KEY (reporter, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX correlation_execution ON correlation (execution);

CREATE TABLE outbox (
    seq       INTEGER PRIMARY KEY,
    execution TEXT    NOT NULL,
    attempt   INTEGER NOT NULL,
    body      TEXT    NOT NULL
) STRICT;

CREATE TABLE request (
    seq    INTEGER PRIMARY KEY,
    target TEXT    NOT NULL,
    body   TEXT    NOT NULL
) STRICT;

CREATE INDEX request_target ON request (target);

CREATE TABLE device (
    row    INTEGER PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    parent TEXT,
    body   TEXT    NOT NULL
) STRICT;

CREATE INDEX device_parent ON device (parent, id) WHERE parent IS NOT NULL;

CREATE TABLE device_alias (
    namespace TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    device    INTEGER NOT NULL,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_label (
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    -- The id, not the row: pages of devices go in id order.
    device TEXT NOT NULL,
    PRIMARY KEY (name, value, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE profile (
    device   TEXT    NOT NULL,
    dialect  TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    json     TEXT    NOT NULL,
    PRIMARY KEY (device, dialect)
) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    row        INTEGER PRIMARY KEY,
    dialect    TEXT    NOT NULL,
    collection TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    revision   INTEGER NOT NULL,
    json       TEXT    NOT NULL,
    UNIQUE (dialect, collection, key)
) STRICT;

-- Which fields are indexed. What is not ready is not searched: it is built or dropped a part at a time, and gone on with
-- after a restart.
CREATE TABLE document_index (
    dialect    TEXT NOT NULL,
    collection TEXT NOT NULL,
    field      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('building', 'ready', 'dropping')),
    -- The last document that was looked at while building, by its key.
    built_to   TEXT,
    PRIMARY KEY (dialect, collection, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE document_field (
    dialect    TEXT    NOT NULL,
    collection TEXT    NOT NULL,
    field      TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    -- The key, not only the row: pages of documents go in key order.
    key        TEXT    NOT NULL,
    document   INTEGER NOT NULL,
    PRIMARY KEY (dialect, collection, field, value, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
    dialect TEXT    NOT NULL,
    counter TEXT    NOT NULL,
    value   INTEGER NOT NULL,
    PRIMARY KEY (dialect, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    dialect    TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('token', 'password', 'sealed')),
    secret     BLOB    NOT NULL,
    rights     TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (dialect, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX credential_token ON credential (dialect, secret) WHERE kind = 'token';

CREATE TABLE mqtt_session (
    client_id  TEXT    PRIMARY KEY,
    expires_ms INTEGER NOT NULL,
    body       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- One row. Written where earlier commits that were not waited for must reach the disk and nothing else is to be said.
CREATE TABLE synced (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL
) STRICT;

INSERT INTO synced (one, count) VALUES (1, 0);
