[tool.alembic]
script_location = "${script_location}"
prepend_sys_path = ["%(here)s"]

# Where the metadata of your models is. The module must also call
# include_tables(Base.metadata), or import the one that does.
metadata = "models:Base.metadata"
