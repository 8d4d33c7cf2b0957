"""Which keys and metadata every store takes: what S3, MinIO and a file system can all hold, so that what works on one
works on all. Both are refused before any byte is sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

from clipstream.common.errors import Permanent

MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 255  # a file name; MinIO keeps the same bound
MAX_METADATA_BYTES = 2048  # S3: names and values together, as sent


def check_key(key: str) -> None:
    """`Permanent` where no store should hold `key`."""
    if reason := key_fault(key):
        raise Permanent(f"The object key {key!r} {reason}.")


def check_prefix(prefix: str) -> None:
    """`Permanent` for a prefix that no key can begin with (MinIO refuses such lists)."""
    if prefix and (reason := key_fault(prefix.removesuffix("/"))):
        raise Permanent(f"The prefix {prefix!r} {reason}.")


def key_fault(key: str) -> str | None:
    """What is wrong with `key`, to follow 'The object key … '; None for a good one."""
    if not key:
        return "is empty"
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if len(raw) > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    if b"\0" in raw:
        return "contains a NUL character"
    segments = raw.split(b"/")
    if b"" in segments:
        return "has an empty part: it starts or ends with a slash, or has two in a row"
    if b"." in segments or b".." in segments:
        return "has '.' or '..' as a part"
    if max(map(len, segments)) > MAX_SEGMENT_BYTES:
        return f"has a part longer than {MAX_SEGMENT_BYTES} bytes"
    return None


def encode_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata as it travels in headers: percent-encoded values. `Permanent` where it does not fit."""
    encoded: dict[str, str] = {}
    for name, value in (metadata or {}).items():
        if not name or not name.isascii() or name != name.lower() or not name.replace("-", "").isalnum():
            raise Permanent(f"The metadata name {name!r} must be lowercase letters, digits and hyphens.")
        encoded[name] = quote(value, safe="")
    if sum(len(name) + len(value) for name, value in encoded.items()) > MAX_METADATA_BYTES:
        raise Permanent(f"The metadata is longer than {MAX_METADATA_BYTES} bytes once encoded.")
    return encoded


def decode_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """The reverse. Values that others stored unencoded are kept as they are."""
    return {name.lower(): unquote(value) for name, value in headers.items()}
