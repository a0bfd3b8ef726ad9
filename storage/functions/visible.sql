-- What a session of the API reads of tables that are closed to it: as the account that owns them, of its tenant alone.
-- `storage/row_security.py` fixes their search path and who may call them.

CREATE OR REPLACE FUNCTION visible_dead_letters(
    only_reason text, only_gateway text, since timestamptz, after_at timestamptz, after_id bigint, with_replayed boolean,
    at_most integer
) RETURNS TABLE (
    id bigint, received_at timestamptz, reason text, topic bytea, gateway text, size integer, readings integer,
    positions integer[], detail text, via text, decoder text, replayed_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT t.id, t.received_at, t.reason, t.topic,
           CASE WHEN g.id IS NULL THEN NULL ELSE g.uscc || '/' || g.gateway END,
           octet_length(t.payload), t.readings, t.positions, t.detail, t.via, t.decoder, t.replayed_at
    FROM dead_letters t LEFT JOIN gateways g ON g.id = t.gateway_id
    WHERE (tenant_is_all() OR g.uscc IN (SELECT e.uscc FROM enterprises e WHERE e.id = ANY (tenant_enterprises())))
      AND (only_reason IS NULL OR t.reason = only_reason)
      AND (only_gateway IS NULL OR g.uscc || '/' || g.gateway = only_gateway)
      AND (since IS NULL OR t.received_at >= since)
      AND (after_at IS NULL OR (t.received_at, t.id) > (after_at, after_id))
      AND (with_replayed OR t.replayed_at IS NULL)
    ORDER BY t.received_at, t.id LIMIT at_most
$$;

CREATE OR REPLACE FUNCTION visible_held(
    only_reason text, only_gateway text, since timestamptz, after_at timestamptz, after_id bigint, at_most integer
) RETURNS TABLE (
    id bigint, received_at timestamptz, reason text, topic text, gateway text, uscc text, meter text, channel text,
    measured_at timestamptz, mantissa bigint, exponent smallint, quality smallint, revision smallint
) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT t.id, t.received_at, t.reason, t.topic, g.uscc || '/' || g.gateway, t.uscc, t.meter, t.channel,
           t.measured_at, t.mantissa, t.exponent, t.quality, t.revision
    FROM held t JOIN gateways g ON g.id = t.gateway_id
    WHERE (tenant_is_all() OR t.uscc IN (SELECT e.uscc FROM enterprises e WHERE e.id = ANY (tenant_enterprises())))
      AND (only_reason IS NULL OR t.reason = only_reason)
      AND (only_gateway IS NULL OR g.uscc || '/' || g.gateway = only_gateway)
      AND (since IS NULL OR t.measured_at >= since)
      AND (after_at IS NULL OR (t.received_at, t.id) > (after_at, after_id))
    ORDER BY t.received_at, t.id LIMIT at_most
$$;

-- Entries of the log of reads about an enterprise. Of a bank's session nothing: it reads by consent, and not of others.
CREATE OR REPLACE FUNCTION visible_reads(its_id integer, after_number bigint, at_most integer, since timestamptz,
                                         until timestamptz) RETURNS TABLE (
    number bigint, at timestamptz, request_id text, who text, key_prefix text, role text, tenant text[], what text,
    part text, object text, period_from_us bigint, period_to_us bigint, basis text, status smallint, alg text,
    digest bytea
) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT l.number, l.at, l.request_id, l.who, l.key_prefix, l.role, l.tenant, l.what, l.part, l.object,
           l.period_from_us, l.period_to_us, l.basis, l.status, l.alg, l.digest
    FROM read_log_enterprises o JOIN read_log l ON l.number = o.number
    WHERE o.enterprise_id = its_id AND o.number > after_number
      AND (tenant_is_all() OR (tenant_consumer() = '' AND its_id = ANY (tenant_enterprises())))
      AND (since IS NULL OR l.at >= since) AND (until IS NULL OR l.at < until)
    ORDER BY o.number LIMIT at_most
$$;

-- The account of a gateway: the folded sum of old batches and the live sum of the rest, in one statement.
CREATE OR REPLACE FUNCTION visible_gateway_account(its_uscc text, its_gateway text) RETURNS TABLE (
    received bigint, stored bigint, held bigint, rejected bigint, duplicates bigint, conflicts bigint
) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    WITH its AS (
        SELECT g.id FROM gateways g WHERE g.uscc = its_uscc AND g.gateway = its_gateway
          AND (tenant_is_all()
               OR g.uscc IN (SELECT e.uscc FROM enterprises e WHERE e.id = ANY (tenant_enterprises())))),
    live AS (
        SELECT sum(delta.received) AS received, sum(delta.stored) AS stored,
               sum(delta.held) AS held, sum(delta.rejected) AS rejected
        FROM batches,
             unnest(batches.gateway_ids, batches.received, batches.stored, batches.held, batches.rejected)
                 AS delta (gateway_id, received, stored, held, rejected)
        WHERE commit_no > (SELECT folded_commit_no FROM gateway_fold)
          AND delta.gateway_id = (SELECT id FROM its)
    )
    SELECT (coalesce(folded.received, 0) + coalesce(live.received, 0))::bigint,
           (coalesce(folded.stored, 0) + coalesce(live.stored, 0))::bigint,
           (coalesce(folded.held, 0) + coalesce(live.held, 0))::bigint,
           (coalesce(folded.rejected, 0) + coalesce(live.rejected, 0))::bigint,
           coalesce(tallies.duplicates, 0)::bigint, coalesce(tallies.conflicts, 0)::bigint
    FROM its CROSS JOIN live
    LEFT JOIN gateway_accounts AS folded ON folded.gateway_id = its.id
    CROSS JOIN (SELECT sum(t.duplicates) AS duplicates, sum(t.conflicts) AS conflicts
                FROM gateway_tallies t WHERE t.gateway_id = (SELECT id FROM its)) AS tallies
$$;
