-- Why: what gateways control by themselves as they say it, commands with their receipts, and proof tests of interlocks.
-- Lock: an index on events keeps writers of it waiting while it is made, seconds for millions of them.

-- What a gateway said last of everything that it controls (wire.control.ControlStatus).
CREATE TABLE control_status (
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer PRIMARY KEY REFERENCES gateways,
    boot                bytea NOT NULL CHECK (octet_length(boot) = 16),
    tick                bigint NOT NULL,
    body                bytea NOT NULL,
    received_at         timestamptz NOT NULL,
    -- when it was certainly so; NULL: a broker had kept it, and nobody knows for how long
    heard_at            timestamptz
) WITH (fillfactor = 50);

-- The last number that was given to a command of a gateway. It only grows.
CREATE TABLE control_fences (
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer PRIMARY KEY REFERENCES gateways,
    incarnation         integer NOT NULL DEFAULT 0 CHECK (incarnation >= 0),
    number              integer NOT NULL DEFAULT 0 CHECK (number >= 0)
);

CREATE TABLE commands (
    id                  bytea PRIMARY KEY CHECK (octet_length(id) = 16),
    -- its place in lists
    number              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer NOT NULL REFERENCES gateways,
    -- where the gateway served then
    site_id             integer REFERENCES sites,
    name                text NOT NULL,
    arguments           jsonb NOT NULL,
    asker_kind          text NOT NULL CHECK (asker_kind IN ('account', 'token', 'command', 'nobody', 'hub')),
    asker               text NOT NULL,
    -- as the gateway is told: the number of a person, or what made the hub ask
    by_person           text NOT NULL,
    rights              text[] NOT NULL,
    -- what a program calls it, so that it may ask again without asking twice
    key                 text,
    asked_at            timestamptz NOT NULL,
    -- so long it may take to be begun, once it is sent
    valid_ms            integer NOT NULL CHECK (valid_ms > 0),
    -- NULL: nobody has to approve it
    approve_until       timestamptz,
    approver_kind       text NOT NULL DEFAULT '',
    approver            text NOT NULL DEFAULT '',
    second_person       text NOT NULL DEFAULT '',
    approved_at         timestamptz,
    -- why it was never sent; empty: it was, or it waits
    refused             text NOT NULL DEFAULT '',
    refused_text        text NOT NULL DEFAULT '',
    -- from here on it is on its way, and never changes
    issued_at           timestamptz,
    not_after           timestamptz,
    incarnation         integer,
    fence               integer,
    boot                bytea CHECK (octet_length(boot) = 16),
    not_after_tick      bigint,
    -- the receipt that counts; empty: none came
    outcome             text NOT NULL DEFAULT ''
                        CHECK (outcome IN ('', 'accepted', 'executed', 'refused', 'expired', 'failed')),
    UNIQUE (gateway_id, incarnation, fence),
    CHECK ((issued_at IS NULL) = (not_after IS NULL) AND (issued_at IS NULL) = (fence IS NULL))
);
CREATE UNIQUE INDEX commands_key ON commands (organisation_id, asker_kind, asker, key) WHERE key IS NOT NULL;
CREATE INDEX commands_issued ON commands (issued_at);
CREATE INDEX commands_gateway ON commands (gateway_id, number);
CREATE INDEX commands_waiting ON commands (approve_until) WHERE issued_at IS NULL AND refused = '';
CREATE INDEX commands_open ON commands (not_after) WHERE issued_at IS NOT NULL AND outcome IN ('', 'accepted');

-- Every receipt that came, over the connection or in the journal; the same one is here once.
CREATE TABLE command_receipts (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id     smallint NOT NULL REFERENCES organisations,
    command_id          bytea NOT NULL REFERENCES commands,
    gateway_id          integer NOT NULL REFERENCES gateways,
    site_id             integer REFERENCES sites,
    state               text NOT NULL CHECK (state IN ('accepted', 'executed', 'refused', 'expired', 'failed')),
    reason              text NOT NULL,
    text                text NOT NULL,
    data                jsonb NOT NULL DEFAULT '{}',
    at                  timestamptz,
    received_at         timestamptz NOT NULL,
    -- what the journal says is evidence; the copy that came ahead of it is not
    from_journal        boolean NOT NULL,
    UNIQUE (command_id, state, reason, from_journal)
);
CREATE INDEX events_receipts ON events ((data ->> 'command')) WHERE kind = 'command_receipt';

-- A proof test of an interlock, under way or over (rules.interlock.proof.ProofRun).
CREATE TABLE control_proofs (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer NOT NULL REFERENCES gateways,
    interlock           text NOT NULL,
    rule                text NOT NULL,
    begun_at            timestamptz NOT NULL,
    begun_by            text NOT NULL,
    ended_at            timestamptz,
    passed              boolean NOT NULL DEFAULT false,
    run                 bytea NOT NULL
);
CREATE INDEX control_proofs_interlock ON control_proofs (gateway_id, interlock, id);
-- one at a time
CREATE UNIQUE INDEX control_proofs_open ON control_proofs (gateway_id, interlock) WHERE ended_at IS NULL;
