[alembic]
script_location = ${script_location}
prepend_sys_path = %(here)s
path_separator = os

# Where the metadata of your models is. The module must also call
# include_tables(Base.metadata), or import the one that does.
metadata = models:Base.metadata

# The database, as postgresql://user:password@host:5432/database (%% for a percent sign).
# The environment variable DATABASE_URL comes first.
sqlalchemy.url =

[loggers]
keys = root,alembic

[handlers]
keys = console

[formatters]
keys = line

[logger_root]
level = WARNING
handlers = console
qualname =

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = line

[formatter_line]
format = %(levelname)-5.5s [%(name)s] %(message)s
