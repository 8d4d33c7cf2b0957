"""Which services a standalone run consists of, and the environment of each. Decides only, starts nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clipstream.standalone.errors import CannotStart
from clipstream.standalone.service import Service

STAGES = ("ingest", "dedupe", "transcode", "stt", "embed", "search")
_WITH_DATABASE = frozenset({"gateway", "dedupe", "search"})
_FIRST_GATEWAY_PORT = 8080
_LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 108
DEMO_SPEECH_MODEL = "models/demo-whisper-tts-227w"
FRAME_MODEL = "models/frame-descriptor-v1"

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Site:
    """Where a run lives and what it stands on. `operator` is the environment that the operator gave; it always wins."""

    root: Path
    operator: Environment
    amqp_url: str
    database_url: str
    secrets: Mapping[str, str]
    ports: Mapping[str, int]
    scale: Mapping[str, int]
    demo: bool = False

    @property
    def directory(self) -> Path:
        return self.root / ".run"

    def internal(self, name: str) -> str:
        """The internal address of a process: health and metrics, for search also queries."""
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def gateway(self) -> str:
        """The API's address on this machine."""
        return f"http://127.0.0.1:{self.ports['public']}"


def names(operator: Environment, scale: Mapping[str, int]) -> list[str]:
    """The processes of a run, in the order of starting."""
    vectors = [] if "QDRANT_URL" in operator or "VECTORS_URL" in operator else ["vectors"]
    stages = [name for stage in STAGES for name in _copies(stage, scale.get(stage, 1))]
    return [*vectors, "gateway", *stages]


def wished_ports(operator: Environment, known: Mapping[str, int]) -> dict[str, int]:
    """Ports to prefer: those of the last run, and for the API the operator's or the usual one."""
    wished = {"public": _FIRST_GATEWAY_PORT, **known}
    given = operator.get("GATEWAY_PORT")
    if given is not None:
        if not given.isdigit():
            raise CannotStart(f"GATEWAY_PORT is {given!r}, which is not the number of a port.")
        wished["public"] = int(given)
    return wished


def services(site: Site) -> list[Service]:
    """Every service of the run."""
    return [_service(site, name) for name in names(site.operator, site.scale)]


def storage(site: Site) -> dict[str, str]:
    """Where media goes: to the S3 server or the media proxy that the operator names, else to a directory of the run."""
    given = site.operator
    on_s3 = {"S3_ENDPOINT_URL", "MINIO_ENDPOINT"} & given.keys() or {
        "S3_BUCKET_NAME",
        "AWS_ACCESS_KEY_ID",
    } <= given.keys()
    return (
        {}
        if on_s3 or {"STORAGE_ROOT", "MEDIA_PROXY_URL"} & given.keys()
        else {"STORAGE_ROOT": str(site.directory / "media")}
    )


def vectors(site: Site) -> dict[str, str]:
    """Where vectors go: to the engine that the operator names, else to the run's own process."""
    if "vectors" not in site.ports:
        return {}
    socket = site.directory / "vectors.sock"
    if len(str(socket).encode()) <= _LONGEST_SOCKET_PATH:
        return {"VECTORS_URL": f"unix:{socket}"}
    return {
        "VECTORS_URL": f"tcp://127.0.0.1:{site.ports['vectors socket']}",
        "VECTORS_TOKEN": site.secrets["VECTORS_TOKEN"],
    }


def _service(site: Site, name: str) -> Service:
    kind = name.partition("-")[0]
    module = "clipstream.common.vectors.edge_server" if kind == "vectors" else f"clipstream.{kind}.main"
    return Service(
        name=name,
        command=(sys.executable, "-m", module),
        environment={**_defaults(site, kind), **site.operator, **_facts(site, name, kind)},
        health=f"{site.internal(name)}/health",
        tier=0 if kind == "vectors" else 1,
    )


def _defaults(site: Site, kind: str) -> dict[str, str]:
    """What the operator may have chosen otherwise."""
    defaults = {"SCRATCH_DIR": str(site.directory / "scratch"), **storage(site)}
    if kind == "embed":
        defaults["EMBED_MODEL"] = str(site.root / FRAME_MODEL)
    if kind == "stt" and site.demo:
        defaults["STT_MODEL"] = str(site.root / DEMO_SPEECH_MODEL)
    if kind == "gateway" and "PUBLIC_API_URL" not in site.operator:
        defaults["DEV_LOGIN"] = "on"
    if kind == "vectors":
        defaults["VECTORS_DIR"] = str(site.directory / "vectors")
    return defaults


def _facts(site: Site, name: str, kind: str) -> dict[str, str]:
    """What holds in this run. Each secret goes to those only that need it."""
    facts = {
        "INTERNAL_HOST": "127.0.0.1",
        "INTERNAL_PORT": str(site.ports[name]),
        "PYTHONUNBUFFERED": "1",
        **vectors(site),
    }
    if kind != "vectors":
        facts["AMQP_URL"] = site.amqp_url
    if kind in _WITH_DATABASE:
        facts["DATABASE_URL"] = site.database_url
    if kind in {"gateway", "search"}:
        facts["INTERNAL_TOKEN"] = site.secrets["INTERNAL_TOKEN"]
    if kind == "gateway":
        facts |= {
            "GATEWAY_PORT": str(site.ports["public"]),
            "SEARCH_URL": site.internal("search"),
            "SECRET_KEY": site.secrets["SECRET_KEY"],
        }
    return facts


def _copies(stage: str, count: int) -> list[str]:
    return [stage] + [f"{stage}-{number}" for number in range(2, count + 1)]
