-- Why: the devices that gateways declare, and the rooms and doors that they look after.
-- Lock: none, all is new. Run time: below a second.

-- What a gateway is set up to speak to, in event time; a device that changes or is gone ends there.
CREATE TABLE devices (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    gateway_id      integer NOT NULL REFERENCES gateways,
    name            text NOT NULL,
    driver          text NOT NULL,
    channels        text[] NOT NULL DEFAULT '{}',
    -- [{"name": …, "kind": …, "address": …}]: a reader, a unit on a bus, a sensor
    parts           jsonb NOT NULL DEFAULT '[]',
    valid           tstzrange NOT NULL DEFAULT '(,)',
    EXCLUDE USING gist (int4range(gateway_id, gateway_id, '[]') WITH &&,
                        int8range(hashtextextended(name, 0), hashtextextended(name, 0), '[]') WITH &&,
                        valid WITH &&)
);
CREATE INDEX devices_now ON devices (gateway_id) WHERE upper_inf(valid);

-- A room, compartment or cabinet of a site, and what covers it. Retired, never deleted.
CREATE TABLE zones (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    name            text NOT NULL CHECK (name ~ '^[a-z0-9-]{1,63}$' AND name <> 'outside'),
    title           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('room', 'compartment', 'cabinet')),
    -- beginnings of names of points; names of cameras and readers, as their gateways declare them
    covers          text[] NOT NULL DEFAULT '{}',
    cameras         text[] NOT NULL DEFAULT '{}',
    readers         text[] NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    retired_at      timestamptz,
    UNIQUE (site_id, name)
);

-- A door between two zones; NULL on one side is outside.
CREATE TABLE portals (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    name            text NOT NULL CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    title           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('door', 'gate', 'hatch')),
    from_zone_id    integer REFERENCES zones,
    to_zone_id      integer REFERENCES zones,
    -- names of readers, of the point of the contact and of the output that locks; NULL: there is none
    reader_in       text,
    reader_out      text,
    contact         text,
    lock            text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    retired_at      timestamptz,
    UNIQUE (site_id, name),
    CHECK (from_zone_id IS DISTINCT FROM to_zone_id)
);

-- Candidates are asked for by kind and gateway.
CREATE INDEX events_candidates ON events (gateway_id, observed_at) WHERE kind = 'candidate_seen';
