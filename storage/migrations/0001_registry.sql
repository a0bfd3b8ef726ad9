-- The registry: what is registered, under which lasting ids, and every change of it.

-- One row. Every import takes it FOR UPDATE and counts it up; ingest takes it FOR SHARE in the
-- transaction of a batch, so that a batch is always judged by the registry that is in force when it commits.
CREATE TABLE registry_state (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    version  bigint NOT NULL DEFAULT 0,
    -- The offset of the local calendar [µs]. Chosen at the first migration; ledger days depend on it.
    calendar_offset_us bigint NOT NULL
);

-- One row a registered thing, its specification as in the registry document.
-- kind: park, enterprise, gateway, meter, channel (one a version), derived, source, parameter, product
CREATE TABLE registry_items (
    kind     text   NOT NULL,
    uscc     text   NOT NULL,            -- '' for parks
    key      text[] NOT NULL,            -- within the enterprise: {meter, channel, valid_from}, {source, from} …
    spec     jsonb  NOT NULL,
    version  bigint NOT NULL,            -- the registry version that wrote it last
    PRIMARY KEY (kind, uscc, key)
);
CREATE INDEX registry_items_by_version ON registry_items (version);

CREATE TABLE registry_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL,
    why        text        NOT NULL,
    kind       text        NOT NULL,
    uscc       text        NOT NULL,
    key        text[]      NOT NULL,
    before     jsonb,                    -- null: it is new
    after      jsonb
);
CREATE INDEX registry_changes_by_version ON registry_changes (version);

-- Lasting small ids of names; an id, once given, always means that name.
CREATE TABLE enterprises (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uscc text NOT NULL UNIQUE
);
CREATE TABLE points (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer NOT NULL REFERENCES enterprises,
    meter         text    NOT NULL,
    channel       text    NOT NULL,
    UNIQUE (enterprise_id, meter, channel)
);
CREATE TABLE sources (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer NOT NULL REFERENCES enterprises,
    code          text    NOT NULL,
    UNIQUE (enterprise_id, code)
);
-- Gateways by the names of the topic: rejected readings are counted under unregistered names too.
CREATE TABLE gateways (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uscc    text NOT NULL,
    gateway text NOT NULL,
    UNIQUE (uscc, gateway)
);

-- API keys: only a hash of the key is kept.
CREATE TABLE api_keys (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prefix     text        NOT NULL UNIQUE,   -- the part of the key that names it, shown by `keys list`
    hash       bytea       NOT NULL,          -- SHA-256 of the whole key; a key has 256 random bits
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    gateways   text[]      NOT NULL,          -- "USCC/ID", for readings:write
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
