-- The digest of each published file as it was written, which `carbonmeter verify` compares the kept bytes with. Files of
-- before get that of the bytes that are there now.

ALTER TABLE published_files ADD COLUMN sha256 bytea GENERATED ALWAYS AS (sha256(content)) STORED;
ALTER TABLE published_files ALTER COLUMN sha256 DROP EXPRESSION;
ALTER TABLE published_files ALTER COLUMN sha256 SET NOT NULL;

CREATE FUNCTION digest_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sha256 := sha256(NEW.content);
    RETURN NEW;
END
$$;
CREATE TRIGGER published_files_digest BEFORE INSERT ON published_files
    FOR EACH ROW EXECUTE FUNCTION digest_file();
