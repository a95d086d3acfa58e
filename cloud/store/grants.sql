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
REVOKE UPDATE ON alarm_template_revisions, alarm_acts, alarm_policies, alarm_rounds, alarm_attempts FROM heng_hub;
-- Points may cease to be watched; where a series had come to long ago is derived and goes.
GRANT DELETE ON alarm_applied, alarm_bases, alarm_late TO heng_hub;
-- An import is undone by deleting what it added, as long as nothing refers to it.
GRANT DELETE ON people, accounts, role_grants, credentials, assets TO heng_hub;
-- What is taken out of the rights stands in the audit log; what gateways decided by is kept as long as decisions are.
GRANT DELETE ON access_items, rights_issued TO heng_hub;
-- Personal data go by rule alone.
GRANT EXECUTE ON FUNCTION forget_positions, forget_access_events TO heng_hub;
-- What was asked of a gateway stays as it was asked; what becomes of it is added.
REVOKE UPDATE ON commands, command_receipts FROM heng_hub;
GRANT UPDATE (approver_kind, approver, second_person, approved_at, refused, refused_text, issued_at, not_after,
              incarnation, fence, boot, not_after_tick, outcome) ON commands TO heng_hub;
-- Versions of methods, logs of jobs and transcripts are added and never changed.
REVOKE UPDATE ON limit_sets, job_log, operation_lines FROM heng_hub;
