-- Why: settings of gateways, edited in the hub: every revision for ever, what is wanted, what runs, and templates.
-- Lock: none that lasts. Run time: below a second.

-- Added and never changed. Documents are TOML without what stays in the gateway's own file, and without secrets.
CREATE TABLE settings_revisions (
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer NOT NULL REFERENCES gateways,
    number              integer NOT NULL CHECK (number > 0),
    document            text NOT NULL,
    hash                bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- gateway: it was found running there, its own file or what this hub has forgotten
    author_kind         text NOT NULL CHECK (author_kind IN ('account', 'token', 'command', 'nobody', 'hub', 'gateway')),
    author              text NOT NULL,
    reason              text NOT NULL,
    made_at             timestamptz NOT NULL,
    -- the revision that it was made from; 0: from nothing
    based_on            integer NOT NULL CHECK (based_on >= 0 AND based_on < number),
    PRIMARY KEY (gateway_id, number)
);

-- What a gateway is to run with. The incarnation grows when a gateway has seen more than this hub knows.
CREATE TABLE settings_desired (
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer PRIMARY KEY REFERENCES gateways,
    incarnation         integer NOT NULL CHECK (incarnation >= 0),
    number              integer NOT NULL,
    FOREIGN KEY (gateway_id, number) REFERENCES settings_revisions (gateway_id, number)
);

-- What a gateway said last.
CREATE TABLE settings_reported (
    organisation_id     smallint NOT NULL REFERENCES organisations,
    gateway_id          integer PRIMARY KEY REFERENCES gateways,
    incarnation         integer NOT NULL,
    number              integer NOT NULL,
    state               text NOT NULL CHECK (state IN ('file', 'trying', 'applied', 'refused', 'rolled_back')),
    -- [[path, value, expectation], ...]
    faults              jsonb NOT NULL,
    running_incarnation integer NOT NULL,
    running_number      integer NOT NULL,
    hash                bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- which revision has the text that runs; NULL: none, as of a file that is too long to be sent
    running_revision    integer,
    since               timestamptz,
    received_at         timestamptz NOT NULL
);

-- Documents with places to fill in, `{{like_this}}`, for sites of a kind.
CREATE TABLE settings_templates (
    id                  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id     smallint NOT NULL REFERENCES organisations,
    name                text NOT NULL,
    site_kind           text NOT NULL CHECK (site_kind IN ('laboratory', 'mobile_lab', 'vehicle')),
    document            text NOT NULL,
    changed_by          text NOT NULL,
    changed_at          timestamptz NOT NULL,
    reason              text NOT NULL,
    UNIQUE (organisation_id, name)
);
