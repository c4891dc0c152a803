"""An example shop: FastAPI, async SQLAlchemy, Alembic, and background jobs."""
