-- Why: the corrected value of every reading as a view, exact to the last digit. Lock: short, on calibrations.
-- Run time: below a second. A backdated calibration rewrites nothing.

-- Whether nodes are a curve: as many corrections as nodes, both the indicated and the corrected values growing.
CREATE FUNCTION is_monotone_curve(indicated numeric[], correction numeric[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(bool_and(x > x_before AND x + c > x_before + c_before), true)
    FROM (SELECT x, c, lag(x) OVER w AS x_before, lag(c) OVER w AS c_before
          FROM unnest(indicated, correction) WITH ORDINALITY AS node (x, c, place)
          WINDOW w AS (ORDER BY place)) steps
    WHERE x_before IS NOT NULL
$$;

ALTER TABLE calibrations
    ADD CONSTRAINT calibrations_monotone CHECK (is_monotone_curve(indicated, correction)),
    ADD CONSTRAINT calibrations_finite CHECK (NOT 'NaN' = ANY (indicated) AND NOT 'NaN' = ANY (correction)
        AND NOT 'Infinity' = ANY (indicated) AND NOT '-Infinity' = ANY (indicated)
        AND NOT 'Infinity' = ANY (correction) AND NOT '-Infinity' = ANY (correction)
        AND array_position(indicated, NULL) IS NULL AND array_position(correction, NULL) IS NULL);

CREATE INDEX calibrations_point ON calibrations (point_id);
CREATE INDEX point_versions_point ON point_versions (point_id);

-- The corrected value: linear between the nodes, the correction of the end node outside them; computed as one
-- exact fraction and rounded half-even once, to 10^to_exponent. The same arithmetic as cloud/store/calibration.py.
CREATE FUNCTION calibrated(
    raw bigint, exponent smallint, indicated numeric[], correction numeric[], to_exponent smallint
) RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    value   numeric := raw * ('1e' || exponent)::numeric;
    nodes   integer := cardinality(indicated);
    place   integer := 0;
    top     numeric;
    bottom  numeric := 1;
    count   numeric;
    rest    numeric;
BEGIN
    IF raw IS NULL OR indicated IS NULL THEN
        RETURN value;
    END IF;
    WHILE place < nodes AND indicated[place + 1] <= value LOOP
        place := place + 1;
    END LOOP;
    IF place = 0 OR place = nodes THEN
        top := value + correction[greatest(place, 1)];
    ELSE
        bottom := indicated[place + 1] - indicated[place];
        top := (value + correction[place]) * bottom
            + (correction[place + 1] - correction[place]) * (value - indicated[place]);
    END IF;
    IF to_exponent < 0 THEN
        top := top * ('1e' || -to_exponent)::numeric;
    ELSE
        bottom := bottom * ('1e' || to_exponent)::numeric;
    END IF;
    count := div(top, bottom);
    rest := top - count * bottom;
    IF rest < 0 THEN
        count := count - 1;
        rest := rest + bottom;
    END IF;
    IF 2 * rest > bottom OR (2 * rest = bottom AND mod(count, 2) <> 0) THEN
        count := count + 1;
    END IF;
    RETURN round(count * ('1e' || to_exponent)::numeric, greatest(-to_exponent, 0));
END
$$;

-- What people and reports read: `indicated` as the device gave it, `value` corrected. Both NULL when absent.
CREATE VIEW reading_values AS
SELECT r.observed_at, r.point_id, r.organisation_id, r.status, r.raw, v.exponent,
       r.raw * ('1e' || v.exponent)::numeric AS indicated,
       calibrated(r.raw, v.exponent, c.indicated, c.correction, c.exponent) AS value,
       c.id AS calibration_id
FROM readings r
LEFT JOIN point_versions v ON v.point_id = r.point_id AND v.valid @> r.observed_at
LEFT JOIN calibrations c ON c.point_id = r.point_id AND c.valid @> r.observed_at;
