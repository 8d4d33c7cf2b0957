"""Signing in and staying signed in, over the users and refresh tokens in the database. A login is a family of refresh
tokens, rotated at every use: when one comes back that was spent before, somebody else may hold it, and the login ends
(RFC 9700 4.14). Every command locks the user's row first, so that of several at once each sees what the others did."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from asyncpg import Connection, Pool

from clipstream.common.db.errors import map_database_errors
from clipstream.gateway.auth import AccessTokens, hash_token
from clipstream.gateway.oidc import Identity, invalid_id_token
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import tokens, users
from clipstream.gateway.repository.users import DEVELOPMENT, User

REFRESH_PREFIX = "csr_"
GRACE = timedelta(seconds=10)  # two tabs at once, or an answer lost on its way: no theft yet

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What a client gets when somebody has signed in or a login was renewed."""

    user: User
    app_token: str
    refresh_token: str
    expires_at: datetime


class Logins:
    """Sign-ins, their renewal and their end. `site_admins` are (issuer, subject)."""

    def __init__(
        self, pool: Pool, access: AccessTokens, refresh_life: timedelta, site_admins: Collection[tuple[str, str]]
    ) -> None:
        self._pool = pool
        self._access = access
        self._refresh_life = refresh_life
        self._site_admins = frozenset(site_admins)

    async def settle(self, *, development: bool) -> None:
        """At start: who runs the place is what the settings say, and without development login those whom it let in are
        out."""
        with map_database_errors():
            await self._settle(development=development)

    async def _settle(self, *, development: bool) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await users.set_site_admins(connection, self._site_admins):
                log.warning("site_admin_changed", **{name: str(value) for name, value in row.items()})
            if not development:
                await users.end_development(connection)

    async def local(self, name: str, *, site_admin: bool | None) -> Login:
        """Development login: anybody, by name. Unless it is said, who ran the place before still does."""
        async with self._pool.acquire() as connection, connection.transaction():
            user, _ = await users.sign_in(
                connection,
                uuid4(),
                issuer=DEVELOPMENT,
                subject=name.casefold(),
                name=name,
                email=None,
                avatar=None,
                site_admin=site_admin,
            )
            return await self._issue(connection, user, uuid4())

    async def verified(self, identity: Identity) -> Login:
        """Somebody whom an issuer vouches for. A nonce is good for one sign-in."""
        async with self._pool.acquire() as connection, connection.transaction():
            user, new = await users.sign_in(
                connection,
                uuid4(),
                issuer=identity.issuer,
                subject=identity.subject,
                name=identity.name,
                email=identity.email,
                avatar=identity.avatar,
                site_admin=True if (identity.issuer, identity.subject) in self._site_admins else None,
            )
            login_id = uuid4() if identity.nonce is None else _login_of(identity)
            if identity.nonce is not None and await tokens.family_exists(connection, login_id):
                raise invalid_id_token()
            login = await self._issue(connection, user, login_id)
        if new:  # the subject is what an operator writes into SITE_ADMINS
            log.info("user_created", user_id=str(user.id), issuer=identity.issuer, subject=identity.subject)
        return login

    async def refresh(self, token: str) -> Login:
        """Spend a refresh token for a new pair. 401 where it is not good any more."""
        hashed = hash_token(token)
        async with self._pool.acquire() as connection, connection.transaction():
            user = await _lock_owner(connection, hashed)
            found = None if user is None else await tokens.find(connection, hashed, grace=GRACE)
            if user is not None and found is not None:
                if await _may_rotate(connection, found):
                    return await self._issue(connection, user, found.family, instead_of=hashed)
                if found.spent and await tokens.revoke_family(connection, found.family):
                    log.warning("login_ended_by_reuse", user_id=str(user.id), login_id=str(found.family))
        raise Problem(401, "Invalid refresh token")

    async def end(self, token: str) -> None:
        """Log out with a refresh token, spent or not. Nothing happens where the login is over or never was."""
        hashed = hash_token(token)
        async with self._pool.acquire() as connection, connection.transaction():
            if await _lock_owner(connection, hashed) is not None:
                found = await tokens.find(connection, hashed, grace=GRACE)
                if found is not None:
                    await tokens.revoke_family(connection, found.family)

    async def end_login(self, user_id: UUID, login_id: UUID) -> None:
        """Log out with an access token, which names its login."""
        async with self._pool.acquire() as connection, connection.transaction():
            if await users.lock(connection, user_id) is not None:
                await tokens.revoke_family(connection, login_id)

    async def _issue(
        self, connection: Connection, user: User, login_id: UUID, *, instead_of: bytes | None = None
    ) -> Login:
        refresh = REFRESH_PREFIX + secrets.token_urlsafe(32)
        hashed = hash_token(refresh)
        if instead_of is not None:
            await tokens.spend(connection, instead_of, successor=hashed)
        await tokens.add(connection, hashed, family=login_id, user_id=user.id, life=self._refresh_life)
        token, expires = self._access.issue(user.id, login_id)
        return Login(user, token, refresh, expires)


async def _lock_owner(connection: Connection, hashed: bytes) -> User | None:
    user_id = await tokens.owner(connection, hashed)
    return None if user_id is None else await users.lock(connection, user_id)


async def _may_rotate(connection: Connection, found: tokens.Found) -> bool:
    """A token that can be used; or one spent a moment ago whose successor nobody has used, which dies for it."""
    if found.usable:
        return True
    return found.fresh and found.successor is not None and await tokens.revoke_unused(connection, found.successor)


def _login_of(identity: Identity) -> UUID:
    """One id for each nonce, so that a second sign-in with it meets the first."""
    text = "\0".join((identity.issuer, identity.subject, str(identity.nonce)))
    return UUID(bytes=hashlib.sha256(text.encode("utf-8", "replace")).digest()[:16])
