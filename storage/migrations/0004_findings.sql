-- Checks between channels: what is still to be judged, what the rules found by day, and the findings people deal with.
-- All of it is derived, beside the books: nothing here changes an amount.

-- The registry and the rules that everything not listed as due has been judged by. Empty: nothing was judged yet.
CREATE TABLE validation_state (
    one              boolean PRIMARY KEY DEFAULT true CHECK (one),
    registry_version bigint NOT NULL,
    rules_hash       text   NOT NULL
);

-- Days [first_day, end_day) of an enterprise whose books changed; written in the transaction that changed them.
CREATE TABLE validation_due (
    id            bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer NOT NULL REFERENCES enterprises,
    first_day     integer NOT NULL,
    end_day       integer NOT NULL,
    CHECK (first_day < end_day)
);
CREATE INDEX validation_due_by_day ON validation_due (first_day);

-- What a rule finds on a local day (or on a month, for rules that judge months): a function of books, registry,
-- rules and of which days have ended. Replaced whole when a day is judged again.
CREATE TABLE finding_days (
    enterprise_id integer  NOT NULL REFERENCES enterprises,
    rule          text     NOT NULL,
    subject       text     NOT NULL,           -- METER/CHANNEL, a meter, a source, a product, a check's id
    day           integer  NOT NULL,
    end_day       integer  NOT NULL,           -- the first day after it
    from_us       bigint   NOT NULL,           -- first of the intervals concerned, and the end of the last
    to_us         bigint   NOT NULL,
    channels      text[]   NOT NULL,
    evidence      jsonb    NOT NULL,
    mg            numeric  NOT NULL,           -- mg CO2e in doubt
    PRIMARY KEY (enterprise_id, rule, subject, day)
);

-- A finding: consecutive days of one rule and subject. It is known by its first day, and never deleted.
CREATE TABLE findings (
    id            bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer  NOT NULL REFERENCES enterprises,
    rule          text     NOT NULL,
    subject       text     NOT NULL,
    first_day     integer  NOT NULL,
    end_day       integer  NOT NULL,
    severity      text     NOT NULL,           -- high, medium, low
    channels      text[]   NOT NULL,
    from_us       bigint   NOT NULL,
    to_us         bigint   NOT NULL,
    days          integer  NOT NULL,           -- of finding_days
    mg            numeric  NOT NULL,
    evidence      jsonb    NOT NULL,           -- of its days, the first and the last of many; kept when it no longer holds
    holds         boolean  NOT NULL,           -- whether the rules find it now
    state         text     NOT NULL CHECK (state IN ('open', 'explained', 'settled')),
    settled_end_day integer,                   -- how far it reached when a person settled it
    UNIQUE (enterprise_id, rule, subject, first_day)
);
CREATE INDEX findings_by_time ON findings (from_us, id);

-- Every state that a finding was in, with who put it there, when and why; never changed after.
CREATE TABLE finding_states (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    finding_id bigint      NOT NULL REFERENCES findings,
    state      text        NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL,           -- a person's or key's name; 'carbonmeter' for the rules
    why        text        NOT NULL
);
CREATE INDEX finding_states_of_finding ON finding_states (finding_id, id);
