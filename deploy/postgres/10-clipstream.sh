#!/bin/bash
# First start of an empty cluster: the services' own role, which owns one database and is no superuser.
# The password travels by psql's own variable, so that it is neither interpolated by the shell nor listed by ps.
set -euo pipefail

psql --quiet -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv password CLIPSTREAM_DATABASE_PASSWORD
CREATE ROLE clipstream LOGIN PASSWORD :'password';
CREATE DATABASE clipstream OWNER clipstream;
\connect clipstream
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO clipstream;
SQL
