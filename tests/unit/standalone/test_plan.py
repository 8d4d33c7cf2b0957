"""What a standalone run consists of, and what each of its services is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipstream.standalone import plan
from clipstream.standalone.endpoints import describe
from clipstream.standalone.errors import CannotStart
from clipstream.standalone.service import Service

_SECRETS = {"SECRET_KEY": "k" * 64, "INTERNAL_TOKEN": "i" * 64, "VECTORS_TOKEN": "v" * 64}


def _site(
    operator: dict[str, str] | None = None, *, root: str = "/srv/clipstream", demo: bool = False, **scale: int
) -> plan.Site:
    given = operator or {}
    ports = {
        name: number
        for number, name in enumerate(["public", "vectors socket", *plan.names(given, scale)], start=20_000)
    }
    return plan.Site(Path(root), given, "amqp://own", "postgresql://own", _SECRETS, ports, scale, demo)


def _services(site: plan.Site) -> dict[str, Service]:
    return {service.name: service for service in plan.services(site)}


def test_every_stage_runs_and_has_its_own_port() -> None:
    services = _services(_site())
    assert set(services) == {"vectors", "gateway", *plan.STAGES}
    ports = [service.environment["INTERNAL_PORT"] for service in services.values()]
    assert len(set(ports)) == len(ports)
    assert services["search"].health == f"http://127.0.0.1:{services['search'].environment['INTERNAL_PORT']}/health"
    assert services["gateway"].environment["SEARCH_URL"] + "/health" == services["search"].health


def test_vectors_start_before_and_stop_after_all_others() -> None:
    services = _services(_site())
    assert [name for name, service in services.items() if service.tier == 0] == ["vectors"]


def test_a_scaled_stage_runs_several_times() -> None:
    services = _services(_site(transcode=3))
    assert {"transcode", "transcode-2", "transcode-3"} <= set(services)
    assert {services[name].command[-1] for name in ("transcode", "transcode-3")} == {"clipstream.transcode.main"}


def test_each_secret_goes_to_those_only_that_need_it() -> None:
    services = _services(_site())
    holders = {
        secret: {name for name, service in services.items() if secret in service.environment}
        for secret in ("SECRET_KEY", "INTERNAL_TOKEN", "DATABASE_URL")
    }
    assert holders == {
        "SECRET_KEY": {"gateway"},
        "INTERNAL_TOKEN": {"gateway", "search"},
        "DATABASE_URL": {"gateway", "dedupe", "search"},
    }


def test_what_the_operator_names_replaces_ours() -> None:
    site = _site(
        {
            "QDRANT_URL": "http://q:6333",
            "S3_ENDPOINT_URL": "http://s3",
            "STT_MODEL": "large-v3",
            "TRANSCODE_PRESET": "slow",
        }
    )
    services = _services(site)
    assert "vectors" not in services
    assert all("STORAGE_ROOT" not in service.environment for service in services.values())
    assert all("VECTORS_URL" not in service.environment for service in services.values())
    assert services["stt"].environment["STT_MODEL"] == "large-v3"
    assert services["transcode"].environment["TRANSCODE_PRESET"] == "slow"


@pytest.mark.parametrize(
    ("operator", "on_disk"),
    [
        ({}, True),
        ({"AWS_ACCESS_KEY_ID": "somebody's, for something else"}, True),
        ({"AWS_ACCESS_KEY_ID": "a", "S3_BUCKET_NAME": "clips"}, False),
        ({"MINIO_ENDPOINT": "minio:9000"}, False),
        ({"MEDIA_PROXY_URL": "http://media:8081"}, False),
    ],
)
def test_media_stays_on_disk_unless_a_server_is_named(operator: dict[str, str], on_disk: bool) -> None:
    assert (plan.storage(_site(operator)) == {"STORAGE_ROOT": "/srv/clipstream/.run/media"}) is on_disk


def test_sign_in_by_name_ends_where_the_api_is_public() -> None:
    assert _services(_site())["gateway"].environment["DEV_LOGIN"] == "on"
    assert _services(_site({"DEV_LOGIN": "off"}))["gateway"].environment["DEV_LOGIN"] == "off"
    assert "DEV_LOGIN" not in _services(_site({"PUBLIC_API_URL": "https://clips.example"}))["gateway"].environment


def test_the_demo_model_is_never_chosen_outside_the_demo() -> None:
    assert "STT_MODEL" not in _services(_site())["stt"].environment
    assert _services(_site(demo=True))["stt"].environment["STT_MODEL"].endswith(plan.DEMO_SPEECH_MODEL)


def test_a_path_too_long_for_a_socket_is_answered_by_a_port_and_a_token() -> None:
    assert plan.vectors(_site())["VECTORS_URL"] == "unix:/srv/clipstream/.run/vectors.sock"
    told = plan.vectors(_site(root=f"/srv/{'deep/' * 20}"))
    assert told["VECTORS_URL"].startswith("tcp://127.0.0.1:")
    assert told["VECTORS_TOKEN"] == _SECRETS["VECTORS_TOKEN"]


def test_the_usual_port_is_tried_first_then_the_last_one_and_the_operators_always() -> None:
    assert plan.wished_ports({}, {}) == {"public": 8080}
    assert plan.wished_ports({}, {"public": 25_000})["public"] == 25_000
    assert plan.wished_ports({"GATEWAY_PORT": "9999"}, {"public": 25_000})["public"] == 9999
    with pytest.raises(CannotStart, match="GATEWAY_PORT is 'http'"):
        plan.wished_ports({"GATEWAY_PORT": "http"}, {})


def test_the_endpoints_name_everything() -> None:
    site = _site()
    found = describe(site, plan.services(site))
    assert found["gateway"] == "http://127.0.0.1:20000"
    assert found["storage"] == "file:///srv/clipstream/.run/media"
    assert found["amqp"] == "amqp://own"
    assert found["database"] == "postgresql://own"
    assert found["vectors"].startswith("unix:")
    assert found["metrics"] == found["services"]["gateway"]["metrics"]
    assert set(found["services"]) == set(plan.names({}, {}))
