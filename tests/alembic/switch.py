"""How a project's models are told which version of the library to be."""

SWITCH = "TEST_NEXT_VERSION"
"""The environment variable on which they import `tests.alembic.next_version`."""
