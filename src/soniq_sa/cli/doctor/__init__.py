"""``soniq-sa doctor``."""
