"""How a server process begins: its address taken first, its settings told wrong in a sentence."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import structlog
from pydantic import ValidationError

from clipstream.common.errors import ClipstreamError
from clipstream.common.obs.logging import configure
from clipstream.common.settings import ServiceSettings

S = TypeVar("S", bound=ServiceSettings)


def listen(host: str, port: int) -> socket.socket:
    """The public address, taken before anything else starts: another process there is noticed at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=256)
    listening.setblocking(False)
    return listening


def start(service: str, read: Callable[[], S], run: Callable[[S], Awaitable[int]]) -> NoReturn:
    """Run a service with its settings, and end the process with the status it returns."""
    try:
        settings = read()
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, f['loc'])) or 'settings'}: {f['msg']}" for f in error.errors(include_input=False)
        )
        sys.exit(f"The {service} does not start: {'; '.join(faults)}")
    configure(service, settings.log_level)

    async def serve() -> int:
        return await run(settings)

    try:
        sys.exit(asyncio.run(serve()))
    except (ClipstreamError, OSError) as error:
        structlog.get_logger(__name__).critical(f"{service}_failed", reason=str(error))
        sys.exit(1)
