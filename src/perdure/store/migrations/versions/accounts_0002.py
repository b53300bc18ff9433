"""What a name looks like, and what its player chose with `set`.

Only additions, so that an older Perdure that has the file open goes on reading and writing it: its new rows get no
skeleton, and `SqlAccounts` completes them. The same code gives skeletons to the rows that are there already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add both."""
    op.add_column("accounts", sa.Column("skeleton", sa.Text, nullable=True))
    op.add_column("accounts", sa.Column("settings", sa.Text, nullable=False, server_default=""))
    op.create_index("accounts_skeleton", "accounts", ["skeleton"], unique=True)
