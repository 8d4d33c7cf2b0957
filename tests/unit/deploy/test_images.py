"""What compose.yaml and the Dockerfile promise about images."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_image_can_be_replaced() -> None:
    images = re.findall(r"^    image: (.+)$", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    assert len(images) > 10
    assert [image for image in images if not image.startswith("${")] == []


def test_every_image_of_others_is_pinned() -> None:
    defaults = re.findall(r"\$\{[A-Z]+_IMAGE:-([^}]+)\}", (ROOT / "compose.yaml").read_text())
    assert [image for image in defaults if ":" not in image or image.endswith(":latest")] == []


def test_each_has_a_stand_in_or_needs_none() -> None:
    names = set(re.findall(r"\$\{([A-Z]+_IMAGE):-", (ROOT / "compose.yaml").read_text()))
    standins = set(
        re.findall(r"^([A-Z]+_IMAGE)=", (ROOT / "deploy/docker/airgapped/images.env").read_text(), re.MULTILINE)
    )
    assert names - standins == {"QDRANT_IMAGE", "GRAFANA_IMAGE"}  # the edge process instead; behind a profile


def test_images_are_built_with_the_same_uv() -> None:
    here = re.search(r"UV_VERSION := (\S+)", (ROOT / "Makefile").read_text())
    there = re.search(r"UV_VERSION=(\S+)", (ROOT / "deploy/docker/Dockerfile").read_text())
    assert here is not None
    assert there is not None
    assert here[1] == there[1]
