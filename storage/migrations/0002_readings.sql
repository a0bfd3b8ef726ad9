-- The log of readings, in batches, and what was held or rejected.

-- A batch is one transaction of ingest. `commit_no` is given by the last statement of that transaction,
-- under the advisory lock that orders batches, so it grows in the order in which batches become visible:
-- whoever has read up to a commit_no has missed nothing.
CREATE SEQUENCE batch_ids;
CREATE SEQUENCE batch_commits;
CREATE TABLE batches (
    commit_no        bigint      PRIMARY KEY,
    id               bigint      NOT NULL UNIQUE,
    committed_at     timestamptz NOT NULL,
    cause            text        NOT NULL,    -- arrival, release (of held readings), replay (of dead letters)
    by_whom          text,                    -- a person's or key's name, where it wasn't gateways
    registry_version bigint      NOT NULL,
    rows             integer     NOT NULL,    -- in the log
    min_measured_us  bigint,                  -- of those rows, to prune partitions by
    max_measured_us  bigint,
    -- what this batch adds to the accounts of its gateways, one element each; release and replay subtract
    gateway_ids      integer[]   NOT NULL,
    received         integer[]   NOT NULL,
    stored           integer[]   NOT NULL,
    held             integer[]   NOT NULL,
    rejected         integer[]   NOT NULL
);
CREATE INDEX batches_by_time ON batches (committed_at);

-- Sums of the batches up to `folded_commit_no`; the rest is added from `batches` when asked.
CREATE TABLE gateway_accounts (
    gateway_id integer PRIMARY KEY REFERENCES gateways,
    received   bigint NOT NULL DEFAULT 0,
    stored     bigint NOT NULL DEFAULT 0,
    held       bigint NOT NULL DEFAULT 0,
    rejected   bigint NOT NULL DEFAULT 0
);
CREATE TABLE gateway_fold (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    folded_commit_no bigint NOT NULL DEFAULT 0
);
INSERT INTO gateway_fold DEFAULT VALUES;

-- The log. No unique index: exactly-once is the ledger's work, and an index costs half the speed
-- (measured on two cores: 1,197,000 rows/s without one, 266,000 with a unique one). Rows of one batch lie together, so a BRIN on batch_id finds them.
-- The value is mantissa × 10^exponent, exactly as sent.
CREATE TABLE readings (
    measured_at timestamptz NOT NULL,
    channel_id  integer     NOT NULL,         -- points.id
    gateway_id  integer     NOT NULL,         -- gateways.id
    batch_id    bigint      NOT NULL,
    mantissa    bigint      NOT NULL,
    exponent    smallint    NOT NULL,
    revision    smallint    NOT NULL,
    quality     smallint    NOT NULL,         -- as the device says it: 0 good, 1 estimate, 2 invalid
    flags       smallint    NOT NULL          -- domain.reading.Flag, what ingest knows of it
)
PARTITION BY RANGE (measured_at)  -- only plain
;
SELECT create_hypertable('readings', by_range('measured_at', INTERVAL '7 days'), create_default_indexes => false);  -- only timescale
CREATE INDEX readings_by_batch ON readings USING brin (batch_id) WITH (autosummarize = on);

CREATE TABLE held (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id    bigint      NOT NULL,
    gateway_id  integer     NOT NULL REFERENCES gateways,
    uscc        text        NOT NULL,
    meter       text        NOT NULL,
    channel     text        NOT NULL,
    measured_at timestamptz NOT NULL,
    mantissa    bigint      NOT NULL,
    exponent    smallint    NOT NULL,
    revision    smallint    NOT NULL,
    quality     smallint    NOT NULL,
    flags       smallint    NOT NULL,
    reason      text        NOT NULL,         -- domain.errors.HoldReason
    received_at timestamptz NOT NULL,
    topic       text        NOT NULL
);
CREATE INDEX held_by_name ON held (uscc, meter, channel);
CREATE INDEX held_by_reason ON held (reason, measured_at);

CREATE TABLE dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id    bigint      NOT NULL,
    received_at timestamptz NOT NULL,
    topic       bytea       NOT NULL,         -- as received: it may be no text at all
    payload     bytea       NOT NULL,
    via         text        NOT NULL,         -- endpoint, broker, http
    retained    boolean     NOT NULL DEFAULT false,
    gateway_id  integer     REFERENCES gateways,  -- null: on no account
    reason      text        NOT NULL,         -- domain.errors.RejectReason
    detail      text        NOT NULL,
    decoder     text        NOT NULL,         -- name and version of what read it
    -- which readings of the payload were rejected, by their place in it; null: the whole payload
    positions   integer[],
    readings    integer     NOT NULL,         -- what it counts on the account
    replayed_at timestamptz,                  -- a replayed letter is off the account
    replayed_batch_id bigint
);
CREATE INDEX dead_letters_open ON dead_letters (id) WHERE replayed_at IS NULL;

-- What happened at a gateway that is no reading: a packet over the maximum, a will, a refused sign-in.
CREATE TABLE gateway_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL,
    gateway_id  integer REFERENCES gateways,
    kind        text        NOT NULL,
    detail      text        NOT NULL
);
