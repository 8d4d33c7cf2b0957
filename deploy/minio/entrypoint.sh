#!/bin/sh
# Starts the object store after a look at its event directory: a damaged event file stops the announcements (foreign or
# cut off) or the whole server (NUL bytes, left behind by a power cut) at every start. What is no complete event is put
# aside; the reconcile scan finds the object that it spoke of.
set -eu

events=${MINIO_NOTIFY_AMQP_QUEUE_DIR_CLIPSTREAM:?is not set}
queue=$events/minio-amqp-CLIPSTREAM
aside=$events/damaged

count() {
    tr -cd "$1" <"$2" | wc -c
}

# A JSON object that was not cut off, told by what every image has: it closes each brace that it opens. A client whose
# words hold a lone brace can have its own event put aside by this, and only while one is waiting for the broker.
is_event() {
    [ -f "$1" ] || return 1
    case $1 in *.event) ;; *) return 1 ;; esac
    [ "$(head -c 1 "$1" | tr -d '\000')" = '{' ] || return 1
    [ "$(count '\000' "$1")" -eq 0 ] || return 1
    [ "$(count '{' "$1")" -eq "$(count '}' "$1")" ]
}

put_aside() {
    mkdir -p "$aside"
    mv "$1" "$aside/$(date +%s)-${1##*/}"
    echo "event directory: ${1##*/} is no complete event, moved to $aside" >&2
}

for file in "$queue"/* "$queue"/.[!.]*; do
    [ -e "$file" ] || continue
    is_event "$file" || put_aside "$file"
done

# The maintained fork renamed the binary and kept the rest.
server=$(command -v minio || command -v silo)
exec "$server" "$@"
