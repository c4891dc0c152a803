"""The processes that the benchmarks start: workers and producers, each run with ``python -m``."""
