"""Who asks: nobody, a program with an API key, or somebody's login, whose short access token is renewed when it is refused.

A refresh token is good for one renewal, and using a spent one ends the login. So one renewal runs at a time; where a login
is kept outside this process, its `Keeper` sees to that across processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from clipstream.client.models import Tokens

Renew = Callable[[str], Awaitable[Tokens]]  # spends a refresh token


class Credentials(Protocol):
    @property
    def bearer(self) -> str | None:
        """What stands in `Authorization: Bearer`."""

    async def renewed(self, refused: str, renew: Renew) -> bool:
        """The server refused `refused`: is there another one by now?"""


class Nobody:
    """For what is public."""

    bearer = None

    async def renewed(self, refused: str, renew: Renew) -> bool:
        return False


class ApiKey:
    """A personal API key, `csk_…`."""

    def __init__(self, key: str) -> None:
        self.bearer: str | None = key

    async def renewed(self, refused: str, renew: Renew) -> bool:
        return False


class Keeper(Protocol):
    """Where a login is kept that several processes use."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Nobody else renews meanwhile."""

    def load(self) -> Tokens | None: ...

    def save(self, tokens: Tokens) -> None: ...


class Unkept:
    """A login of this process alone."""

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        yield

    def load(self) -> Tokens | None:
        return None

    def save(self, tokens: Tokens) -> None:
        return


class Login:
    """Somebody who signed in."""

    def __init__(self, tokens: Tokens, keeper: Keeper | None = None) -> None:
        self.tokens = tokens
        self._keeper = keeper or Unkept()
        self._turn = asyncio.Lock()

    @property
    def bearer(self) -> str | None:
        return self.tokens.app_token

    async def renewed(self, refused: str, renew: Renew) -> bool:
        async with self._turn:
            if self.tokens.app_token != refused:
                return True
            async with self._keeper.exclusive():
                kept = self._keeper.load()
                if kept is not None and kept.app_token != refused:
                    self.tokens = kept
                    return True
                if self.tokens.refresh_token is None:
                    return False
                self.tokens = await renew(self.tokens.refresh_token)
                self._keeper.save(self.tokens)
                return True
