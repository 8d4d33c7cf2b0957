"""Streams, who belongs to them, and the codes by which others join."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Literal
from urllib.parse import quote
from uuid import UUID

from clipstream.client.live import StreamEvent, watch_stream
from clipstream.client.models import (
    Invitation,
    Invite,
    InviteChanges,
    InviteDetails,
    InviteList,
    Joined,
    Member,
    MemberList,
    NewInvite,
    NewOwner,
    NewRole,
    NewStream,
    Stream,
    StreamChanges,
    StreamDetails,
    StreamItem,
    StreamList,
)
from clipstream.client.paging import pages
from clipstream.client.transport import Transport

Role = Literal["admin", "creator", "viewer"]


class Streams:
    """The streams of whoever asks."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, name: str, description: str = "") -> Stream:
        body = NewStream(name=name, description=description)
        return await self._transport.ask(Stream, "POST", "/streams", body=body, creates=True)

    async def get(self, stream_id: UUID) -> StreamDetails:
        return await self._transport.ask(StreamDetails, "GET", f"/streams/{stream_id}")

    async def change(
        self, stream_id: UUID, *, name: str | None = None, description: str | None = None
    ) -> StreamDetails:
        """What is None stays."""
        body = StreamChanges(name=name, description=description)
        return await self._transport.ask(StreamDetails, "PUT", f"/streams/{stream_id}", body=body)

    async def delete(self, stream_id: UUID) -> None:
        """With all its videos and everything that was made of them."""
        await self._transport.send("DELETE", f"/streams/{stream_id}")

    async def transfer(self, stream_id: UUID, user_id: UUID) -> StreamDetails:
        """Another member becomes the owner."""
        path, body = f"/streams/{stream_id}/transfer", NewOwner(user_id=user_id)
        return await self._transport.ask(StreamDetails, "POST", path, body=body)

    def events(self, stream_id: UUID) -> AsyncGenerator[StreamEvent, None]:
        """What happens in the stream from now on, for as long as it is read."""
        return watch_stream(self._transport, stream_id)

    def list(self) -> AsyncIterator[StreamItem]:
        return pages(self._transport, StreamList, lambda page: page.streams, "/streams")


class Members:
    """Who belongs to a stream, and as what."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def change(self, stream_id: UUID, user_id: UUID, role: Role) -> Member:
        path = f"/streams/{stream_id}/members/{user_id}"
        return await self._transport.ask(Member, "PUT", path, body=NewRole(role=role))

    async def remove(self, stream_id: UUID, user_id: UUID) -> None:
        """Somebody else, or oneself: then it is leaving."""
        await self._transport.send("DELETE", f"/streams/{stream_id}/members/{user_id}")

    def list(self, stream_id: UUID) -> AsyncIterator[Member]:
        return pages(self._transport, MemberList, lambda page: page.members, f"/streams/{stream_id}/members")


class Invites:
    """Codes. Made and looked after by a stream's admins, used by anybody who was given one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        stream_id: UUID,
        role: Literal["creator", "viewer"],
        *,
        expires_in_s: int | None = None,
        usage_limit: int | None = None,
    ) -> Invite:
        body = NewInvite(role=role, expires_in=expires_in_s, usage_limit=usage_limit)
        return await self._transport.ask(Invite, "POST", f"/streams/{stream_id}/invites", body=body, creates=True)

    async def get(self, stream_id: UUID, code: str) -> InviteDetails:
        return await self._transport.ask(InviteDetails, "GET", f"/streams/{stream_id}/invites/{_safe(code)}")

    async def change(self, stream_id: UUID, code: str, changes: InviteChanges) -> InviteDetails:
        """What `changes` does not name stays; null there removes the expiry or the limit."""
        path = f"/streams/{stream_id}/invites/{_safe(code)}"
        return await self._transport.ask(InviteDetails, "PUT", path, body=changes, nulls=True)

    async def delete(self, stream_id: UUID, code: str) -> None:
        await self._transport.send("DELETE", f"/streams/{stream_id}/invites/{_safe(code)}")

    async def look(self, code: str) -> Invitation:
        """Where a code leads, for anybody who was sent one."""
        return await self._transport.ask(Invitation, "GET", f"/invites/{_safe(code)}", signed=False)

    async def join(self, code: str) -> Joined:
        return await self._transport.ask(Joined, "POST", f"/invites/{_safe(code)}/join", creates=True)

    def list(self, stream_id: UUID) -> AsyncIterator[InviteDetails]:
        return pages(self._transport, InviteList, lambda page: page.invites, f"/streams/{stream_id}/invites")


def _safe(code: str) -> str:
    return quote(code, safe="")
