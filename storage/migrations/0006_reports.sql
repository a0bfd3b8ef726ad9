-- Published reports: frozen as they went out. Nothing of them is changed or removed; a later one of the same year stands
-- beside them.

CREATE TABLE published_reports (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise_id integer     NOT NULL REFERENCES enterprises,
    year          smallint    NOT NULL,
    as_of         timestamptz NOT NULL,          -- the books as of this moment
    run_id        bigint      NOT NULL,          -- the last run in them; 0: none
    published_at  timestamptz NOT NULL,
    by_whom       text        NOT NULL,
    why           text        NOT NULL,
    sha256        text        NOT NULL,          -- of the document, as it says itself
    totals        jsonb       NOT NULL           -- boundary -> kg, for lists
);
CREATE INDEX published_reports_of_enterprise ON published_reports (enterprise_id, published_at, id);

-- The bytes that were published, in each form and language; '' for the JSON, which has both.
CREATE TABLE published_files (
    report_id bigint NOT NULL REFERENCES published_reports,
    format    text   NOT NULL,
    language  text   NOT NULL,
    content   bytea  NOT NULL,
    PRIMARY KEY (report_id, format, language)
);
ALTER TABLE published_files ALTER COLUMN content SET STORAGE EXTERNAL; -- XLSX is compressed already

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% keeps what was published: nothing in it is changed or removed', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER published_reports_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON published_reports
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER published_files_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON published_files
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
