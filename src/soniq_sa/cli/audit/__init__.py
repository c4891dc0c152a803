"""``soniq-sa audit``."""
