-- What one asker may see, as views of the same names in a schema that stands first in the search path of their
-- transaction (cloud/store/snapshot.py). Made again after every upgrade, so that every owned table has its view:
-- who forgets to filter is filtered nevertheless. The settings heng.organisations (whole ones), heng.sites (single
-- ones) and heng.everywhere say where; without them every view fails. The rights are those of who asks.
DROP SCHEMA IF EXISTS scoped CASCADE;
CREATE SCHEMA scoped;
GRANT USAGE ON SCHEMA scoped TO heng_hub;

DO $scope$
DECLARE
    orgs  constant text := '(SELECT current_setting(''heng.organisations'')::smallint[])::smallint[]';
    sites constant text := '(SELECT current_setting(''heng.sites'')::integer[])::integer[]';
    one   record;
    rule  text;
BEGIN
    FOR one IN
        SELECT c.relname AS name, array_agg(a.attname::text) AS columns
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           -- reached by ids of points alone, which are filtered; columnstore wants no view over them
           AND c.relname NOT IN ('readings', 'positions', 'readings_1m', 'readings_1h')
         GROUP BY c.relname
    LOOP
        CONTINUE WHEN one.name <> 'organisations' AND NOT 'organisation_id' = ANY (one.columns);
        rule := CASE
            WHEN one.name = 'organisations' THEN format(
                'id = ANY (%s) OR id IN (SELECT organisation_id FROM public.sites WHERE id = ANY (%s))', orgs, sites)
            WHEN one.name = 'sites' THEN format('organisation_id = ANY (%s) OR id = ANY (%s)', orgs, sites)
            WHEN one.name = 'gateways' THEN format(
                'organisation_id = ANY (%s) OR id IN (SELECT gateway_id FROM public.gateway_bindings'
                ' WHERE site_id = ANY (%s))', orgs, sites)
            WHEN one.name = 'audit_log' THEN format(
                'organisation_id = ANY (%s) OR (organisation_id IS NULL AND current_setting(''heng.everywhere'') = ''on'')',
                orgs)
            WHEN 'site_id' = ANY (one.columns) THEN format(
                'organisation_id = ANY (%s) OR site_id = ANY (%s)', orgs, sites)
            WHEN 'point_id' = ANY (one.columns) THEN format(
                'organisation_id = ANY (%s) OR point_id IN (SELECT id FROM public.points WHERE site_id = ANY (%s))',
                orgs, sites)
            -- what a gateway measured stays seen where it was; how it is set up and what it controls now belong to where it
            -- serves last
            WHEN (one.name LIKE 'settings\_%' OR one.name LIKE 'control\_%') AND 'gateway_id' = ANY (one.columns) THEN format(
                'organisation_id = ANY (%s) OR gateway_id IN (SELECT b.gateway_id FROM public.gateway_bindings b'
                ' WHERE b.site_id = ANY (%s) AND NOT EXISTS (SELECT FROM public.gateway_bindings l WHERE l.gateway_id ='
                ' b.gateway_id AND lower(l.valid) > coalesce(lower(b.valid), ''-infinity'')))', orgs, sites)
            WHEN 'gateway_id' = ANY (one.columns) THEN format(
                'organisation_id = ANY (%s) OR gateway_id IN (SELECT gateway_id FROM public.gateway_bindings'
                ' WHERE site_id = ANY (%s))', orgs, sites)
            ELSE format('organisation_id = ANY (%s)', orgs)
        END;
        EXECUTE format('CREATE VIEW scoped.%I WITH (security_invoker = true) AS SELECT * FROM public.%I WHERE %s'
                       ' WITH LOCAL CHECK OPTION', one.name, one.name, rule);
    END LOOP;
END
$scope$;

GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA scoped TO heng_hub;
