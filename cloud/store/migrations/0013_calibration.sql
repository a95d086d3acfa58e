-- Why: calibrations are entered as revisions: with uncertainty, certificate, laboratory, due date, author and reason.
-- Lock: short, on calibrations. Run time: below a second. What was entered is never changed.

ALTER TABLE calibrations
    -- from when until when it was entered for; `valid` is what later revisions left of it, empty once one with the
    -- same beginning took its place
    ADD COLUMN entered_for          tstzrange,
    ADD COLUMN replaced_at          timestamptz,
    ADD COLUMN expanded_uncertainty numeric CHECK (expanded_uncertainty > 0 AND expanded_uncertainty < 'Infinity'),
    ADD COLUMN coverage_factor      numeric CHECK (coverage_factor > 0 AND coverage_factor < 'Infinity'),
    ADD COLUMN calibrated_on        date,
    ADD COLUMN due_on               date,
    ADD COLUMN laboratory           text NOT NULL DEFAULT '',
    ADD COLUMN certificate_sha256   bytea CHECK (octet_length(certificate_sha256) = 32),
    ADD COLUMN author               text NOT NULL DEFAULT '',
    ADD COLUMN reason               text NOT NULL DEFAULT '',
    ADD CONSTRAINT calibrations_due CHECK (due_on > calibrated_on);
UPDATE calibrations SET entered_for = valid;

CREATE FUNCTION calibration_entered_for() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.entered_for := coalesce(NEW.entered_for, NEW.valid);
    RETURN NEW;
END
$$;
CREATE TRIGGER calibrations_entered_for BEFORE INSERT ON calibrations
    FOR EACH ROW EXECUTE FUNCTION calibration_entered_for();
ALTER TABLE calibrations ALTER COLUMN entered_for SET NOT NULL;

-- Files of certificates under their hash, in the organisation that brought them.
CREATE TABLE certificate_files (
    organisation_id smallint NOT NULL REFERENCES organisations,
    sha256          bytea NOT NULL CHECK (octet_length(sha256) = 32),
    content_type    text NOT NULL CHECK (content_type IN ('application/pdf', 'image/png', 'image/jpeg')),
    body            bytea NOT NULL CHECK (octet_length(body) <= 10485760),
    author          text NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organisation_id, sha256)
);
