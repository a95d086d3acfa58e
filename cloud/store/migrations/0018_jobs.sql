-- Why: jobs under versioned limit sets, what gateways are told of them, interlocks of the hub across gateways, and
-- remote operation with its transcript. Lock: short, on events for an index. Run time: below a second, and the index.

-- What a method asks for: every version for ever. Limits are [{"quantity", "low", "high"}], numbers as text.
CREATE TABLE limit_sets (
    organisation_id smallint NOT NULL REFERENCES organisations,
    method          text NOT NULL CHECK (method <> ''),
    version         integer NOT NULL CHECK (version > 0),
    limits          jsonb NOT NULL,
    people_min      integer NOT NULL CHECK (people_min BETWEEN 1 AND 100),
    -- all of which a job's people must be authorised for
    activities      text[] NOT NULL DEFAULT '{}',
    author          text NOT NULL,
    reason          text NOT NULL,
    made_at         timestamptz NOT NULL,
    PRIMARY KEY (organisation_id, method, version)
);

-- `document` is the job as the rules know it (rules/jobs/model.py); the columns beside it repeat what is asked for.
CREATE TABLE jobs (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    number          text NOT NULL CHECK (number ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    zone            text NOT NULL,
    state           text NOT NULL CHECK (state IN ('planned', 'running', 'held', 'finished')),
    planned_from    timestamptz NOT NULL,
    planned_to      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    document        jsonb NOT NULL,
    -- who was said to be there where nothing tells: numbers of people; NULL: the doors told it
    attested        text[],
    author          text NOT NULL,
    made_at         timestamptz NOT NULL,
    UNIQUE (organisation_id, number)
);
CREATE INDEX jobs_site ON jobs (site_id, state);

-- Every act, added and never changed.
CREATE TABLE job_log (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    job_id          integer NOT NULL REFERENCES jobs,
    what            text NOT NULL,
    at              timestamptz NOT NULL,
    actor           text NOT NULL,
    text            text NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX job_log_job ON job_log (job_id, id);

-- How far the feed of batches was followed: a transaction id (see batches.feed).
CREATE TABLE job_feed (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position        bigint NOT NULL
);
CREATE INDEX events_interlocks ON events (site_id, observed_at)
    WHERE kind IN ('interlock_tripped', 'interlock_breached', 'interlock_enabled', 'interlock_resumed', 'work_held',
                   'work_released');

-- What a gateway is to know of jobs and calibrations; the incarnation grows when it has seen more than this hub.
CREATE TABLE work_documents (
    gateway_id      integer PRIMARY KEY REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    incarnation     integer NOT NULL CHECK (incarnation >= 0),
    number          integer NOT NULL CHECK (number > 0),
    document        jsonb NOT NULL,
    -- of what it says, without revision and time: another one is another revision
    digest          text NOT NULL,
    jobs            integer NOT NULL,
    left_out        integer NOT NULL,
    made_at         timestamptz NOT NULL
);

-- Interlocks of the hub: a rule over points of several sites, and what it holds and trips. A changed rule is the
-- next version and starts tripped.
CREATE TABLE hub_interlocks (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    name            text NOT NULL CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    version         integer NOT NULL CHECK (version > 0),
    -- rules/interlock/model.py: Interlock; its points are `site/name of point`, with `#speed` of a position
    rule            jsonb NOT NULL,
    -- [{"gateway", "interlock"}]: what is tripped there by a command
    trips           jsonb NOT NULL,
    enabled         boolean NOT NULL,
    author          text NOT NULL,
    reason          text NOT NULL,
    made_at         timestamptz NOT NULL,
    -- rules/interlock/state.py: Kept, and how it stands, for pages
    kept            jsonb,
    phase           text NOT NULL DEFAULT 'starting',
    breach          integer NOT NULL DEFAULT 0,
    first_out       text[] NOT NULL DEFAULT '{}',
    unmet           jsonb NOT NULL DEFAULT '[]',
    stood_at        timestamptz,
    tripped_at      timestamptz,
    UNIQUE (organisation_id, name)
);

-- What people ask of them; the hub's room answers.
CREATE TABLE hub_interlock_acts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    interlock_id    integer NOT NULL REFERENCES hub_interlocks,
    act             text NOT NULL CHECK (act IN ('trip', 'acknowledge', 'reset', 'enable')),
    breach          integer NOT NULL,
    actor           text NOT NULL,
    reason          text NOT NULL,
    asked_at        timestamptz NOT NULL,
    done_at         timestamptz,
    -- empty: done
    refused         text NOT NULL DEFAULT ''
);
CREATE INDEX hub_interlock_acts_open ON hub_interlock_acts (id) WHERE done_at IS NULL;

-- A person who operates an instrument from afar, for one job.
CREATE TABLE operations (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    job_id          integer NOT NULL REFERENCES jobs,
    gateway_id      integer NOT NULL REFERENCES gateways,
    instrument      text NOT NULL,
    operator        text NOT NULL,
    account_id      integer NOT NULL,
    session_id      bigint NOT NULL,
    started_at      timestamptz NOT NULL,
    heard_at        timestamptz NOT NULL,
    ended_at        timestamptz,
    end_reason      text NOT NULL DEFAULT '',
    end_detail      text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX operations_one ON operations (gateway_id, instrument) WHERE ended_at IS NULL;

-- Its transcript: each line holds the hash of the one before.
CREATE TABLE operation_lines (
    operation_id    integer NOT NULL REFERENCES operations,
    number          integer NOT NULL CHECK (number > 0),
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    at              timestamptz NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('begun', 'command', 'receipt', 'note', 'ended')),
    -- json and not jsonb: the hash is over its very text
    data            json NOT NULL,
    previous        bytea NOT NULL CHECK (octet_length(previous) = 32),
    hash            bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (operation_id, number)
);
