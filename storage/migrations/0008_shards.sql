-- The books by 16 shards of enterprises (enterprise_id % 16), for several workers of accounting.

-- Which shards a run was of, a bit each. Within a shard runs are written one after the other, so their numbers are in the
-- order of their commits; between shards they need not be. What was written before was of all.
ALTER TABLE runs ADD COLUMN shards integer NOT NULL DEFAULT 65535;
CREATE INDEX runs_of_shards ON runs (shards, committed_at);

-- One cursor a shard, always there. Before a shard's first run its rules and factor set are ''.
INSERT INTO cursors (shard, commit_no, registry_version, factor_set, rules_version)
SELECT other.shard, c.commit_no, c.registry_version, c.factor_set, c.rules_version
FROM cursors c, generate_series(1, 15) AS other (shard) WHERE c.shard = 0;
INSERT INTO cursors (shard, commit_no, registry_version, factor_set, rules_version)
SELECT shard, 0, 0, '', '' FROM generate_series(0, 15) AS shard WHERE NOT EXISTS (SELECT FROM cursors);
