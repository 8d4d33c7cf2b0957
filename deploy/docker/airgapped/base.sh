#!/usr/bin/env bash
# Makes the one base image of the stand-ins from Debian packages: no image registry is asked.
# Needs root (debootstrap unpacks device nodes and owners).
set -euo pipefail

suite=${DEBIAN_SUITE:-bookworm}
# The machine's own mirrors, where none are named.
mirrors=$(apt-get indextargets --format '$(REPO_URI)' | sort -u)
mirror=${DEBIAN_MIRROR:-$(grep -v security <<<"$mirrors" | head -n 1)}
security_mirror=${DEBIAN_SECURITY_MIRROR:-$(grep security <<<"$mirrors" | head -n 1)}
tag=${1:?usage: base.sh IMAGE}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >/dev/null
cat >"$root/etc/apt/sources.list" <<LIST
deb $mirror $suite main
deb $mirror $suite-updates main
deb $security_mirror $suite-security main
LIST

# A machine that trusts an additional certificate authority says so by SSL_CERT_FILE; what is built on this image
# (pip, uv) then has to trust it as well.
bundle=/etc/ssl/certs/ca-certificates.crt
if [[ -n ${SSL_CERT_FILE:-} ]]; then
    cp --dereference "$SSL_CERT_FILE" "$root$bundle"
fi

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
tar -C "$root" --numeric-owner -c . | docker import \
    --change "ENV SSL_CERT_FILE=$bundle PIP_CERT=$bundle DEBIAN_FRONTEND=noninteractive" \
    --change 'CMD ["/bin/sh"]' - "$tag" >/dev/null
