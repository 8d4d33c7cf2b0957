"""Reading signed tokens (JWT) that somebody hands us. Nothing a token says about itself is believed before its signature
holds; the algorithm comes from our key and never from the token (RFC 8725)."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from typing import Any

import jwt

LONGEST = 16_384  # characters; a token of Google's has about 1,200
CLOCK_SKEW_S = 30  # how far ahead the clock of who issued it may be
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # decoders skip what does not belong there


class NotGenuine(Exception):
    """The token is not one that its issuer made for us, or its time is over."""


class _Strict(jwt.PyJWT):
    def _decode_payload(self, decoded: dict[str, Any]) -> dict[str, Any]:
        return _object(decoded["payload"])


_READER = _Strict()


def header(token: str) -> dict[str, Any]:
    """What the token says of its making, unverified."""
    if len(token) > LONGEST or not _COMPACT.fullmatch(token):
        raise NotGenuine
    try:
        part = token[: token.index(".")]
        return _object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError) as error:
        raise NotGenuine from error


def claims(
    token: str,
    key: Any,
    algorithm: str,
    *,
    issuer: str | Sequence[str],
    audience: str,
    require: Sequence[str],
    now_s: float,
) -> dict[str, Any]:
    """What the token says, once its signature, issuer, audience and times hold. `exp`, `iat`, `iss`, `aud` and `sub` are
    there, and so is what `require` adds to them. Raises `NotGenuine`."""
    try:
        found: dict[str, Any] = _READER.decode_complete(
            token,
            key,
            algorithms=[algorithm],
            issuer=issuer,
            audience=audience,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", *require],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )["payload"]
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
        raise NotGenuine from error
    _check_times(found, now_s)
    return found


def _check_times(found: dict[str, Any], now_s: float) -> None:
    """Our own, since PyJWT takes `"1999999999"`, `true` and 1e300 for times."""
    expires, issued, begins = found["exp"], found["iat"], found.get("nbf", 0)
    if not all(_is_time(moment) for moment in (expires, issued, begins)):
        raise NotGenuine
    if expires <= now_s or max(issued, begins) > now_s + CLOCK_SKEW_S:
        raise NotGenuine


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 40


def _object(raw: bytes) -> dict[str, Any]:
    """A JSON object in which no name stands twice: two readers could each believe another one of them."""
    try:
        read = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NotGenuine from error
    if not isinstance(read, dict):
        raise NotGenuine
    return read


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise NotGenuine
    return names


def _no_number(name: str) -> None:
    raise ValueError(name)
