#!/bin/sh
# PgBouncer in transaction mode before $POSTGRES ("host=… port=…"), for $PGBOUNCER_USERS (lines of its auth_file).
set -eu
umask 077
folder=$(mktemp -d)
printf '%s\n' "$PGBOUNCER_USERS" >"$folder/users.txt"
cat >"$folder/pgbouncer.ini" <<INI
[databases]
* = $POSTGRES
[pgbouncer]
listen_addr = *
listen_port = ${PGBOUNCER_PORT:-6432}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users.txt
pool_mode = transaction
default_pool_size = 20
max_client_conn = 200
server_idle_timeout = 300
INI
exec pgbouncer "$folder/pgbouncer.ini"
