"""Who is calling: short-lived access tokens (JWT, HS256), and opaque refresh tokens that are rotated at every use.

Access tokens follow RFC 9068's typing (`at+jwt`) and RFC 8725: a fixed algorithm, required claims, and our own check of
`typ`, which PyJWT does not make.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt
from asyncpg import Pool

from clipstream.gateway.problems import Problem, invalid_token
from clipstream.gateway.repository import tokens, users
from clipstream.gateway.repository.users import User
from clipstream.gateway.signing import derive_key

ISSUER = "clipstream"
AUDIENCE = "clipstream-api"
TYPE = "at+jwt"
KEY_ID = "1"
REFRESH_PREFIX = "csr_"
KEY_PREFIX = "csk_"


@dataclass(frozen=True, slots=True)
class Login:
    """What a client gets when somebody has signed in or a login was renewed."""

    user: User
    app_token: str
    refresh_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """A verified access token."""

    user_id: UUID
    expires_at: datetime


class AccessTokens:
    """Makes and verifies access tokens."""

    def __init__(self, secret: str, life: timedelta) -> None:
        self._key = derive_key(secret, "access token")
        self._life = life

    def issue(self, user_id: UUID, now: datetime | None = None) -> tuple[str, datetime]:
        issued = now or datetime.now(UTC)
        expires = issued + self._life
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "iat": issued,
            "exp": expires,
            "jti": secrets.token_urlsafe(12),
        }
        token = jwt.encode(claims, self._key, algorithm="HS256", headers={"typ": TYPE, "kid": KEY_ID})
        return token, expires.replace(microsecond=0)

    def verify(self, token: str) -> Claims:
        """Raises the API's own 401 for everything that is not a valid access token of ours."""
        try:
            decoded = jwt.decode_complete(
                token,
                self._key,
                algorithms=["HS256"],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
            if decoded["header"].get("typ") != TYPE:
                raise invalid_token()
            claims = decoded["payload"]
            return Claims(UUID(claims["sub"]), datetime.fromtimestamp(claims["exp"], UTC))
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:
            raise invalid_token() from error


class Logins:
    """Sign-ins and their renewal, over the users and refresh tokens in the database."""

    def __init__(self, pool: Pool, access: AccessTokens, refresh_life: timedelta) -> None:
        self._pool = pool
        self._access = access
        self._refresh_life = refresh_life

    async def local(self, name: str, *, site_admin: bool) -> Login:
        """Development login: anybody, by name."""
        async with self._pool.acquire() as connection, connection.transaction():
            user = await users.sign_in(
                connection,
                uuid4(),
                issuer="dev",
                subject=name.casefold(),
                name=name,
                email=None,
                avatar=None,
                site_admin=site_admin,
            )
            return await self._login(connection, user, family=uuid4())

    async def refresh(self, token: str) -> Login:
        """Spend a refresh token for a new pair. One that was spent before takes its whole family with it."""
        hashed = hash_token(token)
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                used = await tokens.use(connection, hashed)
                user = None if used is None else await users.by_id(connection, used.user_id)
                if used is not None and user is not None:
                    return await self._login(connection, user, family=used.family)
            await tokens.revoke_family_of(connection, hashed)
        raise Problem(401, "Invalid refresh token")

    async def _login(self, connection: object, user: User, *, family: UUID) -> Login:
        refresh = REFRESH_PREFIX + secrets.token_urlsafe(32)
        await tokens.add(connection, hash_token(refresh), family=family, user_id=user.id, life=self._refresh_life)
        token, expires = self._access.issue(user.id)
        return Login(user, token, refresh, expires)


def hash_token(token: str) -> bytes:
    """256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
