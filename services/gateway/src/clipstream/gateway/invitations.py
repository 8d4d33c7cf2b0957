"""Codes that let others join a stream: made, changed, and spent exactly as often as they may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Pool, Record

from clipstream.gateway.auth import hash_token
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import invites, members, streams
from clipstream.gateway.signing import make_code

PURPOSE = "invite"


def code_of(secret: str, invite_id: UUID) -> str:
    return make_code(secret, PURPOSE, invite_id)


def unknown_code() -> Problem:
    """The same for a code that never was, was deleted, belongs to another stream, or whose maker is no admin any more."""
    return Problem(404, "Invalid invite code")


async def make(
    pool: Pool,
    secret: str,
    *,
    stream_id: UUID,
    role: str,
    created_by: UUID,
    expires_at: datetime | None,
    usage_limit: int | None,
) -> Record:
    invite_id = uuid4()
    async with pool.acquire() as connection, connection.transaction():
        if not await streams.hold_open(connection, stream_id):
            raise Problem(404, "Stream not found")
        return await invites.create(
            connection,
            invite_id,
            stream_id=stream_id,
            hashed=hash_token(code_of(secret, invite_id)),
            role=role,
            created_by=created_by,
            expires_at=expires_at,
            usage_limit=usage_limit,
        )


async def change(pool: Pool, *, stream_id: UUID, code: str, changes: Mapping[str, Any]) -> Record:
    """The invite as it is now. `changes` may hold `role`, `expires_at` and `usage_limit`."""
    hashed = hash_token(code)
    async with pool.acquire() as connection, connection.transaction():
        held = await invites.hold(connection, hashed)
        if held is None or held["stream_id"] != stream_id:
            raise unknown_code()
        new = {name: changes.get(name, held[name]) for name in ("role", "expires_at", "usage_limit")}
        if new["usage_limit"] is not None and new["usage_limit"] < held["used_count"]:
            used = f"usage_limit: {held['used_count']} have joined with it already"
            raise Problem(400, "Invalid invite parameters", [used])
        await invites.change(connection, held["id"], **new)
        return await invites.by_hash(connection, hashed)


async def join(pool: Pool, *, code: str, user_id: UUID) -> tuple[UUID, str, datetime]:
    """Stream, role and time of the new member. A join that is refused costs no use.

    Locks in the order of all commands: first the stream, which must not be deleted meanwhile, then the invite.
    """
    hashed = hash_token(code)
    async with pool.acquire() as connection, connection.transaction():
        seen = await invites.by_hash(connection, hashed)
        if seen is None or not await streams.hold_open(connection, seen["stream_id"]):
            raise unknown_code()
        invite = await invites.hold(connection, hashed)
        if invite is None or not invite["good"]:
            raise unknown_code()
        stream_id: UUID = invite["stream_id"]
        if await members.by_id(connection, stream_id, user_id) is not None:
            raise _already_member()
        if invite["expired"]:
            raise Problem(400, "Invite expired")
        if invite["used_up"]:
            raise Problem(400, "Usage limit exceeded")
        joined_at = await members.add(connection, stream_id, user_id, invite["role"])
        if joined_at is None:  # by another invite, at the same time
            raise _already_member()
        await invites.spend(connection, invite["id"])
        return stream_id, invite["role"], joined_at


def _already_member() -> Problem:
    return Problem(409, "Already a member of this stream")
