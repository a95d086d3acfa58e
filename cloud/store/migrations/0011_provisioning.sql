-- Why: claims of new gateways, every certificate issued to them, and requests that wait for a person's word.
-- Lock: short exclusive locks, no rewrite. Run time: below a second.

-- A revoked gateway never comes back; what stands in for it is another gateway that says so.
ALTER TABLE gateways ADD COLUMN revoked_at timestamptz, ADD COLUMN replaces_id integer REFERENCES gateways;
CREATE UNIQUE INDEX gateways_replaces ON gateways (replaces_id) WHERE replaces_id IS NOT NULL;

-- A code is good for one gateway once. It is kept as a salted scrypt hash; the code itself is in the claim file alone.
CREATE TABLE claims (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id     smallint NOT NULL REFERENCES organisations,
    site_id             integer NOT NULL REFERENCES sites,
    gateway_id          integer NOT NULL REFERENCES gateways,
    salt                bytea NOT NULL,
    digest              bytea NOT NULL,
    made_by             text NOT NULL,
    made_at             timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,
    wrong_codes         integer NOT NULL DEFAULT 0,
    -- the key that it was used for: the same key gets the same certificate again when an answer was lost
    used_at             timestamptz,
    used_key_sha256     bytea CHECK (octet_length(used_key_sha256) = 32),
    withdrawn_at        timestamptz,
    CHECK ((used_at IS NULL) = (used_key_sha256 IS NULL)),
    CHECK (expires_at > made_at)
);
CREATE UNIQUE INDEX claims_open ON claims (gateway_id) WHERE withdrawn_at IS NULL;

-- Every certificate of a gateway that is known, for ever. Serial numbers as lower-case hexadecimal digits.
CREATE TABLE certificates (
    serial              text PRIMARY KEY CHECK (serial ~ '^[0-9a-f]{1,40}$'),
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer NOT NULL REFERENCES gateways,
    key_sha256          bytea NOT NULL CHECK (octet_length(key_sha256) = 32),
    certificate_pem     text NOT NULL,
    not_before          timestamptz NOT NULL,
    not_after           timestamptz NOT NULL,
    -- claim: with a code; renewal: in time; recovery: after it had ended; folder: by `heng ca issue`, seen later
    way                 text NOT NULL CHECK (way IN ('claim', 'renewal', 'recovery', 'folder')),
    claim_id            integer REFERENCES claims,
    issued_at           timestamptz NOT NULL,
    revoked_at          timestamptz
);
CREATE INDEX certificates_gateway ON certificates (gateway_id, not_after);
CREATE INDEX certificates_revoked ON certificates (revoked_at) WHERE revoked_at IS NOT NULL;

-- A gateway that was away for longer than comes back by itself. One open request each.
CREATE TABLE recoveries (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer NOT NULL REFERENCES gateways,
    serial              text NOT NULL,
    expired_at          timestamptz NOT NULL,
    origin              text NOT NULL,
    asked_at            timestamptz NOT NULL,
    approved_at         timestamptz,
    approved_by         text,
    closed_at           timestamptz,
    CHECK ((approved_at IS NULL) = (approved_by IS NULL))
);
CREATE UNIQUE INDEX recoveries_open ON recoveries (gateway_id) WHERE closed_at IS NULL;

-- Where new gateways find this hub; written by the EST listener when it starts, read by who makes claims.
CREATE TABLE enrolment (
    only_row            boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    url                 text NOT NULL,
    ca_sha256           bytea NOT NULL CHECK (octet_length(ca_sha256) = 32),
    broker              text NOT NULL,
    updated_at          timestamptz NOT NULL
);
