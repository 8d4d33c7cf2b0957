#!/usr/bin/env bash
# `docker compose` for compose.yaml with the stand-in images: compose.sh up --detach --scale transcode=2
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
else
    compose=("$root/.tools/compose/bin/docker-compose")
fi
exec "${compose[@]}" --project-directory "$root" \
    --env-file "${ENV_FILE:-$root/.env}" --env-file "$here/images.env" \
    --file "$root/compose.yaml" --file "$here/compose.airgapped.yaml" "$@"
