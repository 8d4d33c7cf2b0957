"""Signing in and out, who one is, and API keys for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from clipstream.client.models import (
    AccountDetails,
    CreatedKey,
    DevLogin,
    KeyItem,
    KeyList,
    NewKey,
    Presented,
    SignedIn,
    Verify,
)
from clipstream.client.paging import pages
from clipstream.client.transport import Transport

Scope = Literal["read", "upload", "write", "admin"]


class Accounts:
    """Logins. These calls only tell; `Client.sign_in…` makes use of what they answer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def verify(self, id_token: str, nonce: str | None = None) -> SignedIn:
        """Sign in with an ID token of the issuer that the server trusts."""
        body = Verify(id_token=id_token, nonce=nonce)
        return await self._transport.ask(SignedIn, "POST", "/auth/verify", body=body, signed=False)

    async def development(self, name: str, *, admin: bool | None = None) -> SignedIn:
        """Sign in by name alone, where the server was started for development."""
        body = DevLogin(name=name, admin=admin)
        return await self._transport.ask(SignedIn, "POST", "/auth/dev", body=body, signed=False)

    async def log_out(self, refresh_token: str) -> None:
        body = Presented(refresh_token=refresh_token)
        await self._transport.send("POST", "/auth/logout", body=body, signed=False, repeatable=True)

    async def me(self) -> AccountDetails:
        return await self._transport.ask(AccountDetails, "GET", "/auth/user")


class Keys:
    """API keys of whoever is signed in. A key cannot look at keys or make any."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, name: str, scopes: Sequence[Scope], expires_at: datetime | None = None) -> CreatedKey:
        """The answer is the only place where the key stands, so this is never sent twice."""
        body = NewKey(name=name, scopes=list(scopes), expires_at=expires_at)
        return await self._transport.ask(CreatedKey, "POST", "/auth/keys", body=body)

    async def delete(self, key_id: UUID) -> None:
        await self._transport.send("DELETE", f"/auth/keys/{key_id}")

    def list(self) -> AsyncIterator[KeyItem]:
        return pages(self._transport, KeyList, lambda page: page.keys, "/auth/keys")
