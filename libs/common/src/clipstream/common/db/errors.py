"""What the database client raises, in Clipstream's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from clipstream.common.errors import Outage, Transient

_AWAY = (
    OSError,  # refused, reset, unreachable; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # stopping, starting, in recovery
    asyncpg.InsufficientResourcesError,  # disk full, too many connections
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InternalClientError,
)
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)


@contextmanager
def map_database_errors() -> Iterator[None]:
    """Raise `Outage` where the server is away and `Transient` where a transaction lost against another one. A mistake in
    a statement stays what it is."""
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise Transient(f"The database took too long over a statement ({error}).") from error
    except _AGAIN as error:
        raise Transient(f"Another transaction was in the way ({error}).") from error
    except _AWAY as error:
        raise Outage(f"The database does not answer ({type(error).__name__}: {error}).") from error
    except asyncpg.InterfaceError as error:
        if "clos" not in str(error):  # the connection or the pool is closed, or closing
            raise
        raise Outage(f"The connection to the database is gone ({error}).") from error
