"""Fixtures that several tiers share stand in tests/fixtures/, one file for each real server or kind of material."""

from __future__ import annotations

from pathlib import Path

pytest_plugins = [f"fixtures.{path.stem}" for path in sorted((Path(__file__).parent / "fixtures").glob("[a-z]*.py"))]
