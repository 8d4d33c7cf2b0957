"""Sign-in with an OpenID Connect issuer: an ID token in, the person whom the issuer vouches for out.

A person is the pair (issuer, subject). E-mail, name and picture are theirs to change and the issuer's to give to
somebody else tomorrow: they are shown, and decide nothing.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clipstream.common.errors import Outage
from clipstream.gateway import jose
from clipstream.gateway.fields import Email, PictureUrl, Subject, as_name
from clipstream.gateway.issuer_keys import IssuerKeys
from clipstream.gateway.problems import Problem

GOOGLE = "https://accounts.google.com"
NAMELESS = "Player"
# A key, or an address of one, in the token itself is what forgers bring; OpenID Connect Core 2 advises against all of
# them. `crit` would name extensions, of which we know none.
_SUSPECT = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})
# What Keycloak and its like call tokens that are no ID tokens, in a claim of their own.
_OTHER_TOKENS = frozenset({"Bearer", "Refresh", "Offline", "Logout"})
_SUBJECT: TypeAdapter[str] = TypeAdapter(Subject)
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)
_PICTURE: TypeAdapter[str] = TypeAdapter(PictureUrl)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody an issuer vouches for. `nonce` is the sign-in's own, where there was one."""

    issuer: str
    subject: str
    name: str
    email: str | None
    avatar: str | None
    nonce: str | None


class IdTokens:
    """Verifies ID tokens that `issuer` made for `client_id`."""

    def __init__(self, keys: IssuerKeys, issuer: str, client_id: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_id = client_id
        # Google writes its name in two ways: https://developers.google.com/identity/openid-connect/openid-connect
        self._spellings = [issuer, "accounts.google.com"] if issuer == GOOGLE else [issuer]

    async def verify(self, token: str, nonce: str | None) -> Identity:
        """Who it is. 401 where the token is not good, 500 where the issuer's keys cannot be had."""
        try:
            return self._identity(await self._claims(token), nonce)
        except (jose.NotGenuine, ValidationError) as error:
            raise invalid_id_token() from error
        except Outage as error:
            raise Problem(500, "Failed to verify token with Google", [str(error)]) from error

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jose.header(token)
        key_id = header.get("kid")
        if not isinstance(key_id, str) or str(header.get("typ", "JWT")).upper() != "JWT" or _SUSPECT & header.keys():
            raise jose.NotGenuine
        if header.get("alg") not in ("RS256", "ES256", "EdDSA"):
            raise jose.NotGenuine
        key = await self._keys.find(key_id)
        if key is None:
            raise jose.NotGenuine
        return jose.claims(
            token,
            key.material,
            key.algorithm,
            issuer=self._spellings,
            audience=self._client_id,
            require=[],
            now_s=time.time(),
        )

    def _identity(self, claims: dict[str, Any], nonce: str | None) -> Identity:
        self._check_purpose(claims)
        told = claims.get("nonce")
        if told is not None and not isinstance(told, str):
            raise jose.NotGenuine
        if nonce is not None and not hmac.compare_digest((told or "").encode("utf-8", "replace"), nonce.encode()):
            raise jose.NotGenuine
        return Identity(
            issuer=self._issuer,
            subject=_SUBJECT.validate_python(claims["sub"]),
            name=_name(claims),
            email=_or_none(_EMAIL, claims.get("email")) if claims.get("email_verified") is True else None,
            avatar=_or_none(_PICTURE, claims.get("picture")),
            nonce=told,
        )

    def _check_purpose(self, claims: dict[str, Any]) -> None:
        """OpenID Connect Core 3.1.3.7: for us alone. A logout token (`events`) or an access token signs nobody in."""
        audience = claims["aud"]
        ours = audience == self._client_id or audience == [self._client_id]
        if not ours or claims.get("azp", self._client_id) != self._client_id:
            raise jose.NotGenuine
        if "events" in claims or str(claims.get("typ")) in _OTHER_TOKENS:
            raise jose.NotGenuine


def invalid_id_token() -> Problem:
    return Problem(401, "Invalid Google ID token")


def _name(claims: dict[str, Any]) -> str:
    for claim in ("name", "preferred_username", "nickname", "given_name"):
        told = claims.get(claim)
        if isinstance(told, str) and (name := as_name(told)):
            return name
    return NAMELESS


def _or_none(field: TypeAdapter[str], value: object) -> str | None:
    try:
        return field.validate_python(value)
    except ValidationError:
        return None
