"""The public keys that an OpenID Connect issuer publishes: fetched, kept for as long as it says, and fetched again when a
token names a key that is not among them (OpenID Connect Core 10.1.1)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import structlog
from aiohttp import hdrs

from clipstream.common.errors import Outage

PATIENCE_S = 5.0
LARGEST = 256 << 10
MOST_KEYS = 64
SHORTEST_S, USUAL_S, LONGEST_S = 60.0, 3600.0, 86_400.0  # for how long keys are kept: at least, unsaid, at most
UNKNOWN_KEY_PAUSE_S = 30.0  # anybody can name keys that do not exist; the issuer is not to feel it
FAILED_PAUSE_S = 2.0
RSA_BITS = range(2048, 8193)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A key and the one algorithm that it is good for."""

    algorithm: str
    material: Any


class IssuerKeys:
    """The keys of one issuer. However many ask at once, one request goes out. `clock` counts seconds."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        issuer: str,
        jwks_url: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._session = session
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._clock = clock
        self._patience_s = patience_s
        self._keys: Mapping[str, IssuerKey] = {}
        self._good_until = self._asked_at = float("-inf")
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> IssuerKey | None:
        """The key of this name; None where the issuer publishes none. `Outage` where that cannot be learned now: keys
        that are still good go on working while the issuer is away."""
        expired = self._clock() >= self._good_until
        if not expired and key_id in self._keys:
            return self._keys[key_id]
        pause = FAILED_PAUSE_S if expired else UNKNOWN_KEY_PAUSE_S
        if self._fetching is not None or self._clock() >= self._asked_at + pause:
            await self._renew()
        if self._failed:
            raise Outage(f"The issuer {self._issuer} does not answer as it should.")
        return self._keys.get(key_id)

    async def _renew(self) -> None:
        """A caller that goes away does not take along what others wait for."""
        if self._fetching is None:
            self._asked_at = self._clock()
            self._fetching = asyncio.ensure_future(self._fetch())
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                published, life_s = await self._get(self._jwks_url or await self._discovered())
            self._keys, self._good_until = _usable(published), self._clock() + life_s
            self._failed = False
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            self._failed = True
            log.warning("issuer_keys_missing", issuer=self._issuer, reason=f"{type(error).__name__}: {error}")
        finally:
            self._fetching = None

    async def _discovered(self) -> str:
        """OpenID Connect Discovery 4: where this issuer, and no other, says that its keys are."""
        document, _ = await self._get(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        url = document.get("jwks_uri")
        if document.get("issuer") != self._issuer or not isinstance(url, str):
            raise ValueError("the discovery document is not this issuer's")
        if not url.startswith("https://") and self._issuer.startswith("https://"):
            raise ValueError("the discovery document names keys that would come unprotected")
        return url

    async def _get(self, url: str) -> tuple[dict[str, Any], float]:
        """A JSON object, and for how many seconds it may be kept."""
        async with self._session.get(url, allow_redirects=False) as answer:
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            raw = bytearray()
            async for piece in answer.content.iter_any():
                raw += piece
                if len(raw) > LARGEST:
                    raise ValueError(f"more than {LARGEST} bytes")
        read = json.loads(raw)
        if not isinstance(read, dict):
            raise ValueError("no JSON object")
        return read, _life_s(answer.headers)


def _life_s(headers: Mapping[str, str]) -> float:
    directives = headers.get(hdrs.CACHE_CONTROL, "").lower()
    if "no-store" in directives or "no-cache" in directives:
        return SHORTEST_S
    told = re.search(r"max-age=(\d{1,9})", directives)
    age = re.fullmatch(r"\d{1,9}", headers.get(hdrs.AGE, "0"))
    life_s = USUAL_S if told is None else float(told[1]) - (float(age[0]) if age else 0)
    return min(max(life_s, SHORTEST_S), LONGEST_S)


def _usable(published: Mapping[str, Any]) -> dict[str, IssuerKey]:
    """The signing keys that we have an algorithm for, by name. What else is published is left alone."""
    listed = published.get("keys")
    found = {
        form["kid"]: key
        for form in (listed if isinstance(listed, list) else [])[:MOST_KEYS]
        if isinstance(form, dict) and isinstance(form.get("kid"), str) and (key := _key(form)) is not None
    }
    if not found:
        raise ValueError("no key that can be used")
    return found


def _key(form: dict[str, Any]) -> IssuerKey | None:
    algorithm = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}.get(
        (str(form.get("kty")), form.get("crv") if form.get("kty") != "RSA" else None)
    )
    if algorithm is None or form.get("use", "sig") != "sig" or form.get("alg", algorithm) != algorithm or "d" in form:
        return None
    try:
        material = jwt.PyJWK(form, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return None
    if algorithm == "RS256" and material.key_size not in RSA_BITS:
        return None
    return IssuerKey(algorithm, material)
