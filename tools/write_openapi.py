"""Writes the API's OpenAPI document to services/gateway/openapi.json, where reviewers and the web app read it."""

from __future__ import annotations

from pathlib import Path

from clipstream.gateway.app import openapi

TARGET = Path(__file__).resolve().parent.parent / "services" / "gateway" / "openapi.json"

if __name__ == "__main__":
    TARGET.write_bytes(openapi())
