-- Why: the order of a gateway's boots, by which one that never found time is bracketed.
-- Lock: short and exclusive on batches, no rewrite. Run time: below a second.

-- Place of the boot among those of the journal, from 1; 0 when the gateway does not tell.
ALTER TABLE batches ADD COLUMN boot_number integer NOT NULL DEFAULT 0;
