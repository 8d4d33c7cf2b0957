"""`.run/endpoints.json`: where a run can be reached. There while it is up and healthy, never half written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipstream.standalone.identity import write_private
from clipstream.standalone.plan import Site, storage, vectors
from clipstream.standalone.service import Service


def describe(site: Site, services: list[Service]) -> dict[str, Any]:
    """What goes into the file. Addresses carry their credentials: it is private."""
    given: Mapping[str, str] = {**site.operator, **storage(site), **vectors(site)}
    directory = given.get("STORAGE_ROOT")
    return {
        "gateway": site.gateway,
        "metrics": f"{site.internal('gateway')}/metrics",
        "amqp": site.amqp_url,
        "database": site.database_url,
        "storage": Path(directory).absolute().as_uri()
        if directory
        else given.get("MEDIA_PROXY_URL") or given.get("S3_ENDPOINT_URL") or given.get("MINIO_ENDPOINT", "s3:"),
        "vectors": given.get("QDRANT_URL") or given["VECTORS_URL"],
        "services": {
            service.name: {"health": service.health, "metrics": service.health.removesuffix("health") + "metrics"}
            for service in services
        },
    }


def publish(path: Path, site: Site, services: list[Service]) -> None:
    write_private(path, json.dumps(describe(site, services), indent=2))


def read(path: Path) -> dict[str, Any] | None:
    """The endpoints of the run that is up; None where none is."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return found
