#!/bin/bash
# Runs once, when the data folder is empty: creates the database and the roles that are not superusers.
set -euo pipefail
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres \
    --set=service_password="$(cat /run/secrets/database_password)" \
    --set=backup_password="$(cat /run/secrets/backup_password)" \
    --set=monitoring_password="$(cat /run/secrets/monitoring_password)" <<'SQL'
CREATE ROLE marquee LOGIN PASSWORD :'service_password';
CREATE DATABASE marquee OWNER marquee;
REVOKE ALL ON DATABASE marquee FROM PUBLIC;
CREATE ROLE monitoring LOGIN PASSWORD :'monitoring_password' CONNECTION LIMIT 5 IN ROLE pg_monitor;
CREATE ROLE backup LOGIN REPLICATION PASSWORD :'backup_password' CONNECTION LIMIT 5;
GRANT CONNECT ON DATABASE marquee TO monitoring, backup;
SQL
# `all` does not include replication.
echo 'host replication backup all scram-sha-256' >>"$PGDATA/pg_hba.conf"
