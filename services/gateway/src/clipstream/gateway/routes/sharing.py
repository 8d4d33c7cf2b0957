"""What a share's code opens, for anybody who has it."""

from __future__ import annotations

from clipstream.gateway.routes.api import RouteTable

table = RouteTable("social")
