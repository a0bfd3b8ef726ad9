-- For whom a session of the API reads: what policies and functions ask. Unsaid, it is nobody; the server's own account,
-- which hasn't taken on another role, reads everything.

CREATE OR REPLACE FUNCTION tenant_is_all() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(
        nullif(current_setting('carbonmeter.tenant', true), ''),
        CASE WHEN current_setting('role') = 'none' THEN 'all' ELSE '{}' END
    ) = 'all'
$$;

CREATE OR REPLACE FUNCTION tenant_enterprises() RETURNS integer[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(nullif(current_setting('carbonmeter.tenant', true), 'all'), ''), '{}')::integer[]
$$;

-- The code of a bank, which reads by consent; '' for everybody else.
CREATE OR REPLACE FUNCTION tenant_consumer() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('carbonmeter.consumer', true), '')
$$;
