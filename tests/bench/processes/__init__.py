"""The processes of soniq-sa and of bare asyncpg, each run with ``python -m``."""
