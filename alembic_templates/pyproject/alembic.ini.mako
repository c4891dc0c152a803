# Where the migrations and the models are stands in pyproject.toml.
[alembic]
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
