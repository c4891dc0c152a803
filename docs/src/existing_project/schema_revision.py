# ruff: noqa: F821
# region create
op.execute("CREATE SCHEMA jobs")
# endregion
