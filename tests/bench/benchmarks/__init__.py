"""The benchmarks: each module has a NAME, and a function ``measure`` that takes the plan."""
