-- Why: the audit log, append-only and chained by hashes, and the signed heads of the chain.
-- Lock: none, all is new. Run time: below a second.

-- `id` counts without holes from 1: it is given by who appends, under a lock, and not by a sequence.
-- `old` and `new` are json and not jsonb: the hash is over their very text.
CREATE TABLE audit_log (
    id              bigint PRIMARY KEY CHECK (id > 0),
    at              timestamptz NOT NULL,
    organisation_id smallint REFERENCES organisations,
    actor_kind      text NOT NULL CHECK (actor_kind IN ('account', 'token', 'command', 'gateway', 'rule', 'nobody')),
    actor           text NOT NULL,
    action          text NOT NULL,
    object          text NOT NULL,
    outcome         text NOT NULL CHECK (outcome IN ('done', 'refused')),
    old             json,
    new             json,
    why             text NOT NULL,
    origin          text NOT NULL,
    previous        bytea NOT NULL UNIQUE CHECK (octet_length(previous) = 32),
    hash            bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32)
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_object ON audit_log (object text_pattern_ops);
CREATE INDEX audit_log_actor ON audit_log (actor);

-- How far the chain went at a time, signed with the hub's key: rows cannot be taken from its end unseen.
CREATE TABLE audit_heads (
    audit_id        bigint PRIMARY KEY,
    hash            bytea NOT NULL,
    at              timestamptz NOT NULL,
    public_key      bytea NOT NULL,
    signature       bytea NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_heads_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
