"""W3C trace context (w3.org/TR/trace-context): one clip is one trace. The `traceparent` travels in the envelope; every
attempt at an event is a span of its own, named in each log line it writes."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import Self

_FORM = re.compile(r"^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$")
_SAMPLED = "01"


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace."""

    trace_id: str
    span_id: str
    flags: str = _SAMPLED

    @classmethod
    def begin(cls) -> Self:
        """A new trace."""
        return cls(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8))

    @classmethod
    def read(cls, traceparent: str | None) -> Self | None:
        """What a `traceparent` says; None where there is none or it is malformed, which the standard treats alike."""
        match = _FORM.match(traceparent or "")
        return cls(*match.groups()) if match else None

    def child(self) -> Self:
        """The next span of the same trace."""
        return replace(self, span_id=secrets.token_hex(8))

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def continue_or_begin(traceparent: str | None) -> Trace:
    """A new span: in the trace that `traceparent` names, else in a new one."""
    known = Trace.read(traceparent)
    return known.child() if known else Trace.begin()
