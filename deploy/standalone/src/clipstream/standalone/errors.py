"""What can go wrong around private servers. The message is one sentence that says what the operator can do."""


class StandaloneError(Exception):
    """Something that the operator has to settle."""


class CannotFetch(StandaloneError):
    """A server could not be brought into the tools directory."""


class CannotStart(StandaloneError):
    """A server or service did not come up."""
