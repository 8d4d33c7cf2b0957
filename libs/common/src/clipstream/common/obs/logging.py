"""Logs: one JSON object a line on standard output, times in UTC, whatever library wrote it."""

from __future__ import annotations

import logging
import sys

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.types import EventDict, Processor, WrappedLogger

_TALKATIVE = {
    "aio_pika": logging.CRITICAL,  # calls each failed reconnect an error; the bus tells the same in its own words
    "aiormq": logging.CRITICAL,
    "aiobotocore": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "botocore": logging.WARNING,
}


def configure(service: str, level: str = "INFO") -> None:
    """Send everything that is logged in this process, ours and other libraries', to standard output."""

    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer()
    structlog.configure(  # straight to the stream: the way through the standard library's handlers costs ten times as much
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("event"),
                render,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    logging.getLogger("aiohttp.server").addFilter(_without_the_request)


def _without_the_request(record: logging.LogRecord) -> bool:
    """Of a request that is no HTTP aiohttp logs the line it stumbled over, which can hold a token or a signed path. Only
    that there was one is logged, and as no error of ours."""
    if record.exc_info and isinstance(fault := record.exc_info[1], HttpProcessingError):
        record.msg, record.args, record.exc_info = "malformed_request: %s", (type(fault).__name__,), None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
