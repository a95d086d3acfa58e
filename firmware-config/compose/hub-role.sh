#!/bin/sh
# Runs once, when the database is made: the role of the services, which owns nothing.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$HENG_HUB_PASSWORD" --username heng_owner --dbname heng <<'SQL'
CREATE ROLE heng_hub LOGIN PASSWORD :'password';
SQL
