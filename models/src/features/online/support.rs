//! What the schema of the online store has beside the views' tables.

/// What every view needs beside its table: who owns which Kafka partition, which definition a table was made from, and the
/// functions that merge sketches and lists. Each entry can be run again.
pub const SUPPORT: &[&str] = &[
    "CREATE SCHEMA IF NOT EXISTS online",
    "CREATE TABLE IF NOT EXISTS online._owners (
       topic text NOT NULL, partition int NOT NULL, epoch bigint NOT NULL, topic_id text NOT NULL,
       owner text NOT NULL, claimed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition))",
    // The next offset of the newest checkpoint whose rows are all here: smaller than the checkpoint's in a store that was restored.
    "ALTER TABLE online._owners ADD COLUMN IF NOT EXISTS kept bigint",
    // One row: which store this is. A dump keeps it, a new store has another.
    "CREATE TABLE IF NOT EXISTS online._store (
       id uuid NOT NULL, created_at timestamptz NOT NULL DEFAULT now(), one boolean PRIMARY KEY DEFAULT true CHECK (one))",
    "INSERT INTO online._store (id) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS online._views (
       name text PRIMARY KEY, fingerprint text NOT NULL, columns text[] NOT NULL, created_at timestamptz NOT NULL DEFAULT now())",
    // The table that has the view's rows. Null: one of its own, as releases up to 0.1 made it.
    "ALTER TABLE online._views ADD COLUMN IF NOT EXISTS relation text",
    "CREATE OR REPLACE AGGREGATE online._concat(bigint[]) (SFUNC = array_cat, STYPE = bigint[], INITCOND = '{}')",
    "CREATE OR REPLACE AGGREGATE online._concat(text[]) (SFUNC = array_cat, STYPE = text[], INITCOND = '{}')",
    // The k-minimum-values estimate (Bar-Yossef et al. 2002): below `size` different hashes they are all there.
    "CREATE OR REPLACE FUNCTION online._distinct_count(hashes bigint[], size int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
       SELECT CASE WHEN count(*) < size THEN count(*)
         ELSE round((size - 1) / ((max(h)::numeric + 9223372036854775809) / 18446744073709551616))::bigint END
       FROM (SELECT DISTINCT unnest(hashes) AS h ORDER BY h LIMIT size) AS smallest $$",
    "CREATE OR REPLACE FUNCTION online._newest(vals text[], times bigint[], n int, since bigint) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(array_agg(v ORDER BY t, v COLLATE \"C\"), '{}') FROM (
         SELECT v, max(t) AS t FROM unnest(vals, times) AS u(v, t) WHERE t >= since
         GROUP BY v ORDER BY max(t) DESC, v COLLATE \"C\" DESC LIMIT n) AS newest $$",
    "CREATE OR REPLACE FUNCTION online._since(times bigint[], n int) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(min(t), 0) FROM (SELECT unnest(times) AS t ORDER BY 1 DESC LIMIT n) AS newest $$",
    "CREATE OR REPLACE FUNCTION online._top_k(vals text[], counts bigint[], k int) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(array_agg(v ORDER BY n DESC, v COLLATE \"C\"), '{}') FROM (
         SELECT v, sum(n) AS n FROM unnest(vals, counts) AS u(v, n) GROUP BY v ORDER BY sum(n) DESC, v COLLATE \"C\" LIMIT k) AS top $$",
    // Of equally frequent values the one that came latest in any of the partitions.
    "CREATE OR REPLACE FUNCTION online._top_k_latest(vals text[], counts bigint[], times bigint[], k int) RETURNS text[]
       LANGUAGE sql IMMUTABLE AS $$
       SELECT coalesce(array_agg(v ORDER BY n DESC, t DESC, v COLLATE \"C\"), '{}') FROM (
         SELECT v, sum(n) AS n, max(t) AS t FROM unnest(vals, counts, times) AS u(v, n, t) GROUP BY v
         ORDER BY sum(n) DESC, max(t) DESC, v COLLATE \"C\" LIMIT k) AS top $$",
    // Older events are only counted: those of a partition are in the streak or not, all of them.
    "CREATE OR REPLACE FUNCTION online._streak(times bigint[], since bigint, older bigint[], older_newest bigint[]) RETURNS bigint
       LANGUAGE sql IMMUTABLE AS $$
       SELECT (SELECT count(*) FROM unnest(times) AS t WHERE since IS NULL OR t > since)
         + (SELECT coalesce(sum(n), 0) FROM unnest(older, older_newest) AS u(n, t) WHERE since IS NULL OR t > since)::bigint $$",
];
