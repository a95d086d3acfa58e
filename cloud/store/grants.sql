-- What the services may do, set again after every upgrade. No DDL. Evidence is added and never changed.
GRANT USAGE ON SCHEMA public TO heng_hub;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO heng_hub;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO heng_hub;
REVOKE INSERT, UPDATE ON schema_migrations FROM heng_hub;
REVOKE UPDATE ON readings, positions, events, batch_bodies, tombstones, clocks_found FROM heng_hub;
GRANT DELETE ON rejects TO heng_hub;
REVOKE UPDATE ON media FROM heng_hub;
GRANT UPDATE (deleted_at, deleted_why) ON media TO heng_hub;
REVOKE UPDATE ON audit_log, audit_heads FROM heng_hub;
GRANT DELETE ON sign_in_attempts, web_sessions TO heng_hub;
REVOKE UPDATE ON settings_revisions FROM heng_hub;
REVOKE UPDATE ON calibrations, certificate_files FROM heng_hub;
GRANT UPDATE (valid, replaced_at) ON calibrations TO heng_hub;
REVOKE UPDATE ON import_runs FROM heng_hub;
GRANT UPDATE (undone_at, undone_by) ON import_runs TO heng_hub;
-- An import is undone by deleting what it added, as long as nothing refers to it.
GRANT DELETE ON people, accounts, role_grants, credentials, assets TO heng_hub;
-- Personal data go by rule alone.
GRANT EXECUTE ON FUNCTION forget_positions, forget_access_events TO heng_hub;
