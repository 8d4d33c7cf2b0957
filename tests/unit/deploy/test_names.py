"""Every setting can be found, and set: .env.example names it, and compose.yaml hands it to its service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parents[3]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/src/clipstream/*/settings.py"))


def _settings(service: str) -> type[BaseSettings]:
    found: type[BaseSettings] = import_module(f"clipstream.{service}.settings").Settings
    return found


def _names(field: str, info: FieldInfo) -> list[str]:
    """What a field is called in the environment."""
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [str(alias or field.upper())]


def _own(service: str) -> Iterator[list[str]]:
    """The names of each setting that this service alone declares."""
    settings = _settings(service)
    for field, info in settings.model_fields.items():
        if field in settings.__annotations__:
            yield _names(field, info)


def test_there_are_services() -> None:
    assert {"gateway", "transcode", "mediaproxy"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_name_is_in_the_example(service: str) -> None:
    listed = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", (ROOT / ".env.example").read_text()))
    read = {name for field, info in _settings(service).model_fields.items() for name in _names(field, info)}
    assert read - listed == set()


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_of_a_service_reaches_its_container(service: str) -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    given = compose["services"][service]["environment"]
    assert [names for names in _own(service) if not given.keys() & set(names)] == []
