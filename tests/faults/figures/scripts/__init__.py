"""One file a system, run by the Python of its own environment; and what they share."""
