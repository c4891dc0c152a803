"""What the command's exit codes mean.

FAILED: Any other error; something is not there; a question was not answered with yes.
USAGE: A wrong option, setting, queue or application: a `ConfigurationError`.
FOUND: `soniq-sa audit` found a violation, or `soniq-sa doctor` a warning or a problem.
SCHEMA: Tables or columns are missing in the database, or differ: `SchemaMissingError`.
UNREACHABLE: The database cannot be reached: `DatabaseUnreachableError`. A worker waits instead.
INTERRUPTED: Ctrl-C.
"""

from __future__ import annotations

from soniq_sa.errors import (
    ConfigurationError,
    DatabaseUnreachableError,
    SchemaMissingError,
    SoniqError,
)

FAILED, USAGE, FOUND, SCHEMA, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 5, 130


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
