-- Years of enterprises by rows of a file: what was sent, and what was computed from it. Nothing here is changed or removed:
-- a later file, or another factor set, adds a version that names the one it supersedes.

-- One row a transaction that brought a file in, or computed anew what was in.
CREATE TABLE history_batches (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- in the order in which they became visible
    at         timestamptz NOT NULL,
    by_whom    text        NOT NULL,
    why        text        NOT NULL,
    cause      text        NOT NULL CHECK (cause IN ('import', 'factors')),
    factor_set text        NOT NULL,            -- hash of the set that its versions were computed with
    file_name  text,                            -- of an import
    sha256     bytea,
    size       integer,                         -- bytes
    rows       integer
);
CREATE INDEX history_batches_by_time ON history_batches (at);

-- An enterprise's calendar year as it was sent. (json, not jsonb: what is only kept and shown keeps its order.)
CREATE TABLE history_statements (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id      bigint   NOT NULL REFERENCES history_batches,
    enterprise_id integer  NOT NULL REFERENCES enterprises,
    year          smallint NOT NULL,
    digest        bytea    NOT NULL,            -- SHA-256 of what was sent, wherever it stood in its file
    document      json     NOT NULL             -- the inventory document that its rows make
);

-- Its rows, cell by cell: in the order of the activities of the document.
CREATE TABLE history_rows (
    statement_id bigint  NOT NULL REFERENCES history_statements,
    index        integer NOT NULL,
    sheet        text,
    row          integer NOT NULL,
    provenance   text    NOT NULL CHECK (provenance IN ('estimated', 'reported', 'verified')),
    sent         json    NOT NULL,              -- column's code -> text
    PRIMARY KEY (statement_id, index)
);

-- What a statement comes to under a factor set. The newest of an enterprise's year is in force.
CREATE TABLE history_versions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id      bigint   NOT NULL REFERENCES history_batches,
    statement_id  bigint   NOT NULL REFERENCES history_statements,
    enterprise_id integer  NOT NULL REFERENCES enterprises,
    year          smallint NOT NULL,
    supersedes    bigint   UNIQUE REFERENCES history_versions,  -- null: the year's first
    summary       json     NOT NULL,            -- totals and provenance, for lists
    answer        json     NOT NULL             -- the inventory's whole answer
);
CREATE INDEX history_versions_of_year ON history_versions (enterprise_id, year, id);
CREATE UNIQUE INDEX history_versions_first ON history_versions (enterprise_id, year) WHERE supersedes IS NULL;
