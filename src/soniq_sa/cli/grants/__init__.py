"""``soniq-sa grants``."""
