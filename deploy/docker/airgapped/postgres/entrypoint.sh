#!/bin/bash
# The part of the official image's entrypoint that compose.yaml relies on: on an empty data directory make the
# cluster with a password, run the scripts of /docker-entrypoint-initdb.d on a server nobody else reaches, then serve.
set -euo pipefail

if [[ $1 == postgres && ! -s $PGDATA/PG_VERSION ]]; then
    : "${POSTGRES_PASSWORD:?POSTGRES_PASSWORD is not set}"
    initdb --username="${POSTGRES_USER:=postgres}" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    pg_ctl --options="-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" --wait start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [[ -e $script ]] || continue
        # shellcheck source=/dev/null
        if [[ -x $script ]]; then "$script"; else . "$script"; fi
    done
    pg_ctl --mode=fast --wait stop
fi

exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
