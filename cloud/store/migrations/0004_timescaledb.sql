-- requires: timescaledb
-- transaction: none
-- Why: readings and positions become hypertables with columnstore; readings_1m and readings_1h, the aggregates that
-- charts read, become continuous aggregates that also answer for what is not materialised yet.
-- Lock: exclusive on readings and positions while their rows move. Run time: grows with them.

-- A week a chunk: what a chunk costs by itself is small beside a single slow point, and plans stay short.
SELECT create_hypertable('readings', by_range('observed_at', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('positions', by_range('observed_at', INTERVAL '7 days'),
                         create_default_indexes => false, migrate_data => true);

ALTER TABLE readings SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'point_id', timescaledb.compress_orderby = 'observed_at');
ALTER TABLE positions SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'point_id', timescaledb.compress_orderby = 'observed_at');

-- Two days leave room for gateways that were offline; older late readings still go in, at a higher price.
SELECT add_compression_policy('readings', compress_after => INTERVAL '2 days');
SELECT add_compression_policy('positions', compress_after => INTERVAL '8 days');

CREATE MATERIALIZED VIEW readings_1m WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket('1 minute', observed_at) AS bucket, point_id, min(organisation_id) AS organisation_id,
       count(raw) AS n, count(*) - count(raw) AS absent, sum(raw) AS sum, min(raw) AS min, max(raw) AS max,
       first(raw, observed_at) FILTER (WHERE raw IS NOT NULL) AS first,
       last(raw, observed_at) FILTER (WHERE raw IS NOT NULL) AS last, max(status) AS worst
FROM readings
GROUP BY 1, 2
WITH NO DATA;

CREATE MATERIALIZED VIEW readings_1h WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT time_bucket('1 hour', bucket) AS bucket, point_id, min(organisation_id) AS organisation_id,
       sum(n)::bigint AS n, sum(absent)::bigint AS absent, sum(sum) AS sum, min(min) AS min, max(max) AS max,
       first(first, bucket) FILTER (WHERE n > 0) AS first,
       last(last, bucket) FILTER (WHERE n > 0) AS last, max(worst) AS worst
FROM readings_1m
GROUP BY 1, 2
WITH NO DATA;

ALTER MATERIALIZED VIEW readings_1m SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'point_id', timescaledb.compress_orderby = 'bucket');
SELECT add_compression_policy('readings_1m', compress_after => INTERVAL '30 days');

-- Every batch with a smaller feed position is in the aggregates.
CREATE TABLE rollup_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    feed     xid8 NOT NULL DEFAULT '0',
    ran_at   timestamptz
);
INSERT INTO rollup_state DEFAULT VALUES;

-- A job instead of the two ready-made policies: late readings make old buckets stale, and only who knows up to
-- which feed position the buckets are refreshed can answer for the rest from the readings themselves. Newer
-- versions refresh ten buckets at a time unless told otherwise; older ones cannot be told.
DO $migration$ BEGIN
    EXECUTE format($procedure$
        CREATE PROCEDURE refresh_rollups(job_id integer DEFAULT NULL, config jsonb DEFAULT NULL)
        LANGUAGE plpgsql AS $body$
        DECLARE
            reached xid8;
        BEGIN
            PERFORM pg_advisory_lock(hashtext('refresh_rollups'));
            COMMIT;
            reached := pg_snapshot_xmin(pg_current_snapshot());
            COMMIT;
            CALL refresh_continuous_aggregate('readings_1m', NULL, now() - INTERVAL '1 minute' %1$s);
            COMMIT;
            CALL refresh_continuous_aggregate('readings_1h', NULL, now() - INTERVAL '1 hour' %1$s);
            COMMIT;
            UPDATE rollup_state SET feed = greatest(feed, reached), ran_at = now();
            COMMIT;
            PERFORM pg_advisory_unlock(hashtext('refresh_rollups'));
        END
        $body$
    $procedure$,
    CASE WHEN EXISTS (SELECT 1 FROM pg_proc
                      WHERE proname = 'refresh_continuous_aggregate' AND 'options' = ANY (proargnames))
         THEN $option$, options => '{"buckets_per_batch": 10080}'$option$ ELSE '' END);
END $migration$;
SELECT add_job('refresh_rollups', INTERVAL '30 seconds');
