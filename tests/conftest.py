"""Fixtures that several tiers share stand in tests/fixtures/, one file for each real server or kind of material."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog

pytest.register_assert_rewrite("fixtures")  # they import each other before pytest has seen them
pytest_plugins = [f"fixtures.{path.stem}" for path in sorted((Path(__file__).parent / "fixtures").glob("[a-z]*.py"))]

# rich's tracebacks, structlog's default, take seconds to draw each.
_SHOWN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, _SHOWN])
