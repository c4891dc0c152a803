"""What soniq-sa adds to Alembic's autogenerate; see `soniq_sa.alembic.plugin`."""
