-- Green grades (docs/grades.md): what is stated for them, schemes beside the shipped ones, the records, publication, objections.
-- Nothing in here is changed or removed: a later row stands in place of an earlier one.

-- Value added and the like, energy and output of benchmarked products, their conditions, facts that override.
CREATE TABLE grade_statements (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer     NOT NULL REFERENCES enterprises,
    kind          text        NOT NULL,        -- figure, output, benchmark, fact
    key           text        NOT NULL,        -- of one kind and key the newest row is in force
    document      jsonb       NOT NULL,        -- null of JSON: taken back
    at            timestamptz NOT NULL,
    by_whom       text        NOT NULL,
    why           text        NOT NULL
);
CREATE INDEX grade_statements_of_enterprise ON grade_statements (enterprise_id, kind, key, id);

CREATE TABLE grade_schemes (
    id       text        NOT NULL,
    version  text        NOT NULL,
    hash     text        NOT NULL,
    document jsonb       NOT NULL,
    at       timestamptz NOT NULL,
    by_whom  text        NOT NULL,
    why      text        NOT NULL,
    PRIMARY KEY (id, version)
);

-- Which scheme grades from a closing month on; before the first row the default that is shipped.
CREATE TABLE grade_adoptions (
    number  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      text        NOT NULL,
    version text        NOT NULL,
    month   integer     NOT NULL,              -- since January 1970
    at      timestamptz NOT NULL,
    by_whom text        NOT NULL,
    why     text        NOT NULL
);

CREATE TABLE grade_records (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer     NOT NULL REFERENCES enterprises,
    kind          text        NOT NULL CHECK (kind IN ('INDICATIVE', 'PUBLISHED', 'ANNUAL')),
    month         integer     NOT NULL,        -- closing month, since January 1970
    scheme_id     text        NOT NULL,
    version       text        NOT NULL,
    label         text        NOT NULL,
    held          text        NOT NULL,        -- after hysteresis, before caps
    state         text        NOT NULL,
    score         numeric,                     -- to twelve places, for lists and ranks
    document      text        NOT NULL,        -- canonical JSON: what is signed
    snapshot      text        NOT NULL,        -- canonical JSON of all that came in
    supersedes    bigint      UNIQUE REFERENCES grade_records,
    created_at    timestamptz NOT NULL,
    signature     jsonb
);
CREATE INDEX grade_records_of_enterprise ON grade_records (enterprise_id, kind, month, id);
CREATE INDEX grade_records_by_month ON grade_records (kind, month, enterprise_id);
CREATE UNIQUE INDEX grade_records_once ON grade_records (enterprise_id, kind, month) WHERE supersedes IS NULL;

-- The flow of a quarter's publication: TRIAL 试算, NOTIFIED 告知, EFFECTIVE 生效.
CREATE TABLE grade_stages (
    month   integer     NOT NULL,
    stage   text        NOT NULL CHECK (stage IN ('TRIAL', 'NOTIFIED', 'EFFECTIVE')),
    at      timestamptz NOT NULL,
    until   date,                              -- NOTIFIED: the last day to object
    by_whom text        NOT NULL,
    why     text        NOT NULL,
    PRIMARY KEY (month, stage)
);

CREATE TABLE grade_objections (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id     bigint      NOT NULL REFERENCES grade_records,
    enterprise_id integer     NOT NULL REFERENCES enterprises,
    text          text        NOT NULL,
    attachments   jsonb       NOT NULL,        -- [{name, sha256, reference}]
    at            timestamptz NOT NULL,
    by_whom       text        NOT NULL,
    due           date        NOT NULL
);
CREATE INDEX grade_objections_of_enterprise ON grade_objections (enterprise_id, id);

CREATE TABLE grade_decisions (
    objection_id  bigint      PRIMARY KEY REFERENCES grade_objections,
    enterprise_id integer     NOT NULL REFERENCES enterprises,
    outcome       text        NOT NULL CHECK (outcome IN ('UPHELD', 'CORRECTED')), -- 维持, 更正
    record_id     bigint      REFERENCES grade_records, -- CORRECTED: the new record
    at            timestamptz NOT NULL,
    by_whom       text        NOT NULL,
    why           text        NOT NULL
);

CREATE TRIGGER grade_statements_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_statements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grade_schemes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_schemes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grade_adoptions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_adoptions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grade_records_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_records
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grade_stages_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_stages
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grade_objections_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_objections
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grade_decisions_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON grade_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
