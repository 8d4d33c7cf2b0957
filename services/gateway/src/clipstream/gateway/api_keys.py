"""Personal API keys, for recorders and scripts: what their owner may do, as far as their scopes go. The key itself is
shown once and stored as its hash; only the answer to a request with an Idempotency-Key is kept, encrypted, for a day."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from uuid import UUID, uuid4

from asyncpg import Pool, Record

from clipstream.gateway.access import Access, Scope, refusal
from clipstream.gateway.auth import KEY_PREFIX, hash_token
from clipstream.gateway.problems import Problem, invalid_token
from clipstream.gateway.repository import keys, users

MOST = 50
HINT_LENGTH = len(KEY_PREFIX) + 4  # tells 16 million keys apart and leaves 232 bits to guess


async def create(
    pool: Pool, owner_id: UUID, *, name: str, scopes: Collection[Scope], expires_at: datetime | None
) -> tuple[str, Record]:
    """A new key and its row. 403 where its owner may not give a scope, 409 where they have too many."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    async with pool.acquire() as connection, connection.transaction():
        owner = await users.lock(connection, owner_id)
        if owner is None:
            raise invalid_token()
        if "admin" in scopes and not owner.site_admin:
            raise Problem(403, refusal(Access.SITE_ADMIN) or "")
        if await keys.live_count(connection, owner_id) >= MOST:
            raise Problem(409, "Too many API keys", [f"at most {MOST} can be used at a time: delete one first"])
        row = await keys.add(
            connection,
            uuid4(),
            user_id=owner_id,
            name=name,
            hint=key[:HINT_LENGTH],
            hashed=hash_token(key),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
        )
    return key, row
