from soniq_sa import Soniq

from database import engine
from models import Base

soniq = Soniq(Base.metadata, engine=engine)
