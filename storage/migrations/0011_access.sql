-- Who may see what: roles and tenants of keys, tokens, consents, and the log of reads.

ALTER TABLE api_keys
    ADD COLUMN role   text,                          -- domain.access.Role; null: none, everything by scope
    ADD COLUMN tenant text[] NOT NULL DEFAULT '{}',  -- USCCs, park codes, a bank's code, district codes
    ADD COLUMN basis  text   NOT NULL DEFAULT '',    -- the law or order that it reads by
    ADD COLUMN limits jsonb  NOT NULL DEFAULT '{}';  -- its own, where they aren't the server's

-- OAuth 2.0: what a client got for its key. A token ends with its key.
CREATE TABLE access_tokens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alg        text        NOT NULL,
    hash       bytea       NOT NULL UNIQUE,          -- of the whole token; a token has 256 random bits
    key_id     integer     NOT NULL REFERENCES api_keys,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX access_tokens_by_end ON access_tokens (expires_at);

-- An enterprise's word that somebody may read of its account. Nothing of it is changed but that it is revoked, once.
CREATE TABLE consents (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id     integer     NOT NULL REFERENCES enterprises,
    consumer          text        NOT NULL,          -- a bank's code, as in api_keys.tenant
    purpose           text        NOT NULL,
    fields            text[]      NOT NULL,          -- domain.access.Part
    period_first_days integer[]   NOT NULL,          -- local days [first, end); none: all
    period_end_days   integer[]   NOT NULL,
    granted_by        text        NOT NULL,
    legal_text_alg    text        NOT NULL,
    legal_text_hash   bytea       NOT NULL,
    recorded_at       timestamptz NOT NULL,
    recorded_by       text        NOT NULL,
    valid_from        timestamptz NOT NULL,
    valid_to          timestamptz,
    revoked_at        timestamptz,
    revoked_by        text,
    revoked_why       text
);
CREATE INDEX consents_of_consumer ON consents (consumer);
CREATE INDEX consents_of_enterprise ON consents (enterprise_id);

CREATE FUNCTION refuse_consent_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL AND to_jsonb(OLD) - '{revoked_at,revoked_by,revoked_why}'::text[]
            = to_jsonb(NEW) - '{revoked_at,revoked_by,revoked_why}'::text[] THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a consent is revoked, once, and never changed or removed';
END
$$;
CREATE TRIGGER consents_stay BEFORE UPDATE OR DELETE ON consents
    FOR EACH ROW EXECUTE FUNCTION refuse_consent_change();
CREATE TRIGGER consents_stay_all BEFORE TRUNCATE ON consents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_consent_change();

-- Every read of what is an enterprise's, chained: an entry's digest is of the entry and of the digest before it.
CREATE TABLE read_log (
    number         bigint      PRIMARY KEY,          -- from 1, without a gap
    at             timestamptz NOT NULL,
    request_id     text        NOT NULL,
    who            text        NOT NULL,             -- the key's name
    key_prefix     text,                             -- null: a visitor, where reading is open
    role           text,
    tenant         text[]      NOT NULL,
    what           text        NOT NULL,             -- method and route
    part           text        NOT NULL,             -- domain.access.Part
    usccs          text[]      NOT NULL,             -- whose
    object         text        NOT NULL,             -- what of it: a channel, a source, a report
    period_from_us bigint,
    period_to_us   bigint,
    basis          text        NOT NULL,             -- own, a consent, membership, a law …
    status         smallint    NOT NULL,             -- of the answer
    alg            text        NOT NULL,
    previous       bytea       NOT NULL,             -- digest of the entry before; empty: the first
    digest         bytea       NOT NULL
);
CREATE INDEX read_log_by_time ON read_log (at);

-- The log's entries by enterprise: follows from usccs.
CREATE TABLE read_log_enterprises (
    enterprise_id integer NOT NULL REFERENCES enterprises,
    number        bigint  NOT NULL REFERENCES read_log,
    PRIMARY KEY (enterprise_id, number)
);

CREATE FUNCTION refuse_log_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only added to: nothing in it is changed or removed', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER read_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON read_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change();
CREATE TRIGGER read_log_enterprises_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON read_log_enterprises
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_log_change();

-- Policies ask which batches of history an enterprise has a version of.
CREATE INDEX history_versions_of_batch ON history_versions (batch_id);
