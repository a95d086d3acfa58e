-- Why: pictures and recordings that gateways bring, and stretches of recordings that people asked for.
-- Lock: none on what is there but the build of one small index on events. Run time: seconds.

-- One row for each file that a gateway brought; its bytes are in the media folder under their hash.
-- A row is never deleted: when its file goes, `deleted_at` and `deleted_why` say so.
CREATE TABLE media (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer NOT NULL REFERENCES gateways,
    -- the site that the gateway served at from_at (at received_at when that is not known)
    site_id         integer REFERENCES sites,
    camera          text NOT NULL,
    device          text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('picture', 'segment')),
    sha256          bytea NOT NULL CHECK (octet_length(sha256) = 32),
    bytes           bigint NOT NULL CHECK (bytes > 0),
    content_type    text NOT NULL CHECK (content_type IN ('image/jpeg', 'video/mp2t', 'video/x-matroska')),
    moment          text NOT NULL DEFAULT '',
    reason          text NOT NULL DEFAULT '',
    -- as the gateway knew the time then; NULL when it did not
    from_at         timestamptz,
    to_at           timestamptz,
    -- what the gateway signed, and with which key
    description     text NOT NULL,
    key_id          bytea NOT NULL REFERENCES gateway_keys,
    signature       bytea NOT NULL,
    received_at     timestamptz NOT NULL,
    deleted_at      timestamptz,
    deleted_why     text,
    UNIQUE (gateway_id, camera, sha256),
    CHECK ((deleted_at IS NULL) = (deleted_why IS NULL))
);
CREATE INDEX media_camera ON media (gateway_id, camera, from_at);
CREATE INDEX media_hash ON media (sha256);

-- A stretch of a camera's recording that somebody asked for, and what became of it.
CREATE TABLE media_wishes (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer NOT NULL REFERENCES gateways,
    camera          text NOT NULL,
    from_at         timestamptz NOT NULL,
    to_at           timestamptz NOT NULL CHECK (to_at > from_at),
    asked_at        timestamptz NOT NULL,
    -- the gateway has it; NULL while it was not told yet
    told_at         timestamptz,
    state           text NOT NULL DEFAULT 'waiting'
                    CHECK (state IN ('waiting', 'done', 'none', 'failed', 'expired')),
    why             text NOT NULL DEFAULT '',
    segments        integer,
    answered_at     timestamptz
);
CREATE INDEX media_wishes_camera ON media_wishes (gateway_id, camera, from_at);
CREATE INDEX media_wishes_open ON media_wishes (gateway_id) WHERE state = 'waiting';

CREATE INDEX events_cameras ON events (gateway_id, subject, observed_at)
    WHERE kind IN ('picture', 'picture_missing', 'recording_uploaded', 'camera_frozen', 'camera_moving');
