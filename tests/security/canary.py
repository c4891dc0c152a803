"""A module that nothing imports: if it is imported, somebody has taken the name of a job for one."""

FOUND = "tests.security.canary"


def run() -> None:
    """Be what the name of a job would lead to."""
    raise AssertionError("The name of a job was imported.")


soniq = task = run
