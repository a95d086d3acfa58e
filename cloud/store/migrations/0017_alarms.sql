-- Why: alarms: templates and what they watch, occurrences, what people did, whom was called. Lock: short, on events; no
-- rewrite. Run time: below a second, and an index of events that grows with them. Times in ticks of 10 ms since 1970 are
-- those of the rules (rules/alarm); what a page asks for by time is indexed by them.

-- Events get the transaction that wrote them, as batches have it: who follows misses none that commits late.
ALTER TABLE events ADD COLUMN feed xid8;
ALTER TABLE events ALTER COLUMN feed SET DEFAULT pg_current_xact_id();
CREATE INDEX events_feed ON events (feed) WHERE feed IS NOT NULL;

CREATE TABLE alarm_templates (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    name            text NOT NULL CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    -- of the points that it is for; '': conditions without limits alone
    quantity        text NOT NULL,
    UNIQUE (organisation_id, name)
);

-- `id` names the revision in occurrences; `number` counts within the template. The newest is in force.
CREATE TABLE alarm_template_revisions (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    template_id     integer NOT NULL REFERENCES alarm_templates,
    number          integer NOT NULL CHECK (number > 0),
    rules           jsonb NOT NULL,
    author          text NOT NULL,
    reason          text NOT NULL,
    created_at      timestamptz NOT NULL,
    UNIQUE (template_id, number)
);

-- Which template watches a point. A point that is not here is not monitored, whatever it measures.
CREATE TABLE alarm_applied (
    point_id        integer PRIMARY KEY REFERENCES points,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    template_id     integer NOT NULL REFERENCES alarm_templates,
    author          text NOT NULL,
    applied_at      timestamptz NOT NULL
);
CREATE INDEX alarm_applied_template ON alarm_applied (template_id);

-- One watched series: rules under one revision over the readings of a point, its calibration, or what was told.
CREATE TABLE alarm_series (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    point_id        integer REFERENCES points,
    -- name of the point, or of what speaks by events: interlock/room-2
    point           text NOT NULL,
    part            text NOT NULL CHECK (part IN ('readings', 'calibration', 'tamper', 'event')),
    revision        integer NOT NULL,
    rules           jsonb NOT NULL,
    hold_ticks      bigint,
    grp             text NOT NULL,
    from_tick       bigint NOT NULL,
    until_tick      bigint,
    UNIQUE (site_id, point, part, from_tick)
);
CREATE UNIQUE INDEX alarm_series_now ON alarm_series (site_id, point, part) WHERE until_tick IS NULL;

-- What a series had come to at some time of each hour: from there it is judged again when late data come.
CREATE TABLE alarm_bases (
    series_id       integer NOT NULL REFERENCES alarm_series,
    organisation_id smallint NOT NULL,
    hour            integer NOT NULL,
    base_tick       bigint NOT NULL,
    detectors       jsonb NOT NULL,
    PRIMARY KEY (series_id, hour)
);

-- Series of which data came that are older than what is remembered, and from when they have to be judged again.
CREATE TABLE alarm_late (
    series_id       integer PRIMARY KEY REFERENCES alarm_series,
    organisation_id smallint NOT NULL,
    from_tick       bigint NOT NULL
);

-- Every stretch in alarm that was ever found; its identity is (point, condition, revision, onset).
CREATE TABLE alarm_occurrences (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    point_id        integer REFERENCES points,
    point           text NOT NULL,
    condition       text NOT NULL,
    revision        integer NOT NULL,
    onset           bigint NOT NULL,
    raised_at       bigint NOT NULL,
    priority        smallint NOT NULL CHECK (priority BETWEEN 1 AND 4),
    ack_required    boolean NOT NULL,
    alarm_limit     numeric,
    value           numeric,
    worst           numeric,
    worst_at        bigint,
    returned_at     bigint,
    cleared_at      bigint,
    ended           text,
    -- what first-out is judged within: the zone
    grp             text NOT NULL,
    -- what the event told that raised it
    detail          jsonb NOT NULL DEFAULT '{}',
    -- as it stands on the list
    open            boolean NOT NULL,
    known_at        bigint NOT NULL,
    live            boolean NOT NULL,
    called_at       bigint,
    acknowledged_at bigint,
    acknowledged_by text,
    handling        jsonb,
    -- later data showed that it was none, or another one
    withdrawn_at    bigint,
    UNIQUE (site_id, point, condition, revision, onset)
);
CREATE INDEX alarm_occurrences_open ON alarm_occurrences (site_id, point) WHERE open;
CREATE INDEX alarm_occurrences_list ON alarm_occurrences (priority, onset, id) WHERE open;
CREATE INDEX alarm_occurrences_time ON alarm_occurrences (site_id, onset);
CREATE INDEX alarm_occurrences_group ON alarm_occurrences (site_id, grp, onset) WHERE withdrawn_at IS NULL;

-- What was done, in the order in which it was done; never changed.
CREATE TABLE alarm_acts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    what            text NOT NULL,
    at_tick         bigint NOT NULL,
    point           text NOT NULL,
    condition       text,
    from_tick       bigint,
    to_tick         bigint,
    by_whom         text NOT NULL,
    said            text NOT NULL,
    until_tick      bigint
);
CREATE INDEX alarm_acts_point ON alarm_acts (site_id, point, at_tick);

-- How a site handles its alarms, and what must survive a restart. `version` grows with every act of a person.
CREATE TABLE alarm_desks (
    site_id         integer PRIMARY KEY REFERENCES sites,
    organisation_id smallint NOT NULL REFERENCES organisations,
    desk            jsonb NOT NULL,
    version         bigint NOT NULL DEFAULT 0
);

CREATE TABLE alarm_policies (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    number          integer NOT NULL CHECK (number > 0),
    policy          jsonb NOT NULL,
    author          text NOT NULL,
    reason          text NOT NULL,
    created_at      timestamptz NOT NULL,
    UNIQUE (site_id, number)
);

-- Ways by which people are told. `secret` is never shown again.
CREATE TABLE alarm_channels (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    name            text NOT NULL CHECK (name ~ '^[a-z0-9-]{1,63}$'),
    kind            text NOT NULL CHECK (kind IN ('email', 'webhook', 'wecom', 'dingtalk', 'sms')),
    -- what may be shown: addresses of people, or the host of a hook
    target          text NOT NULL,
    secret          jsonb NOT NULL DEFAULT '{}',
    language        text NOT NULL CHECK (language IN ('zh', 'en')),
    author          text NOT NULL,
    changed_at      timestamptz NOT NULL,
    removed_at      timestamptz,
    UNIQUE (organisation_id, name)
);

-- One round of messages: what was due at once.
CREATE TABLE alarm_rounds (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer NOT NULL REFERENCES sites,
    number          bigint NOT NULL,
    at_tick         bigint NOT NULL,
    why             text NOT NULL,
    by_priority     jsonb NOT NULL,
    first_out       text[] NOT NULL,
    -- every alarm that is in it: its name, and which step of its chain for which time
    calls           jsonb NOT NULL,
    UNIQUE (site_id, number)
);

-- One message to one way. A round's site and number, or a test by a person.
CREATE TABLE alarm_deliveries (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    site_id         integer REFERENCES sites,
    round_id        bigint REFERENCES alarm_rounds,
    channel         text NOT NULL,
    subject         text NOT NULL,
    body            text NOT NULL,
    state           text NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
    attempts        smallint NOT NULL DEFAULT 0,
    next_at         timestamptz NOT NULL,
    created_at      timestamptz NOT NULL
);
CREATE INDEX alarm_deliveries_waiting ON alarm_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX alarm_deliveries_time ON alarm_deliveries (organisation_id, id);

CREATE TABLE alarm_attempts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id smallint NOT NULL REFERENCES organisations,
    delivery_id     bigint NOT NULL REFERENCES alarm_deliveries,
    at              timestamptz NOT NULL,
    sent            boolean NOT NULL,
    told            text NOT NULL
);
CREATE INDEX alarm_attempts_delivery ON alarm_attempts (delivery_id);

-- How far the room has followed the feed; `directory` grows when templates or what they watch change.
CREATE TABLE alarm_room (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    feed            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    directory       bigint NOT NULL DEFAULT 1
);
INSERT INTO alarm_room DEFAULT VALUES;
