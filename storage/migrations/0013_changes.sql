-- The feed of changes that platforms follow, and the webhooks that bring it to them.

-- Announced in the transaction of the change itself. The publisher gives what it sees here its place in the feed and removes
-- it: a transaction that commits late is seen late, and is never passed over.
CREATE TABLE change_outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text        NOT NULL,        -- domain.change.ChangeKind
    enterprise_id integer     REFERENCES enterprises,
    first_day     integer,                     -- local days [first, end) that it is about; null: none
    end_day       integer,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    data          jsonb       NOT NULL
);

-- Numbered from 1 without a gap, in the order in which they became visible; never changed after.
CREATE TABLE changes (
    number        bigint      PRIMARY KEY,
    kind          text        NOT NULL,
    enterprise_id integer     REFERENCES enterprises,
    first_day     integer,
    end_day       integer,
    at            timestamptz NOT NULL,
    data          jsonb       NOT NULL
);
CREATE INDEX changes_of_enterprise ON changes (enterprise_id, number);
CREATE TRIGGER changes_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON changes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE change_feed (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    number bigint  NOT NULL DEFAULT 0          -- the last that was given
);
INSERT INTO change_feed DEFAULT VALUES;

CREATE TABLE webhooks (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url             text        NOT NULL,
    secret          bytea       NOT NULL,      -- shared with the receiver: what it is sent is signed with it
    key_id          integer     NOT NULL REFERENCES api_keys,  -- it hears what this key may read
    kinds           text[]      NOT NULL,      -- none: all
    state           text        NOT NULL,      -- active; dead: gave up, nothing is lost; removed
    number          bigint      NOT NULL,      -- the last change that was taken, or passed over
    attempts        integer     NOT NULL DEFAULT 0,  -- in vain, for the next one
    next_attempt_at timestamptz NOT NULL,
    last_error      text,
    delivered       bigint      NOT NULL DEFAULT 0,
    delivered_at    timestamptz,
    created_at      timestamptz NOT NULL,
    created_by      text        NOT NULL
);
