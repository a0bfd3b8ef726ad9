-- What enterprises state of their units and lines for a compliance year (docs/quota.md), and green certificates that
-- were retired for a year's electricity. Nothing is changed or removed: a later statement supersedes, a void takes back.

CREATE TABLE quota_statements (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer     NOT NULL REFERENCES enterprises,
    year          smallint    NOT NULL,
    document      jsonb       NOT NULL,
    at            timestamptz NOT NULL,
    by_whom       text        NOT NULL,
    why           text        NOT NULL
);
CREATE INDEX quota_statements_of_enterprise ON quota_statements (enterprise_id, year, id);

CREATE TABLE certificates (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number        text        NOT NULL,
    enterprise_id integer     NOT NULL REFERENCES enterprises, -- who owns and retired it
    year          smallint    NOT NULL,                        -- of the electricity that it certifies
    mwh           numeric     NOT NULL CHECK (mwh > 0),
    retired_on    date        NOT NULL,
    evidence      text        NOT NULL,
    at            timestamptz NOT NULL,
    by_whom       text        NOT NULL,
    voided_at     timestamptz,
    voided_by     text,
    void_why      text
);
-- A number counts once, for one enterprise and year, in the whole city.
CREATE UNIQUE INDEX certificates_count_once ON certificates (number) WHERE voided_at IS NULL;
CREATE INDEX certificates_of_enterprise ON certificates (enterprise_id, year, id);

CREATE TRIGGER quota_statements_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON quota_statements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A certificate may be voided once, and otherwise stays as it was entered.
CREATE FUNCTION refuse_change_but_void() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.voided_at IS NULL AND NEW.voided_at IS NOT NULL
           AND to_jsonb(NEW) - '{voided_at,voided_by,void_why}'::text[]
             = to_jsonb(OLD) - '{voided_at,voided_by,void_why}'::text[] THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% keeps what was entered: it can be voided once, with a reason', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER certificates_stay BEFORE UPDATE OR DELETE ON certificates
    FOR EACH ROW EXECUTE FUNCTION refuse_change_but_void();
CREATE TRIGGER certificates_stay_whole BEFORE TRUNCATE ON certificates
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
