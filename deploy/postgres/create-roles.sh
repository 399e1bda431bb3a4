#!/bin/bash
# Runs once, when the data folder is empty: creates the database and the roles that are not superusers.
set -euo pipefail
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres \
    --set=service_password="$(cat /run/secrets/database_password)" \
    --set=monitoring_password="$(cat /run/secrets/monitoring_password)" <<'SQL'
CREATE ROLE marquee LOGIN PASSWORD :'service_password';
CREATE DATABASE marquee OWNER marquee;
REVOKE ALL ON DATABASE marquee FROM PUBLIC;
CREATE ROLE monitoring LOGIN PASSWORD :'monitoring_password' CONNECTION LIMIT 5 IN ROLE pg_monitor;
GRANT CONNECT ON DATABASE marquee TO monitoring;
SQL
