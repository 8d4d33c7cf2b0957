"""The client: one server, one caller, all that can be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import aiohttp
from yarl import URL

from clipstream.client.accounts import Accounts, Keys
from clipstream.client.bookmarks import Bookmarks
from clipstream.client.credentials import Credentials, Keeper, Login, Nobody
from clipstream.client.delivery import Delivery, OnProgress, Progress
from clipstream.client.errors import Unreachable
from clipstream.client.files import LocalFile
from clipstream.client.models import SearchResult, SignedIn, Suggestions, Tokens
from clipstream.client.patience import Patience
from clipstream.client.sending import Sending, Sent
from clipstream.client.shares import Shares
from clipstream.client.streams import Invites, Members, Streams
from clipstream.client.transport import TIMEOUT, Transport, refused
from clipstream.client.uploads import Uploads
from clipstream.client.videos import Videos


class Client:
    """Every method raises `ApiError` where the server refuses and `Unreachable` where it does not answer.

    What can be repeated without harm is repeated when the server is busy or the connection fails; what creates something
    carries an Idempotency-Key, so that it is created once.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        server: str | URL,
        credentials: Credentials | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._session = session
        self.transport = transport = Transport(session, server, credentials, patience)
        self.accounts = Accounts(transport)
        self.keys = Keys(transport)
        self.streams = Streams(transport)
        self.members = Members(transport)
        self.invites = Invites(transport)
        self.videos = Videos(transport)
        self.uploads = Uploads(transport)
        self.shares = Shares(transport)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, server: str | URL, credentials: Credentials | None = None, patience: Patience | None = None
    ) -> AsyncIterator[Client]:
        """A client with a session of its own. Nothing is asked yet."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield cls(session, server, credentials, patience)

    # --- who asks -------------------------------------------------------------------------------------------------------

    async def sign_in(self, id_token: str, keeper: Keeper | None = None) -> SignedIn:
        """From now on this client asks as whom the issuer vouches for."""
        return self._use(await self.accounts.verify(id_token), keeper)

    async def sign_in_for_development(
        self, name: str, keeper: Keeper | None = None, *, admin: bool | None = None
    ) -> SignedIn:
        """From now on this client asks as a local user of that name."""
        return self._use(await self.accounts.development(name, admin=admin), keeper)

    def _use(self, signed_in: SignedIn, keeper: Keeper | None) -> SignedIn:
        self.transport.credentials = Login(Tokens.model_validate(signed_in.model_dump()), keeper)
        return signed_in

    async def sign_out(self) -> None:
        """End the login on the server, too. An API key stays good."""
        credentials = self.transport.credentials
        self.transport.credentials = Nobody()
        if isinstance(credentials, Login) and credentials.tokens.refresh_token is not None:
            await self.accounts.log_out(credentials.tokens.refresh_token)

    # --- finding --------------------------------------------------------------------------------------------------------

    async def search(
        self, words: str, *, stream_id: UUID | None = None, mode: str | None = None, page: int = 1
    ) -> SearchResult:
        """What was written or said, in which video, at which second."""
        query = {"q": words, "stream_id": None if stream_id is None else str(stream_id), "mode": mode, "page": page}
        return await self.transport.ask(SearchResult, "GET", "/search", query=query)

    async def suggestions(self, beginning: str, *, stream_id: UUID | None = None) -> Suggestions:
        query = {"q": beginning, "stream_id": None if stream_id is None else str(stream_id)}
        return await self.transport.ask(Suggestions, "GET", "/search/suggestions", query=query)

    # --- bytes ----------------------------------------------------------------------------------------------------------

    async def upload(
        self,
        stream_id: UUID,
        path: Path,
        *,
        title: str | None = None,
        check_known: bool = True,
        bookmarks: Bookmarks | None = None,
        on_progress: OnProgress | None = None,
    ) -> Sent:
        """Send a file into a stream; when this returns, its processing has begun.

        With `check_known` it is hashed first and not sent where the stream has it. With `bookmarks` an upload that was
        interrupted is gone on with. `on_progress` is called often and must be quick. Raises `FileChanged` and `OSError`
        beside what all methods raise.
        """
        file = await LocalFile.look(path)
        delivery = Delivery(self._session, self.transport.patience, file, Progress(file.size, on_progress))
        server = str(self.transport.base).rstrip("/")
        return await Sending(
            self.uploads, delivery, file, server, stream_id, title, check_known=check_known, bookmarks=bookmarks
        ).run()

    async def fetch(self, address: str) -> bytes:
        """The bytes at an address that the API gave out, without any credentials but the address's own."""
        url = URL(address, encoded=True) if "://" in address else self.transport.url(address)
        try:
            async with self._session.get(url, timeout=TIMEOUT) as response:
                if not response.ok:
                    raise await refused(response)
                return await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{url.host} does not answer ({error or type(error).__name__}).") from error
