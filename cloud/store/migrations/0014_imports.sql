-- Why: cards and instruments, runs of imports that can be undone, and how long personal data are kept. Lock: short, on
-- people, points and batches; no rewrite. Run time: below a second, and an index of batches that grows with them.
-- No number of a card is kept: a keyed hash of it, and its last two digits.

ALTER TABLE people ADD COLUMN email text NOT NULL DEFAULT '';
-- `calibration_due`: known from elsewhere; a calibration with a due date of its own says it instead
ALTER TABLE points ADD COLUMN title text NOT NULL DEFAULT '', ADD COLUMN calibration_due date;

-- The key of an organisation's hashes of credentials; the newest that is not retired makes new ones.
CREATE TABLE credential_keys (
    organisation_id smallint NOT NULL REFERENCES organisations,
    key_id          text NOT NULL CHECK (key_id ~ '^[0-9a-f]{16}$'),
    key             bytea NOT NULL CHECK (octet_length(key) = 32),
    made_at         timestamptz NOT NULL,
    retired_at      timestamptz,
    PRIMARY KEY (organisation_id, key_id)
);

-- What identifies a person at a door.
CREATE TABLE credentials (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    person_id       integer NOT NULL REFERENCES people,
    kind            text NOT NULL CHECK (kind IN ('card')),
    -- as the gateways name it: h10301, h10302, h10304, h10306, raw26, …
    format          text NOT NULL,
    key_id          text NOT NULL,
    token           text NOT NULL CHECK (token ~ '^[0-9a-f]{32}$'),
    ending          text NOT NULL CHECK (length(ending) <= 2),
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid)),
    state           text NOT NULL CHECK (state IN ('active', 'blocked', 'lost', 'returned')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organisation_id, key_id, token),
    FOREIGN KEY (organisation_id, key_id) REFERENCES credential_keys
);
CREATE INDEX credentials_person ON credentials (person_id);

-- An instrument, a standard, a sample; its label.
CREATE TABLE assets (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    name            text NOT NULL CHECK (name <> ''),
    kind            text NOT NULL CHECK (kind IN ('instrument', 'standard', 'sample', 'equipment')),
    model           text NOT NULL DEFAULT '',
    serial          text NOT NULL DEFAULT '',
    tag             text CHECK (tag <> ''),
    home_zone_id    integer REFERENCES zones,
    created_at      timestamptz NOT NULL DEFAULT now(),
    retired_at      timestamptz,
    UNIQUE (organisation_id, name),
    UNIQUE (organisation_id, tag)
);

CREATE TABLE import_runs (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    file_name       text NOT NULL,
    file_sha256     bytea NOT NULL CHECK (octet_length(file_sha256) = 32),
    author          text NOT NULL,
    applied_at      timestamptz NOT NULL,
    added           integer NOT NULL,
    changed         integer NOT NULL,
    -- [{"sheet", "row", "key", "table", "id", "old", "new"}] in the order of writing; old null: it was added
    changes         jsonb NOT NULL,
    undone_at       timestamptz,
    undone_by       text,
    CHECK ((undone_at IS NULL) = (undone_by IS NULL))
);
CREATE INDEX import_runs_last ON import_runs (organisation_id, id);

-- How long an organisation keeps a class of personal data; without a row its default counts (cloud/store/retention.py).
CREATE TABLE retention (
    organisation_id smallint NOT NULL REFERENCES organisations,
    class           text NOT NULL CHECK (class IN ('access_events', 'positions_off_duty', 'pictures')),
    days            integer NOT NULL CHECK (days BETWEEN 0 AND 36500),
    PRIMARY KEY (organisation_id, class)
);

-- When a site is on duty, in its own time zone. Where none is declared, it is always on duty.
CREATE TABLE duty_hours (
    site_id         integer PRIMARY KEY REFERENCES sites,
    organisation_id smallint NOT NULL REFERENCES organisations,
    -- ISO: 1 is Monday
    weekdays        smallint[] NOT NULL CHECK (weekdays <@ '{1,2,3,4,5,6,7}'),
    from_time       time NOT NULL,
    to_time         time NOT NULL CHECK (to_time > from_time),
    keep_off_duty   boolean NOT NULL DEFAULT false,
    -- how far positions off duty were taken away, and when that was; NULL: not yet
    swept_to        timestamptz,
    swept_at        timestamptz
);

-- To find the batches of a stretch of time: they are stored after it begins.
CREATE INDEX batches_stored ON batches USING brin (stored_at);

-- The hub's role deletes no evidence. These functions of the owner do, and only what the rules above name. The bytes
-- of a batch that hold such a row go with it; its hash, its place in the chain and its signature stay.
CREATE FUNCTION forget_bodies(gateways integer[], times timestamptz[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH spots AS (SELECT DISTINCT * FROM unnest(gateways, times) AS s (gateway_id, at)),
    gone AS (
        DELETE FROM batch_bodies d USING batches b
         WHERE d.batch_id = b.id AND b.stored_at >= (SELECT min(at) FROM spots)
           AND EXISTS (SELECT 1 FROM spots s
                        WHERE s.gateway_id = b.gateway_id AND s.at BETWEEN b.first_at AND b.last_at)
        RETURNING 1)
    SELECT count(*) FROM gone
$$;

CREATE FUNCTION forget_positions(site integer, from_at timestamptz, to_at timestamptz, OUT positions bigint, OUT bodies bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    duty      duty_hours;
    zone      text;
    last      timestamptz;
    gateways  integer[];
    times     timestamptz[];
BEGIN
    positions := 0;
    bodies := 0;
    SELECT * INTO duty FROM duty_hours WHERE site_id = site AND NOT keep_off_duty;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT time_zone INTO zone FROM sites WHERE id = site;
    last := least(to_at, now() - make_interval(days => coalesce(
        (SELECT days FROM retention WHERE organisation_id = duty.organisation_id AND class = 'positions_off_duty'), 0)));
    WITH gone AS (
        DELETE FROM positions p USING points q
         WHERE q.id = p.point_id AND q.site_id = site AND p.observed_at >= from_at AND p.observed_at < last
           AND NOT (extract(isodow FROM p.observed_at AT TIME ZONE zone) = ANY (duty.weekdays)
                    AND (p.observed_at AT TIME ZONE zone)::time >= duty.from_time
                    AND (p.observed_at AT TIME ZONE zone)::time < duty.to_time)
        RETURNING p.point_id, p.observed_at)
    SELECT count(*), array_agg(c.gateway_id) FILTER (WHERE c.gateway_id IS NOT NULL),
           array_agg(g.observed_at) FILTER (WHERE c.gateway_id IS NOT NULL)
      INTO positions, gateways, times
      FROM gone g LEFT JOIN channel_bindings c ON c.point_id = g.point_id AND c.valid @> g.observed_at;
    DELETE FROM latest_positions p USING points q
     WHERE q.id = p.point_id AND q.site_id = site AND p.observed_at < last
       AND NOT (extract(isodow FROM p.observed_at AT TIME ZONE zone) = ANY (duty.weekdays)
                AND (p.observed_at AT TIME ZONE zone)::time >= duty.from_time
                AND (p.observed_at AT TIME ZONE zone)::time < duty.to_time);
    IF gateways IS NOT NULL THEN
        bodies := forget_bodies(gateways, times);
    END IF;
END
$$;

CREATE FUNCTION forget_access_events(organisation smallint, default_days integer, most integer, OUT events bigint, OUT bodies bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before    timestamptz := now() - make_interval(days => coalesce(
        (SELECT days FROM retention WHERE organisation_id = organisation AND class = 'access_events'), default_days));
    gateways  integer[];
    times     timestamptz[];
BEGIN
    bodies := 0;
    WITH gone AS (
        DELETE FROM events e WHERE e.id IN (
            SELECT o.id FROM events o
             WHERE o.organisation_id = organisation AND o.observed_at < before
               AND (o.kind IN ('card_read', 'card_unreadable', 'pin_entered', 'pin_dropped', 'person_identified',
                               'person_refused') OR starts_with(o.kind, 'access_'))
             ORDER BY o.observed_at LIMIT most)
        RETURNING e.gateway_id, e.observed_at)
    SELECT count(*), array_agg(g.gateway_id) FILTER (WHERE g.gateway_id IS NOT NULL),
           array_agg(g.observed_at) FILTER (WHERE g.gateway_id IS NOT NULL)
      INTO events, gateways, times FROM gone g;
    IF gateways IS NOT NULL THEN
        bodies := forget_bodies(gateways, times);
    END IF;
END
$$;

REVOKE EXECUTE ON FUNCTION forget_bodies, forget_positions, forget_access_events FROM PUBLIC;
