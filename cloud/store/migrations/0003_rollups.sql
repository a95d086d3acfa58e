-- requires: no timescaledb
-- Why: readings_1m and readings_1h, the aggregates that charts read, kept by the hub from the feed of batches.
-- Lock: none, all is new. Run time: below a second; the hub fills them afterwards.

-- Counts, not values: what they mean is applied when they are read. `worst` is the greatest status.
CREATE TABLE readings_1m (
    bucket          timestamptz NOT NULL,
    point_id        integer NOT NULL,
    organisation_id smallint NOT NULL,
    n               bigint NOT NULL,
    absent          bigint NOT NULL,
    sum             numeric,
    min             bigint,
    max             bigint,
    first           bigint,
    last            bigint,
    worst           smallint NOT NULL,
    PRIMARY KEY (point_id, bucket)
) WITH (fillfactor = 80);

CREATE TABLE readings_1h (LIKE readings_1m INCLUDING ALL) WITH (fillfactor = 80);

-- Every batch with a smaller feed position is rolled up.
CREATE TABLE rollup_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    feed     xid8 NOT NULL DEFAULT '0',
    ran_at   timestamptz
);
INSERT INTO rollup_state DEFAULT VALUES;
