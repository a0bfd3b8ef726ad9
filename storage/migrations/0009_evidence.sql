-- Evidence: a Merkle log (RFC 9162) of batches, closes and grade records, its signed checkpoints, and the public keys.

-- Each public key that ever signed anything here. Private ones are never in the database.
CREATE TABLE signing_keys (
    key_id        text        PRIMARY KEY,     -- domain.signing.PublicKey.key_id
    alg           text        NOT NULL,
    public_key    bytea       NOT NULL,
    first_used_at timestamptz NOT NULL,
    retired_at    timestamptz                  -- rotated: what it signed before still holds
);

-- How far the log has come. One writer at a time, under an advisory lock.
CREATE TABLE evidence_log (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    origin    text    NOT NULL,                -- the log's name in its checkpoints
    size      bigint  NOT NULL DEFAULT 0,      -- leaves
    commit_no bigint  NOT NULL DEFAULT 0       -- batches up to this one have their leaf
);
INSERT INTO evidence_log (origin) VALUES ('carbonmeter/' || replace(gen_random_uuid()::text, '-', ''));

CREATE TABLE evidence_leaves (
    leaf_index bigint PRIMARY KEY,             -- from 0, without a gap
    hash       bytea  NOT NULL
);

-- What a leaf is the hash of. Hashes are for everybody, contents for those who may read of the enterprise; a batch's
-- content names none.
CREATE TABLE evidence_records (
    leaf_index    bigint  PRIMARY KEY REFERENCES evidence_leaves,
    kind          text    NOT NULL,            -- batch, close, grade
    reference     text    NOT NULL,            -- the batch's id, or what the kind names it by
    enterprise_id integer REFERENCES enterprises,
    content       bytea   NOT NULL
);
CREATE INDEX evidence_records_by_reference ON evidence_records (kind, reference);

-- Hashes of the complete subtrees of 2^8, 2^16 … leaves; those between are made from these.
CREATE TABLE evidence_nodes (
    level      smallint NOT NULL,
    node_index bigint   NOT NULL,
    hash       bytea    NOT NULL,
    PRIMARY KEY (level, node_index)
);

-- What waits for its leaf: written in the transaction that closes a month or records a grade.
CREATE TABLE evidence_pending (
    id              bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text    NOT NULL,
    reference       text    NOT NULL,
    enterprise_id   integer REFERENCES enterprises,
    content         bytea   NOT NULL,
    after_commit_no bigint  NOT NULL            -- its leaf comes after those of the batches that it could have seen
);

CREATE TABLE evidence_checkpoints (
    size      bigint      PRIMARY KEY,
    root      bytea       NOT NULL,
    signed_at timestamptz NOT NULL,
    key_id    text        NOT NULL REFERENCES signing_keys,
    note      text        NOT NULL             -- as published: C2SP tlog-checkpoint
);

CREATE TRIGGER evidence_leaves_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_records_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER evidence_checkpoints_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
