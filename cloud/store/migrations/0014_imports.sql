-- Why: cards and instruments, and runs of imports that can be undone. Lock: short, on people and points; no rewrite.
-- Run time: below a second. No number of a card is kept: a keyed hash of it, and its last two digits.

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
