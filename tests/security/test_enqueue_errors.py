"""An error at the enqueue line says what is wrong with secret arguments, and not what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, SecretBytes, SecretStr, model_validator
from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from soniq_sa import InvalidArgumentsError, OptionError, Soniq, enqueue
from soniq_sa.models import include_tables
from soniq_sa.redaction import WORDS
from tests.security.leaks import MASK, SECRET, everything_of


def new_soniq(**options: Any) -> Soniq:
    """Return an application without a database."""
    metadata = MetaData()
    include_tables(metadata)
    return Soniq(metadata, **options)


@dataclass
class Login:
    """A secret beside something else."""

    user: str
    password: str


class Card(BaseModel):
    """A model that refuses, and says with what."""

    number: int
    cvv: str

    @model_validator(mode="after")
    def refuse(self) -> Card:
        raise ValueError(f"{self.cvv} is no code")


def refuse(value: str) -> str:
    """Put the value into the error, as validators do."""
    raise ValueError(f"{value} is too weak")


Weak = Annotated[str, AfterValidator(refuse)]


def log_in(password: int) -> None: ...
def send(payload: dict[str, int]) -> None: ...
def open_account(login: Login) -> None: ...
def pay(card: Card) -> None: ...
def change(new_password: Weak) -> None: ...
def same(token: Any) -> None: ...
def note(note: str) -> None: ...
def seal(pin: SecretStr) -> None: ...


HOSTILE: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "of another type": (log_in, {"password": SECRET}),
    "deep in a dict": (send, {"payload": {"client-secret": SECRET}}),
    "beside what is wrong": (note, {"note": {"nested": [{"apiKey": SECRET}]}}),
    "in a dict instead of a dataclass": (open_account, {"login": {"user": 3, "password": SECRET}}),
    "in a dataclass": (note, {"note": Login("Ann", SECRET)}),
    "in a dataclass, of another type": (open_account, {"login": Login("Ann", (SECRET,))}),  # type: ignore[arg-type]
    "in a tuple of another type": (note, {"note": (Login("Ann", SECRET),)}),
    "in a dict instead of a model": (pay, {"card": {"number": "x", "cvv": SECRET}}),
    "in the sentence of a validator": (change, {"new_password": SECRET}),
    "in the sentence of a model's validator": (pay, {"card": Card.model_construct(cvv=SECRET)}),
    "that JSON tells otherwise": (same, {"token": (SECRET,)}),
    "of pydantic's own type": (seal, {"pin": SECRET.encode()}),
}


@pytest.mark.parametrize(("handler", "arguments"), HOSTILE.values(), ids=HOSTILE)
def test_a_secret_that_does_not_fit_is_not_shown(
    handler: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    task = new_soniq().job(name="task")(handler)
    with pytest.raises(InvalidArgumentsError) as caught:
        enqueue(Session(), task, **arguments)
    assert SECRET not in everything_of(caught.value)
    assert next(iter(arguments)) in str(caught.value)


class LoginArgs(BaseModel):
    """The arguments of a task elsewhere."""

    user: int
    password: str

    @model_validator(mode="after")
    def refuse(self) -> LoginArgs:
        raise ValueError(f"not {self.password}")


@pytest.mark.parametrize("user", ["x", 3])
def test_a_model_of_arguments_shows_no_secret_either(user: Any) -> None:
    ref = new_soniq().ref("log_in", LoginArgs)
    with pytest.raises(InvalidArgumentsError) as caught:
        enqueue(Session(), ref, user=user, password=SECRET)
    assert SECRET not in everything_of(caught.value)


def test_what_is_no_secret_is_shown() -> None:
    task: Any = new_soniq().job(name="task")(log_in)
    with pytest.raises(InvalidArgumentsError, match=r"got \[redacted\] \(str\)"):
        enqueue(Session(), task, password=SECRET)
    other: Any = new_soniq().job(name="task")(note)
    with pytest.raises(
        InvalidArgumentsError, match=r"got \{'x': 1, 'token': \[redacted\]\} \(dict\)"
    ):
        enqueue(Session(), other, note={"x": 1, "token": 2})


def test_an_application_adds_names_of_its_own() -> None:
    task: Any = new_soniq(redact=["Date_of-Birth"]).job(name="task")(note)
    with pytest.raises(InvalidArgumentsError) as caught:
        enqueue(Session(), task, note={"dateOfBirth": "1999", "birth": "yes"})
    assert "1999" not in str(caught.value)
    assert "yes" in str(caught.value)


@pytest.mark.parametrize("names", ["iban", [3], ["_"], [""]])
def test_names_that_cannot_be_are_refused(names: Any) -> None:
    with pytest.raises(OptionError, match="redact"):
        new_soniq(redact=names)


@pytest.mark.parametrize("word", WORDS)
def test_each_usual_word_hides_a_field(word: str) -> None:
    hides = new_soniq().tasks.redaction.hides
    assert hides(word)
    assert hides(f"New-{word.title()}_2")
    assert not hides("amount")


def test_the_secrets_of_pydantic_are_arguments_and_come_back() -> None:
    soniq = new_soniq()

    @soniq.job(name="connect")
    def connect(
        pin: SecretStr, keys: dict[str, SecretBytes], spare: SecretStr | None = None
    ) -> None:
        del pin, keys, spare

    given = {"pin": SecretStr(SECRET), "keys": {"a": SecretBytes("ä€".encode())}, "spare": None}
    with Session() as session:
        handle = enqueue(session, connect, **given)  # type: ignore[arg-type]
    assert handle.row.args == {"pin": SECRET, "keys": {"a": "w6Tigqw="}, "spare": None}
    assert connect.codec.decode(connect.codec.encode((), given).text) == given
    assert soniq.tasks.redaction.json({"pin": SECRET, "n": 1}) == {"pin": MASK, "n": 1}


def test_a_secret_inside_a_model_is_refused_where_pydantic_would_store_stars() -> None:
    class Account(BaseModel):
        pin: SecretStr

    def create(account: Account) -> None:
        del account

    create.__annotations__["account"] = Account
    task: Any = new_soniq().job(name="create")(create)
    with pytest.raises(InvalidArgumentsError, match="would reach the handler as") as caught:
        enqueue(Session(), task, account=Account(pin=SecretStr(SECRET)))
    assert SECRET not in everything_of(caught.value)


def test_what_is_pending_in_a_session_shows_no_arguments() -> None:
    task: Any = new_soniq().job(name="task")(note)
    with Session() as session:
        handle = enqueue(session, task.options(headers={"authorization": SECRET}), note=SECRET)
        shown = repr((handle, handle.row, session.new, task, task.codec.encode((SECRET,), {})))
    assert SECRET not in shown
