#!/usr/bin/env bash
# Makes sure that a Docker engine answers: if none does, installs the distribution's and starts it in the background.
set -euo pipefail

answers() { docker info >/dev/null 2>&1; }

if answers; then
    exit 0
fi
if [[ $(id -u) -ne 0 ]]; then
    echo "No Docker engine answers. Start one (or run this as root, which installs docker.io and starts dockerd)." >&2
    exit 1
fi
if ! command -v dockerd >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
fi

log=/var/log/dockerd.log
setsid nohup dockerd >>"$log" 2>&1 </dev/null &
for _ in $(seq 60); do
    if answers; then
        echo "dockerd runs (pid $!, log $log); it goes on running after this."
        exit 0
    fi
    sleep 1
done
echo "dockerd did not answer within a minute; the last lines of $log:" >&2
tail -5 "$log" >&2
exit 1
