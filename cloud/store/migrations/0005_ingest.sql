-- Why: what ingest needs to prove cheaply that a batch extends its chain, and to declare points late.
-- Lock: short exclusive locks, no rewrite. Run time: below a second.

-- The hash of the highest sequence number received, and the newest reading of the epoch.
ALTER TABLE ledger ADD COLUMN tip_hash bytea, ADD COLUMN last_at timestamptz;

-- Why a batch is not placed, in words for a person.
ALTER TABLE batches ADD COLUMN reason text NOT NULL DEFAULT '';

-- Bodies are kept as signed; small ones stay in the row, large ones are not compressed a second time.
ALTER TABLE batch_bodies ALTER COLUMN body SET STORAGE EXTERNAL;

-- What a gateway last said it feeds, so that a site bound later finds it.
CREATE TABLE declarations (
    gateway_id      integer PRIMARY KEY REFERENCES gateways,
    organisation_id smallint NOT NULL REFERENCES organisations,
    body            bytea NOT NULL,
    declared_at     timestamptz NOT NULL DEFAULT now()
);
