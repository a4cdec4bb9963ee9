#!/bin/sh
# Run once by the image of Postgres, when the database is new: the role of the pipeline, and the database for Dagster.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --set=password="$JV_PASSWORD" <<'SQL'
CREATE ROLE jv LOGIN PASSWORD :'password';
CREATE DATABASE dagster OWNER jv;
SQL
