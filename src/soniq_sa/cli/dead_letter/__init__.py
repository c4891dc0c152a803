"""``soniq-sa dead-letter``."""
