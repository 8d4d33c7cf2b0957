"""Who one is at which server, kept from one command to the next, in a file that only its owner can read.

Commands that run at once share a login: the renewal of its tokens is one at a time, under a lock beside the file.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock
from platformdirs import user_config_path
from pydantic import BaseModel, Field, ValidationError

from clipstream.client.credentials import ApiKey, Credentials, Login, Nobody
from clipstream.client.errors import ClipstreamError
from clipstream.client.models import Tokens

RENEWAL_S = 60.0  # longer than any renewal takes


class KeptLogin(BaseModel):
    kind: Literal["login"] = "login"
    name: str
    tokens: Tokens


class KeptKey(BaseModel):
    kind: Literal["key"] = "key"
    key: str


class Kept(BaseModel):
    """The file. `server` is the one that was logged in to last."""

    server: str | None = None
    servers: dict[str, KeptLogin | KeptKey] = Field(default_factory=dict)


class CredentialsFile:
    """Raises `OSError`, and `ClipstreamError` where the file is not ours."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or user_config_path("clipstream") / "credentials.json"
        # It is waited for in one thread and given back in another.
        self.lock = FileLock(self.path.with_suffix(".lock"), mode=0o600, thread_local=False)

    def read(self) -> Kept:
        try:
            return Kept.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Kept()
        except ValidationError as error:
            raise ClipstreamError(f"{self.path} cannot be read. Delete it, and log in again.") from error

    def put(self, server: str, entry: KeptLogin | KeptKey) -> None:
        """Now the one to use at that server, which is now the one to use."""
        self._make_room()
        with self.lock:
            kept = self.read()
            kept.servers[server], kept.server = entry, server
            self._write(kept)

    def remove(self, server: str) -> None:
        self._make_room()
        with self.lock:
            kept = self.read()
            kept.servers.pop(server, None)
            if kept.server == server:
                kept.server = next(iter(kept.servers), None)
            self._write(kept)

    def credentials(self, server: str) -> Credentials:
        entry = self.read().servers.get(server)
        if isinstance(entry, KeptKey):
            return ApiKey(entry.key)
        return Nobody() if entry is None else Login(entry.tokens, KeptTokens(self, server))

    def replace_tokens(self, server: str, tokens: Tokens) -> None:
        """Under the lock."""
        kept = self.read()
        entry = kept.servers.get(server)
        if isinstance(entry, KeptLogin):  # else it was logged out meanwhile
            kept.servers[server] = entry.model_copy(update={"tokens": tokens})
            self._write(kept)

    def _make_room(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _write(self, kept: Kept) -> None:
        """Whole or not at all; `mkstemp` makes files of mode 0600."""
        handle, unfinished = tempfile.mkstemp(dir=self.path.parent, prefix=".credentials")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(kept.model_dump_json(indent=2) + "\n")
                out.flush()
                os.fsync(out.fileno())
            Path(unfinished).replace(self.path)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise


class KeptTokens:
    """The keeper of one login in the file."""

    def __init__(self, file: CredentialsFile, server: str) -> None:
        self._file = file
        self._server = server

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self._file.lock.acquire, RENEWAL_S)
        try:
            yield
        finally:
            self._file.lock.release()

    def load(self) -> Tokens | None:
        entry = self._file.read().servers.get(self._server)
        return entry.tokens if isinstance(entry, KeptLogin) else None

    def save(self, tokens: Tokens) -> None:
        self._file.replace_tokens(self._server, tokens)
