# region create
from database import engine
from jobs import soniq

soniq.create_all(engine)  # with an async engine: await soniq.create_all(engine)
# endregion
