-- Why: access rights at the hub: who × where × when, visits, what each gateway was sent and what it honours.
-- Lock: short, on people and credentials; no rewrite. Run time: below a second.
-- No number of a card and no PIN is kept: keyed hashes, by the organisation's key.

-- Visitors stand beside staff: they come by visits, staff by rights.
ALTER TABLE people ADD COLUMN kind text NOT NULL DEFAULT 'staff' CHECK (kind IN ('staff', 'visitor'));

ALTER TABLE credentials DROP CONSTRAINT credentials_kind_check, DROP CONSTRAINT credentials_state_check,
    ADD CHECK (kind IN ('card', 'phone', 'qr', 'face', 'iris', 'fingerprint', 'terminal')),
    ADD CHECK (state IN ('active', 'blocked', 'lost', 'stolen', 'damaged', 'returned', 'revoked'));

-- What a person is at doors. Without a row: active, without a PIN, and may not escort.
CREATE TABLE access_people (
    person_id       integer PRIMARY KEY REFERENCES people,
    organisation_id smallint NOT NULL REFERENCES organisations,
    state           text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'revoked')),
    valid           tstzrange NOT NULL DEFAULT '(,)' CHECK (NOT isempty(valid)),
    escorts         boolean NOT NULL DEFAULT false,
    slow            boolean NOT NULL DEFAULT false,
    key_id          text,
    pin             text CHECK (pin ~ '^[0-9a-f]{32}$'),
    duress_pin      text CHECK (duress_pin ~ '^[0-9a-f]{32}$'),
    CHECK (pin IS NULL OR key_id IS NOT NULL),
    CHECK (duress_pin IS NULL OR pin IS NOT NULL)
);

-- Groups, schedules, days, rights, and how zones, portals, mantraps and equipment are asked: the items of the
-- rights of a site, each as `rules.access.document` has it, or without a site for the whole organisation.
CREATE TABLE access_items (
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer REFERENCES sites,
    kind            text NOT NULL CHECK (kind IN ('site', 'day', 'schedule', 'group', 'zone', 'portal', 'mantrap',
                                                  'right', 'equipment')),
    name            text NOT NULL CHECK (name <> ''),
    title           text NOT NULL DEFAULT '',
    body            jsonb NOT NULL,
    changed_by      text NOT NULL,
    changed_at      timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (organisation_id, site_id, kind, name),
    CHECK (site_id IS NOT NULL OR kind IN ('day', 'schedule', 'group'))
);

CREATE TABLE visits (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    person_id       integer NOT NULL REFERENCES people,
    host_id         integer NOT NULL REFERENCES people,
    zones           text[] NOT NULL CHECK (cardinality(zones) > 0),
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid) AND NOT lower_inf(valid) AND NOT upper_inf(valid)),
    escort          text NOT NULL CHECK (escort IN ('none', 'host', 'any')),
    purpose         text NOT NULL DEFAULT '',
    approved_by     integer REFERENCES people,
    approved_at     timestamptz,
    registered_by   text NOT NULL,
    registered_at   timestamptz NOT NULL,
    ended_at        timestamptz,
    ended_why       text NOT NULL DEFAULT '',
    CHECK ((approved_by IS NULL) = (approved_at IS NULL))
);
CREATE INDEX visits_site ON visits (site_id, id);

-- How far the rights of a gateway were numbered, and why the newest could not be sent. The incarnation grows when
-- a gateway honours more than this hub knows.
CREATE TABLE rights_state (
    gateway_id      integer PRIMARY KEY REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    incarnation     integer NOT NULL CHECK (incarnation >= 0),
    number          integer NOT NULL CHECK (number >= 0),
    -- ["place: value: expected …"]; not empty: these rights make no sense and are not sent
    faults          jsonb NOT NULL DEFAULT '[]',
    faults_since    timestamptz,
    -- which revision the broker keeps for a gateway that connects
    kept_incarnation integer NOT NULL DEFAULT 0,
    kept_number     integer NOT NULL DEFAULT 0,
    kept_at         timestamptz
);

-- Every revision that a gateway could decide by: whole, or as what makes it of the one before. Deflated JSON.
CREATE TABLE rights_issued (
    gateway_id      integer NOT NULL REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    incarnation     integer NOT NULL,
    number          integer NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('snapshot', 'delta', 'revocation')),
    -- of the snapshot; NULL: a revocation
    digest          bytea CHECK (octet_length(digest) = 32),
    body            bytea NOT NULL,
    issued_at       timestamptz NOT NULL,
    -- what it ended: tokens, people, rights and visits, for the page that says who still honours them
    ended           jsonb NOT NULL DEFAULT '{}',
    -- since when the gateway says that it decides by this or a newer one
    honoured_at     timestamptz,
    PRIMARY KEY (gateway_id, incarnation, number)
);
CREATE INDEX rights_issued_digest ON rights_issued (gateway_id, digest);

-- What a gateway says it decides by.
CREATE TABLE rights_honoured (
    gateway_id      integer PRIMARY KEY REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    incarnation     integer NOT NULL,
    number          integer NOT NULL,
    digest          text NOT NULL,
    since           timestamptz NOT NULL,
    heard_at        timestamptz NOT NULL,
    refused_incarnation integer,
    refused_number  integer,
    refusal         text NOT NULL DEFAULT '',
    faults          jsonb NOT NULL DEFAULT '[]'
);

-- Wakes who compiles rights: `<organisation>:<site>`, the site 0 where the whole organisation may be concerned.
CREATE FUNCTION rights_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    one jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('heng_rights', (one ->> 'organisation_id') || ':' || coalesce(one ->> 'site_id', '0'));
    RETURN NULL;
END
$$;
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE OR DELETE ON access_items FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE OR DELETE ON access_people FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE OR DELETE ON visits FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE OR DELETE ON credentials FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE OR DELETE ON authorisations FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER UPDATE OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE ON zones FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE ON portals FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE ON gateway_bindings FOR EACH ROW EXECUTE FUNCTION rights_changed();
CREATE TRIGGER rights_changed AFTER INSERT OR UPDATE ON credential_keys FOR EACH ROW EXECUTE FUNCTION rights_changed();
