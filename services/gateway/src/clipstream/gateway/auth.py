"""Access tokens: who is calling, proven by a JWT (HS256) that lives ten minutes and is verified without the database.

They follow RFC 9068's typing (`at+jwt`) and RFC 8725. Each names the login that it belongs to (`sid`, the family of its
refresh tokens), so that it dies with that login.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt

from clipstream.gateway import jose
from clipstream.gateway.problems import invalid_token
from clipstream.gateway.signing import derive_key

ISSUER = "clipstream"
AUDIENCE = "clipstream-api"
ALGORITHM = "HS256"
TYPE = "at+jwt"
KEY_ID = "1"
HEADER = {"alg": ALGORITHM, "typ": TYPE, "kid": KEY_ID}
KEY_PREFIX = "csk_"  # of API keys, by which they are told from access tokens
LONGEST = 1024  # characters; ours have about 400
REMEMBERED = 4096  # verified tokens, some 500 bytes each


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified access token."""

    user_id: UUID
    login_id: UUID
    expires_at: datetime


class AccessTokens:
    """Makes and verifies access tokens. Verified ones are remembered until they expire: a client sends the same one with
    every request, and reading it costs some sixty times what finding it does."""

    def __init__(
        self, secret: str, life: timedelta, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._key = derive_key(secret, "access token")
        self._life = life
        self._clock = clock
        self._verified: OrderedDict[bytes, Claims] = OrderedDict()

    def issue(self, user_id: UUID, login_id: UUID) -> tuple[str, datetime]:
        issued = self._clock()
        expires = issued + self._life
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(login_id),
            "iat": issued,
            "exp": expires,
            "jti": secrets.token_urlsafe(12),
        }
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": KEY_ID})
        return token, expires.replace(microsecond=0)

    def verify(self, token: str) -> Claims:
        """Raises the API's own 401 for everything that is not a valid access token of ours."""
        if len(token) > LONGEST:
            raise invalid_token()
        hashed = hash_token(token)
        claims = self._verified.get(hashed)
        if claims is None:
            claims = self._verified[hashed] = self._read(token)
            if len(self._verified) > REMEMBERED:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(hashed)
        if claims.expires_at <= self._clock():
            del self._verified[hashed]
            raise invalid_token()
        return claims

    def _read(self, token: str) -> Claims:
        try:
            if jose.header(token) != HEADER:
                raise jose.NotGenuine
            claims = jose.claims(
                token,
                self._key,
                ALGORITHM,
                issuer=ISSUER,
                audience=AUDIENCE,
                require=["jti", "sid"],
                now_s=self._clock().timestamp(),
            )
            expires = datetime.fromtimestamp(claims["exp"], UTC)
            return Claims(_id(claims["sub"]), _id(claims["sid"]), expires)
        except (jose.NotGenuine, ValueError, OverflowError, OSError) as error:
            raise invalid_token() from error


def _id(text: object) -> UUID:
    """As we write it; `UUID` alone takes braces, URNs and missing hyphens as well."""
    if not isinstance(text, str) or str(found := UUID(text)) != text:
        raise jose.NotGenuine
    return found


def hash_token(token: str) -> bytes:
    """256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
