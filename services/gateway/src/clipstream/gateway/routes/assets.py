"""Registering what lies in the bucket already."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("operator")
