"""Storage tells that objects arrived (MinIO webhook target)."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("uploads")
