-- Why: the first tables of the hub. Lock: none, all is new. Run time: below a second.
-- Times that come from gateways lie on a 10 ms grid. Every owned row carries its organisation.

CREATE TABLE organisations (
    id          smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sites (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    name            text NOT NULL CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    title           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('laboratory', 'mobile_lab', 'vehicle')),
    time_zone       text NOT NULL DEFAULT 'Asia/Shanghai',
    latitude_e9     bigint,
    longitude_e9    bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organisation_id, name)
);

CREATE TABLE gateways (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    name            text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- liveness, kept by watch: the last birth or will that counted
    session         bytea,
    online          boolean NOT NULL DEFAULT false,
    online_since    timestamptz,
    software        text,
    last_batch_at   timestamptz
);

-- Batch keys that a gateway's TLS key has certified; old ones are kept for ever.
CREATE TABLE gateway_keys (
    key_id          bytea PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer NOT NULL REFERENCES gateways,
    public_key      bytea NOT NULL,
    certificate_pem text NOT NULL,
    proof           bytea NOT NULL,
    first_seen_at   timestamptz NOT NULL DEFAULT now(),
    refused_at      timestamptz
);

-- Which site a gateway serves, in event time.
CREATE TABLE gateway_bindings (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer NOT NULL REFERENCES gateways,
    site_id         integer NOT NULL REFERENCES sites,
    valid           tstzrange NOT NULL DEFAULT '(,)',
    EXCLUDE USING gist (int4range(gateway_id, gateway_id, '[]') WITH &&, valid WITH &&)
);

CREATE TABLE points (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    name            text NOT NULL,
    quantity        text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('analog', 'state', 'counter')),
    states          jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (site_id, name)
);

-- What a point's counts mean and how often they are due, in event time: value = raw * 10^exponent.
CREATE TABLE point_versions (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    point_id        integer NOT NULL REFERENCES points,
    exponent        smallint NOT NULL,
    period_ms       bigint,
    valid           tstzrange NOT NULL DEFAULT '(,)',
    EXCLUDE USING gist (int4range(point_id, point_id, '[]') WITH &&, valid WITH &&)
);

-- Which gateway's channel (the name of a point in its declaration) feeds a point, in event time.
CREATE TABLE channel_bindings (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer NOT NULL REFERENCES gateways,
    channel         text NOT NULL,
    point_id        integer NOT NULL REFERENCES points,
    valid           tstzrange NOT NULL DEFAULT '(,)',
    EXCLUDE USING gist (int4range(gateway_id, gateway_id, '[]') WITH &&,
                        int8range(hashtextextended(channel, 0), hashtextextended(channel, 0), '[]') WITH &&,
                        valid WITH &&)
);
CREATE INDEX ON channel_bindings (point_id);

CREATE TABLE layouts (
    gateway_id      integer NOT NULL REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    layout          text NOT NULL,
    channels        text[] NOT NULL,
    exponents       smallint[] NOT NULL,
    declared_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (gateway_id, layout)
);

-- Grows by one with every change of gateways, keys, bindings, layouts or points; ingest caches by it.
CREATE TABLE directory_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL DEFAULT 1
);
INSERT INTO directory_version DEFAULT VALUES;

-- The ledger: which batches of (gateway, epoch) are committed.
CREATE TABLE ledger (
    gateway_id      integer NOT NULL REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    epoch           bytea NOT NULL CHECK (octet_length(epoch) = 16),
    received        int8multirange NOT NULL DEFAULT '{}',
    closed_at       timestamptz,
    first_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (gateway_id, epoch)
) WITH (fillfactor = 50);

-- One row per committed batch. `feed` is what watch and web follow: a reader takes rows with
-- feed < pg_snapshot_xmin(pg_current_snapshot()) and never misses one that commits late.
CREATE TABLE batches (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    organisation_id smallint NOT NULL,
    gateway_id      integer NOT NULL,
    epoch           bytea NOT NULL,
    seq             bigint NOT NULL,
    hash            bytea NOT NULL,
    previous        bytea NOT NULL,
    key_id          bytea NOT NULL,
    signature       bytea NOT NULL,
    boot            bytea NOT NULL,
    clock_state     text NOT NULL,
    offset_ticks    bigint,
    bound_ms        bigint,
    clock_source    text NOT NULL,
    -- placed: its readings are in the tables; waiting: time is open; quarantined: undeclared or unbound
    state           text NOT NULL CHECK (state IN ('placed', 'waiting', 'quarantined', 'conflict')),
    readings        integer NOT NULL,
    first_at        timestamptz,
    last_at         timestamptz,
    received_at     timestamptz NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX batches_feed ON batches (feed);
CREATE INDEX batches_chain ON batches (gateway_id, epoch, seq);
CREATE INDEX batches_open ON batches (gateway_id, boot) WHERE state <> 'placed';

-- The bytes as signed (uncompressed body), with a retention of their own.
CREATE TABLE batch_bodies (
    batch_id        bigint NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    body            bytea NOT NULL
);
CREATE INDEX batch_bodies_batch ON batch_bodies (batch_id);

-- Time found for a boot; the smallest offset_ticks wins should there ever be two.
CREATE TABLE clocks_found (
    gateway_id      integer NOT NULL REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    boot            bytea NOT NULL,
    offset_ticks    bigint NOT NULL,
    bound_ms        bigint NOT NULL,
    source          text NOT NULL,
    PRIMARY KEY (gateway_id, boot, offset_ticks)
);

CREATE TABLE tombstones (
    gateway_id      integer NOT NULL REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    epoch           bytea NOT NULL,
    seq             bigint NOT NULL,
    hash            bytea NOT NULL,
    reason          text NOT NULL,
    PRIMARY KEY (gateway_id, epoch, seq)
);

-- Bad signatures, bad frames, strangers: bounded by ingest, neither acked nor counted as received.
CREATE TABLE rejects (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at     timestamptz NOT NULL DEFAULT now(),
    topic           text NOT NULL,
    stage           text NOT NULL,
    reason          text NOT NULL,
    bytes           integer NOT NULL,
    head            bytea NOT NULL
);

CREATE TABLE readings (
    observed_at     timestamptz NOT NULL,
    raw             bigint,
    point_id        integer NOT NULL,
    organisation_id smallint NOT NULL,
    status          smallint NOT NULL,
    CHECK ((raw IS NULL) = (status >= 16))
);
CREATE INDEX readings_point_time ON readings (point_id, observed_at);

CREATE TABLE positions (
    observed_at         timestamptz NOT NULL,
    point_id            integer NOT NULL,
    organisation_id     smallint NOT NULL,
    mode                smallint NOT NULL,
    latitude_e9         bigint,
    longitude_e9        bigint,
    altitude_mm         bigint,
    speed_mm_s          bigint,
    course_mdeg         integer,
    climb_mm_s          bigint,
    error_horizontal_mm bigint,
    error_vertical_mm   bigint,
    error_speed_mm_s    bigint,
    satellites_used     smallint,
    gnss_time_ms        bigint
);
CREATE INDEX positions_point_time ON positions (point_id, observed_at);

CREATE TABLE events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer REFERENCES gateways,
    site_id         integer REFERENCES sites,
    observed_at     timestamptz NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    kind            text NOT NULL,
    subject         text NOT NULL,
    data            jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX events_time ON events (organisation_id, observed_at);
CREATE INDEX events_gateway ON events (gateway_id, observed_at);

-- Stretches without readings. `from_at` NULL: since the last reading stored before `to_at`.
-- `to_at` NULL: still open. `key` is (point, boot, start, cause) as sent, so that a closing finds its opening.
CREATE TABLE gaps (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    point_id        integer NOT NULL REFERENCES points,
    gateway_id      integer REFERENCES gateways,
    key             text NOT NULL,
    cause           text NOT NULL CHECK (cause IN
        ('sensor', 'radio', 'bus', 'gateway', 'power', 'storage', 'clock', 'hub', 'maintenance')),
    reason          text NOT NULL DEFAULT '',
    from_at         timestamptz,
    to_at           timestamptz,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (point_id, key),
    CHECK (from_at IS NULL OR to_at IS NULL OR from_at <= to_at)
);

-- Calibration of a point, in event time: piecewise-linear and monotone. correction(raw value) is added to it;
-- nodes are exact decimals in the point's unit, `exponent` is the resolution of the corrected value.
CREATE TABLE calibrations (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    point_id        integer NOT NULL REFERENCES points,
    valid           tstzrange NOT NULL,
    indicated       numeric[] NOT NULL,
    correction      numeric[] NOT NULL,
    exponent        smallint NOT NULL,
    certificate     text NOT NULL DEFAULT '',
    entered_at      timestamptz NOT NULL DEFAULT now(),
    CHECK (cardinality(indicated) = cardinality(correction) AND cardinality(indicated) >= 1),
    EXCLUDE USING gist (int4range(point_id, point_id, '[]') WITH &&, valid WITH &&)
);

-- Newest reading of every point, kept by ingest in the transaction that stores it.
CREATE TABLE latest (
    point_id        integer PRIMARY KEY,
    organisation_id smallint NOT NULL,
    observed_at     timestamptz NOT NULL,
    raw             bigint,
    status          smallint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE latest_positions (
    point_id        integer PRIMARY KEY,
    organisation_id smallint NOT NULL,
    observed_at     timestamptz NOT NULL,
    mode            smallint NOT NULL,
    latitude_e9     bigint,
    longitude_e9    bigint,
    speed_mm_s      bigint,
    course_mdeg     integer
) WITH (fillfactor = 50);
