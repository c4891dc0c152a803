"""What soniq-sa and its rivals do under the same faults: ``python -m tests.faults.figures``."""
