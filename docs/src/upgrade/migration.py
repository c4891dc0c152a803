import sqlalchemy as sa
from alembic import op


# region upgrade
def upgrade() -> None:
    op.execute("SET lock_timeout = '500ms'")  # written by hand, see below
    op.add_column("soniq_jobs", sa.Column("lane", sa.Text(), nullable=True), if_not_exists=True)
    # Workers go on meanwhile: nothing here holds a lock for long.
    # What stands above is committed first; if this stops halfway, run it again.
    with op.get_context().autocommit_block():
        op.execute(
            "ALTER TABLE soniq_jobs DROP CONSTRAINT IF EXISTS ck_soniq_jobs_state_2, "
            "ADD CONSTRAINT ck_soniq_jobs_state_2 CHECK (state IN ('scheduled', 'queued', "
            "'processing', 'done', 'cancelled', 'dead', 'parked')) NOT VALID"
        )
        op.execute("ALTER TABLE soniq_jobs VALIDATE CONSTRAINT ck_soniq_jobs_state_2")
        op.execute(
            "DO $$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_index WHERE NOT indisvalid AND "
            "indexrelid = pg_catalog.to_regclass('ix_soniq_jobs_claim_2')) "
            "THEN DROP INDEX ix_soniq_jobs_claim_2; END IF; END $$"
        )
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_soniq_jobs_claim_2 ON soniq_jobs "
            "(queue, priority, run_at, id) WHERE state IN ('queued', 'parked')"
        )
        op.execute("ALTER TABLE soniq_jobs DROP CONSTRAINT IF EXISTS ck_soniq_jobs_state_1")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_soniq_jobs_claim_1")


# endregion
