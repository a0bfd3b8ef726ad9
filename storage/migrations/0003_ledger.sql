-- What accounting derives: channel-days, interval consumption, ledger, rollups.
-- A day is a local calendar day, counted from 1970-01-01, and has 96 intervals.

-- One row a transaction of accounting: the moment and the state its entries were computed under.
CREATE SEQUENCE run_ids;
CREATE TABLE runs (
    id               bigint      PRIMARY KEY,  -- in the order in which they became visible
    committed_at     timestamptz NOT NULL,
    rules_version    text        NOT NULL,
    factor_set       text        NOT NULL,
    registry_version bigint      NOT NULL,
    up_to_commit_no  bigint      NOT NULL
);
CREATE INDEX runs_by_time ON runs (committed_at);

-- Why entries came to be: an arriving batch, a registry change, another factor set, other rules.
CREATE TABLE causes (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id   bigint NOT NULL REFERENCES runs,
    kind     text   NOT NULL,                  -- arrival, registry, factors, rules
    batch_id bigint,
    by_whom  text   NOT NULL,                  -- "USCC/GATEWAY", or a person's or key's name
    why      text   NOT NULL
);

-- A shard of the channels and how far its worker has read the log and the registry.
CREATE TABLE cursors (
    shard            integer PRIMARY KEY,
    commit_no        bigint NOT NULL,
    registry_version bigint NOT NULL,
    factor_set       text   NOT NULL,
    rules_version    text   NOT NULL
);

-- Every stored reading of a channel-day, packed (accounting.channel.READING_DTYPE), in chunks, so that a
-- fast meter doesn't rewrite its day. Derived from the log; `verify` compares both.
CREATE TABLE channel_days (
    channel_id    integer  NOT NULL,
    day           integer  NOT NULL,
    chunk         smallint NOT NULL,
    enterprise_id integer  NOT NULL,
    size          integer  NOT NULL,           -- readings in it
    readings      bytea    NOT NULL,
    PRIMARY KEY (channel_id, day, chunk)
) WITH (fillfactor = 70);
ALTER TABLE channel_days ALTER COLUMN readings SET STORAGE EXTERNAL;

-- duplicates and conflicts of a gateway in a channel, kept by difference as the channel's days change
CREATE TABLE gateway_tallies (
    gateway_id integer NOT NULL REFERENCES gateways,
    channel_id integer NOT NULL REFERENCES points,
    duplicates bigint  NOT NULL,
    conflicts  bigint  NOT NULL,
    PRIMARY KEY (gateway_id, channel_id)
);

-- Consumption of a point, a row a day, in 10^exponent of the point's unit.
-- states: quality | flags << 2 of each interval (domain.reading.pack); amount 0 where quality is missing.
-- run_ids: the run that wrote each interval; 0 where nothing was ever written.
-- anchor_us: the stamp from which the day can be computed again without any earlier reading
-- (accounting.channel says what an anchor promises); the smallest bigint where none is known (binary rows of one size want no nulls).
CREATE TABLE consumption_days (
    channel_id    integer    NOT NULL,
    day           integer    NOT NULL,
    enterprise_id integer    NOT NULL,
    exponent      smallint   NOT NULL,
    amounts       bigint[]   NOT NULL,
    states        smallint[] NOT NULL,
    run_ids       bigint[]   NOT NULL,
    anchor_us     bigint     NOT NULL,
    PRIMARY KEY (channel_id, day)
) WITH (fillfactor = 70);

-- The ledger's current entries, a row a source-day and series; an entry is (source, interval, series) with its run.
-- series: 0 what the account counts (and the market too where its edition is the same), 1 what the market alone
-- counts, by another edition; their boundaries are disjoint.
-- consumption: the source's amount in 10^exponent of its unit, before the factor.
CREATE TABLE ledger_days (
    source_id     integer    NOT NULL,
    day           integer    NOT NULL,
    series        smallint   NOT NULL,
    gas           text       NOT NULL,
    enterprise_id integer    NOT NULL,
    scope         smallint   NOT NULL,
    boundaries    text[]     NOT NULL,         -- account, ets
    unit          text       NOT NULL,
    exponent      smallint   NOT NULL,
    factor_id     bigint     NOT NULL,
    consumption   bigint[]   NOT NULL,
    mg            bigint[]   NOT NULL,
    states        smallint[] NOT NULL,
    run_ids       bigint[]   NOT NULL,
    cause_ids     bigint[]   NOT NULL,
    -- the day's rollup: sum of the known, their number, and by quality
    mg_sum        bigint     NOT NULL,
    known         smallint   NOT NULL,
    measured      smallint   NOT NULL,
    interpolated  smallint   NOT NULL,
    estimated     smallint   NOT NULL,
    substituted   smallint   NOT NULL,
    flags         integer    NOT NULL,         -- of all known intervals
    PRIMARY KEY (source_id, day, series)
) WITH (fillfactor = 70);
CREATE INDEX ledger_days_of_enterprise ON ledger_days (enterprise_id, day);
CREATE INDEX ledger_days_by_day ON ledger_days (day);

CREATE TABLE ledger_months (
    source_id     integer  NOT NULL,
    month         integer  NOT NULL,           -- number of its first local day
    series        smallint NOT NULL,
    gas           text     NOT NULL,
    enterprise_id integer  NOT NULL,
    scope         smallint NOT NULL,
    boundaries    text[]   NOT NULL,
    mg_sum        bigint   NOT NULL,
    known         integer  NOT NULL,
    measured      integer  NOT NULL,
    interpolated  integer  NOT NULL,
    estimated     integer  NOT NULL,
    substituted   integer  NOT NULL,
    flags         integer  NOT NULL,
    factor_ids    bigint[] NOT NULL,           -- of its days with anything known
    PRIMARY KEY (source_id, month, series, gas, scope, boundaries)
);
CREATE INDEX ledger_months_of_enterprise ON ledger_months (enterprise_id, month);
CREATE INDEX ledger_months_by_month ON ledger_months (month);

-- What was superseded, never changed after: the entry as it stood, and the run that superseded it.
-- Rows cover a stretch of a day; arrays are parallel, `indexes` the intervals.
CREATE TABLE consumption_history (
    channel_id    integer    NOT NULL,
    day           integer    NOT NULL,
    superseded_by bigint     NOT NULL,         -- runs.id
    enterprise_id integer    NOT NULL,
    exponent      smallint   NOT NULL,
    indexes       smallint[] NOT NULL,
    amounts       bigint[]   NOT NULL,
    states        smallint[] NOT NULL,
    run_ids       bigint[]   NOT NULL,
    PRIMARY KEY (channel_id, day, superseded_by)
);
CREATE TABLE ledger_history (
    source_id     integer    NOT NULL,
    day           integer    NOT NULL,
    series        smallint   NOT NULL,
    gas           text       NOT NULL,
    superseded_by bigint     NOT NULL,         -- runs.id
    enterprise_id integer    NOT NULL,
    scope         smallint   NOT NULL,
    boundaries    text[]     NOT NULL,
    unit          text       NOT NULL,
    exponent      smallint   NOT NULL,
    factor_id     bigint     NOT NULL,
    indexes       smallint[] NOT NULL,
    consumption   bigint[]   NOT NULL,
    mg            bigint[]   NOT NULL,
    states        smallint[] NOT NULL,
    run_ids       bigint[]   NOT NULL,
    cause_ids     bigint[]   NOT NULL,
    PRIMARY KEY (source_id, day, series, superseded_by)
);
CREATE INDEX ledger_history_of_enterprise ON ledger_history (enterprise_id, day);

-- Factors as the ledger used them: the value and how it was chosen, frozen under an id. The digest is of what
-- decides the result, not of the whole library, so that an unrelated new factor restates nothing.
CREATE TABLE used_factors (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest      text   NOT NULL UNIQUE,        -- SHA-256 of the values and their description
    factor_set  text   NOT NULL,               -- hash of the whole set it was first taken from
    numerator   numeric NOT NULL,              -- mg CO2e per unit of consumption, exact
    denominator numeric NOT NULL,
    description jsonb  NOT NULL                -- formula, factors with name, value, unit, origin, reference, confidence, clause
);

-- Who runs, and whether it is ready: each service beats once a second.
CREATE TABLE services (
    name       text        NOT NULL,           -- ingest, accounting, api
    pid        integer     NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at    timestamptz NOT NULL,
    ready      boolean     NOT NULL,
    detail     jsonb       NOT NULL,
    PRIMARY KEY (name, pid)
);
