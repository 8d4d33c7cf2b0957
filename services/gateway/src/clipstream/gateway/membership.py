"""Who belongs to a stream: changes of roles, leaving, and the owner's place.

The owner is always a member and an admin; so a stream never loses its last admin, whoever acts at once. Every command
holds the stream's row and asks again, under that lock, whether the caller may: of two admins who remove each other, one
is no longer an admin when their turn comes.

Who may no longer upload has begun to for nothing: addresses that were signed before still take files, so the videos that
wait for these go at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Connection, Pool, Record

from clipstream.gateway import access
from clipstream.gateway.access import Access, Role
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import members, streams
from clipstream.gateway.stream_commands import tell_deleted


async def change_role(
    pool: Pool, *, stream_id: UUID, user_id: UUID, role: Role, by: UUID
) -> tuple[Record, Sequence[UUID]]:
    """The member with their new role, and the ids of videos that went with the old one."""
    async with pool.acquire() as connection, connection.transaction():
        await streams.hold(connection, stream_id)
        await access.to_stream(connection, Access.ADMIN, stream_id, by)
        member = await _member(connection, stream_id, user_id)
        if member["owner"] and role != "admin":
            raise _owner_stays()
        await members.set_role(connection, stream_id, user_id, role)
        gone = await _end_uploads(connection, stream_id, user_id) if role == "viewer" else ()
        return await _member(connection, stream_id, user_id), gone


async def remove(pool: Pool, *, stream_id: UUID, user_id: UUID, by: UUID) -> Sequence[UUID]:
    """A member leaves, or an admin removes them; the ids of videos that went with them."""
    async with pool.acquire() as connection, connection.transaction():
        await streams.hold(connection, stream_id)
        await access.to_stream(connection, Access.ONESELF, stream_id, by, named=user_id)
        if (await _member(connection, stream_id, user_id))["owner"]:
            raise _owner_stays()
        await members.remove(connection, stream_id, user_id)
        return await _end_uploads(connection, stream_id, user_id)


async def transfer(pool: Pool, *, stream_id: UUID, to: UUID, by: UUID) -> None:
    """Another member becomes the owner, and an admin with it; who was the owner stays an admin."""
    async with pool.acquire() as connection, connection.transaction():
        await streams.hold(connection, stream_id)
        await access.to_stream(connection, Access.OWNER, stream_id, by)
        await _member(connection, stream_id, to)
        await members.set_role(connection, stream_id, to, "admin")
        await streams.set_owner(connection, stream_id, to)


async def _end_uploads(connection: Connection, stream_id: UUID, user_id: UUID) -> Sequence[UUID]:
    gone = await streams.delete_waiting(connection, stream_id, user_id)
    await tell_deleted(connection, stream_id, gone)
    return gone


async def _member(connection: Connection, stream_id: UUID, user_id: UUID) -> Record:
    member = await members.by_id(connection, stream_id, user_id)
    if member is None:
        raise Problem(404, "Member not found")
    return member


def _owner_stays() -> Problem:
    return Problem(409, "A stream needs an admin", ["its owner stays one until the stream is transferred to another"])
