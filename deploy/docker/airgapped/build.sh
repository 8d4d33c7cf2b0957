#!/usr/bin/env bash
# Builds every image compose.yaml needs without an image registry: `build.sh` for all of them, `build.sh standins` or
# `build.sh services [NAME...]` for a part. Finished steps are taken from the engine's cache.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
prefix=clipstream-airgapped
# The engine's own builder: it needs no plugin and no front end from a registry.
export DOCKER_BUILDKIT=0

build() {
    local name=$1 context=$2
    shift 2
    echo "image $name" >&2
    docker build --quiet --tag "$name" "$@" "$context" >/dev/null
    docker image inspect "$name" >/dev/null
}

standins() {
    if ! docker image inspect "$prefix/base" >/dev/null 2>&1; then
        command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; }
        echo "image $prefix/base" >&2
        "$here/base.sh" "$prefix/base"
    fi
    local name
    for name in python nginx rabbitmq postgres prometheus; do
        build "$prefix/$name" "$here/$name" --build-arg "BASE_IMAGE=$prefix/base"
    done

    local context
    context=$(mktemp -d)
    trap 'rm -rf "$context"' RETURN
    cp "$here/objectstore/Dockerfile" "$root/.tools/minio/bin/minio" "$root/.tools/mc/bin/mc" "$context"
    build "$prefix/objectstore" "$context" --build-arg "BASE_IMAGE=$prefix/base"
}

services() {
    [[ $# -gt 0 ]] || set -- gateway ingest dedupe transcode stt embed search mediaproxy
    local name
    for name in "$@"; do
        build "${CLIPSTREAM_REGISTRY:-clipstream}/$name:${CLIPSTREAM_VERSION:-local}" "$root" \
            --file "$root/deploy/docker/Dockerfile" \
            --build-arg "SERVICE=$name" --build-arg "PYTHON_IMAGE=$prefix/python"
    done
}

case ${1:-all} in
    all) standins && services ;;
    standins) standins ;;
    services) shift && services "$@" ;;
    *) echo "usage: build.sh [standins | services [NAME...]]" >&2 && exit 2 ;;
esac
