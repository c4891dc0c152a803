"""customers"""

import sqlalchemy as sa
from alembic import op

revision = "1a"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("email", sa.String(), nullable=False, unique=True),
    )


def downgrade() -> None:
    op.drop_table("customers")
