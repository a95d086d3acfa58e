-- Why: people, their accounts, roles, sessions, tokens and authorisations. Lock: none, all is new.
-- Run time: below a second. Secrets are kept as hashes only; the seed of the second factor has to be kept as it is.

CREATE TABLE people (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    -- of the organisation's own counting: staff number
    number          text NOT NULL CHECK (number <> ''),
    name            text NOT NULL CHECK (name <> ''),
    department      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- the person left; nothing of the past is deleted with it
    left_at         timestamptz,
    UNIQUE (organisation_id, number)
);

CREATE TABLE accounts (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    person_id       integer NOT NULL UNIQUE REFERENCES people,
    login           text NOT NULL UNIQUE CHECK (login ~ '^[a-z0-9][a-z0-9._@-]{1,62}$'),
    -- argon2id in its own text form; NULL until an invitation was followed
    password        text,
    password_at     timestamptz,
    -- second factor (RFC 6238): its seed, and the last time step that was used, so that no code is used twice
    totp_seed       bytea,
    totp_step       bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    disabled_at     timestamptz
);

-- Roles in a whole organisation (site_id NULL) or at one site; what ended stays.
CREATE TABLE role_grants (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    account_id      integer NOT NULL REFERENCES accounts,
    role            text NOT NULL CHECK (role IN ('viewer', 'facilities', 'dispatcher', 'safety', 'laboratory',
                                                  'quality', 'administrator', 'customer')),
    -- a site is named by its own column of this table and not `site_id`: the row belongs to the organisation
    at_site_id      integer REFERENCES sites,
    granted_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz
);
CREATE UNIQUE INDEX role_grants_once ON role_grants (account_id, organisation_id, role, at_site_id)
    NULLS NOT DISTINCT WHERE ended_at IS NULL;

CREATE TABLE invitations (
    token_hash      bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    organisation_id smallint NOT NULL REFERENCES organisations,
    account_id      integer NOT NULL REFERENCES accounts,
    made_at         timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz
);

-- A session is named by the hash of what the browser has. `proven`: the second factor was shown, or none is asked.
CREATE TABLE web_sessions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash      bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    organisation_id smallint NOT NULL REFERENCES organisations,
    account_id      integer NOT NULL REFERENCES accounts,
    proven          boolean NOT NULL,
    -- codes of the second factor that were tried in it
    tries           smallint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    used_at         timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    ended_at        timestamptz,
    address         text NOT NULL,
    agent           text NOT NULL DEFAULT ''
);
CREATE INDEX web_sessions_account ON web_sessions (account_id) WHERE ended_at IS NULL;

-- Attempts to sign in, entered before a password is looked at, so that parallel ones count each other.
-- The login is kept as a hash: people type passwords into that field.
CREATE TABLE sign_in_attempts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    login_hash      bytea NOT NULL,
    address         text NOT NULL,
    good            boolean NOT NULL DEFAULT false
);
CREATE INDEX sign_in_attempts_login ON sign_in_attempts (login_hash, at) WHERE NOT good;
CREATE INDEX sign_in_attempts_address ON sign_in_attempts (address, at) WHERE NOT good;

CREATE TABLE api_tokens (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    account_id      integer NOT NULL REFERENCES accounts,
    name            text NOT NULL CHECK (name <> ''),
    token_hash      bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    scopes          text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    ended_at        timestamptz
);

-- What a person is authorised for, in event time: an activity or a kind of equipment. A withdrawal ends it from
-- its own time on; the row itself stays as it was entered.
CREATE TABLE authorisations (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    person_id       integer NOT NULL REFERENCES people,
    kind            text NOT NULL CHECK (kind IN ('activity', 'equipment')),
    subject         text NOT NULL CHECK (subject <> ''),
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid) AND NOT lower_inf(valid)),
    basis           text NOT NULL DEFAULT '',
    entered_at      timestamptz NOT NULL DEFAULT now(),
    withdrawn_at    timestamptz,
    withdrawn_why   text NOT NULL DEFAULT '',
    CHECK (withdrawn_at IS NULL OR withdrawn_why <> '')
);
CREATE INDEX authorisations_person ON authorisations (person_id, kind, subject);
