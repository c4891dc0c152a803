"""`soniq-sa demo`: a shop under real traffic, a killed worker, and a count of what went wrong."""

from soniq_sa.cli.demo.command import demo

__all__ = ["demo"]
