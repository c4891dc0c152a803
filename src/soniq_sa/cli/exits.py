"""What the command's exit codes mean."""

from __future__ import annotations

from soniq_sa.errors import (
    ConfigurationError,
    DatabaseUnreachableError,
    SchemaMissingError,
    SoniqError,
)

FAILED, USAGE, SCHEMA, UNREACHABLE, INTERRUPTED = 1, 2, 4, 5, 130


def exit_code(error: SoniqError) -> int:
    """Return the exit code that tells a script what kind of error it was."""
    match error:
        case ConfigurationError():
            return USAGE
        case SchemaMissingError():
            return SCHEMA
        case DatabaseUnreachableError():
            return UNREACHABLE
        case _:
            return FAILED
