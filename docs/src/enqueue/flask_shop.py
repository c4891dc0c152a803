import os

# region app
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from soniq_sa import Soniq, enqueue
from soniq_sa.models import include_tables

db = SQLAlchemy()


class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)


include_tables(db.metadata)
soniq = Soniq(db.metadata)


@soniq.job
def issue_invoice(order: Order) -> None: ...


def place_order() -> None:
    order = Order()
    db.session.add(order)
    enqueue(db.session, issue_invoice, order)
    db.session.commit()


# endregion

url = os.environ["DATABASE_URL"].replace("+asyncpg", "+psycopg")
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = url
db.init_app(app)
with app.app_context():
    db.create_all()
    place_order()
    assert db.session.query(soniq.models.Job).one().args == {"order": 1}
    db.session.remove()
    db.engine.dispose()
