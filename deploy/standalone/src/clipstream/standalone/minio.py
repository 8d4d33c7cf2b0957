"""A private MinIO server, built from its last source. For tests and measurements: standalone runs keep media on disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar

from clipstream.standalone import golang
from clipstream.standalone.environment import plain
from clipstream.standalone.errors import CannotFetch
from clipstream.standalone.placing import place
from clipstream.standalone.server import Server

MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
TARGET = "CLIP"  # the notification target's id: rules name it as arn:minio:sqs::CLIP:amqp


def installation(tools: Path) -> Path:
    """The program, built now if this is the first time (minutes)."""
    try:
        place(tools / "minio", lambda draft: golang.build(MODULE, draft, tools))
    except CannotFetch as reason:
        raise CannotFetch(
            f"MinIO cannot be built: {reason}. Set S3_ENDPOINT_URL to a running S3 server instead."
        ) from reason
    return tools / "minio/bin/minio"


class MinIO(Server):
    """One server over one directory. With `amqp_url` it announces objects to an exchange, in the one combination of
    settings that loses no announcement of an acknowledged upload, through restarts of either side."""

    name: ClassVar[str] = "MinIO"
    executables: ClassVar[frozenset[str]] = frozenset({"minio"})
    port_names: ClassVar[tuple[str, ...]] = ("s3",)

    def __init__(
        self,
        home: Path,
        tools: Path,
        *,
        amqp_url: str | None = None,
        exchange: str = "clipstream.storage",
        routing_key: str = "storage.minio",
    ) -> None:
        super().__init__(home, tools)
        self._amqp_url, self._exchange, self._routing_key = amqp_url, exchange, routing_key

    @property
    def url(self) -> str:
        """The S3 endpoint; credentials are `access_key` and `secret_key`."""
        return f"http://127.0.0.1:{self.identity.ports['s3']}"

    @property
    def access_key(self) -> str:
        return self.identity.user

    @property
    def secret_key(self) -> str:
        return self.identity.password

    @property
    def arn(self) -> str:
        """What a bucket's notification rule names as its queue."""
        return f"arn:minio:sqs::{TARGET}:amqp"

    def _launch(self) -> subprocess.Popen[bytes]:
        self._set_damaged_events_aside()
        data = self.home / "data"
        data.mkdir(exist_ok=True)
        address = f"127.0.0.1:{self.identity.ports['s3']}"
        return self._spawn(
            [str(installation(self.tools)), "server", "--address", address, str(data)], self._environment()
        )

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/minio/health/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def _events(self) -> Path:
        return self.home / "events"

    def _environment(self) -> dict[str, str]:
        environment = plain(self.home) | {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_BROWSER": "off",  # else its console listens on every interface
            "MINIO_UPDATE": "off",
            "MINIO_SYNC_BOOT": "on",  # no upload is accepted before the rules are loaded
            "MINIO_API_SYNC_EVENTS": "on",
        }
        if self._amqp_url is None:
            return environment
        target = {
            "ENABLE": "on",
            "URL": self._amqp_url,
            "EXCHANGE": self._exchange,
            "EXCHANGE_TYPE": "topic",
            "ROUTING_KEY": self._routing_key,
            "DURABLE": "on",
            "DELIVERY_MODE": "2",
            "PUBLISHING_CONFIRMS": "on",
            "QUEUE_DIR": str(self._events),
            "QUEUE_LIMIT": "100000",
        }
        return environment | {f"MINIO_NOTIFY_AMQP_{name}_{TARGET}": value for name, value in target.items()}

    def _set_damaged_events_aside(self) -> None:
        """A queued event that a power cut left damaged blocks all later ones, and NUL bytes keep the server from
        starting at all. What they announced is found again by a scan of the bucket."""
        for path in (self._events / f"minio-amqp-{TARGET}").glob("*"):
            if not _is_event(path):
                aside = self.home / "events-damaged"
                aside.mkdir(exist_ok=True)
                shutil.move(path, aside / path.name)


def _is_event(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, OSError):
        return False
