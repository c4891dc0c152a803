"""Settings: flag over environment over ``.env`` over ``[tool.soniq-sa]`` over default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
)

from soniq_sa.errors import ConfigurationError, UnknownOptionError
from soniq_sa.options import MAX_SECONDS
from soniq_sa.retention import Spans
from soniq_sa.states import JobState
from soniq_sa.suggestions import did_you_mean

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Loop = Literal["auto", "asyncio", "uvloop"]
Span = Annotated[float | None, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class Settings(BaseSettings):
    """How a worker runs. Every field is also ``SONIQ_SA_<NAME>`` in the environment.

    All durations are seconds. All are read when the worker starts. The three for retention are also
    read when a process without a worker first cancels a job, and listen_url when it first waits for one.

    app: Where the ``Soniq`` is: ``module:attribute``.
    database_url: The database, where the application gives no engine.
    listen_url: A direct connection for LISTEN and the worker's lock, where ``database_url`` leads to
        a pooler; also for waiting for results. Default: the database itself.
    queues: The queues to serve, comma-separated in the environment. Default: every queue.
    concurrency: How many jobs run at a time. Default 200.
    processes: How many worker processes the command runs. With more than one, those that end are
        replaced. Default 1.
    loop: The event loop of the command. ``auto``: uvloop where it is installed. Default: ``auto``.
    metrics_port: Where the command serves metrics for Prometheus; 0: at any free port. With several
        processes, each takes a port of its own, from this one on. Default: it serves none.
    metrics_host: The address of that port; ``0.0.0.0`` for all of the machine. Default: ``127.0.0.1``.
    guard: Whether the command has a small process beside each worker, which keeps its lease while a handler
        keeps Python's lock. Default: true.
    poll_interval: The longest time between two looks for jobs; wake-ups and due times come sooner.
        Default 5.
    lease: After this time without a sign of life a worker counts as dead. Default 15.
    heartbeat: Seconds between two signs of life, fewer than the lease. Default: a third of the lease.
    rescue_interval: Seconds between two looks for dead workers, while there are other workers. Default 1.
    drain_timeout: How long running jobs may go on after SIGTERM. Default 30.
    job_timeout: How long an attempt may take, where the task does not say. 0: no limit. Default 300.
    retention_done: How long a job that is done is kept, where the task does not say. 0: its end deletes
        it. ``none``: for ever. Default 86400.
    retention_cancelled: The same for jobs that were cancelled. Default 604800.
    retention_dead: The same for dead letters. Default: for ever.
    """

    model_config = SettingsConfigDict(
        env_prefix="SONIQ_SA_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        pyproject_toml_table_header=("tool", "soniq-sa"),
        pyproject_toml_depth=3,
    )

    app: str | None = None
    database_url: SecretStr | None = None
    listen_url: SecretStr | None = None
    queues: Annotated[tuple[str, ...] | None, NoDecode] = None
    concurrency: int = Field(default=200, ge=1, le=10_000)
    processes: int = Field(default=1, ge=1)
    loop: Loop = "auto"
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    metrics_host: str = "127.0.0.1"
    guard: bool = True
    poll_interval: PositiveSeconds = 5.0
    lease: float = Field(default=15.0, ge=1, allow_inf_nan=False)
    heartbeat: PositiveSeconds | None = None
    rescue_interval: PositiveSeconds = 1.0
    drain_timeout: Seconds = 30.0
    job_timeout: Seconds = 300.0
    retention_done: Span = 86_400.0
    retention_cancelled: Span = 604_800.0
    retention_dead: Span = None

    @field_validator("queues", mode="before")
    @classmethod
    def _split_queues(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip()) or None
        return value

    @field_validator("retention_done", "retention_cancelled", "retention_dead", mode="before")
    @classmethod
    def _read_none(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return None if value.strip().lower() == "none" else float(value)
        except ValueError:
            raise ValueError(f"it takes seconds, or none for ever, not {value!r}") from None

    @model_validator(mode="after")
    def _check_heartbeat(self) -> Settings:
        if self.beat_every >= self.lease:
            raise ValueError(
                f"heartbeat ({self.beat_every}) must be shorter than lease ({self.lease})"
            )
        return self

    @property
    def beat_every(self) -> float:
        """Return the seconds between two signs of life."""
        return self.lease / 3 if self.heartbeat is None else self.heartbeat

    @property
    def retention(self) -> Spans:
        """Return how long jobs are kept after their end."""
        return {
            JobState.DONE: self.retention_done,
            JobState.CANCELLED: self.retention_cancelled,
            JobState.DEAD: self.retention_dead,
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the sources into their order."""
        project = _ProjectSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, project, file_secret_settings


class _ProjectSource(PyprojectTomlConfigSettingsSource):
    """Read ``[tool.soniq-sa]``, where a misspelt key is an error: nothing else lives there."""

    def __call__(self) -> dict[str, Any]:
        values = {name.replace("-", "_"): value for name, value in super().__call__().items()}
        for name in values:
            if name not in Settings.model_fields:
                raise UnknownOptionError(
                    f"[tool.soniq-sa] in {self.toml_file_path} has no setting {name!r}."
                    f"{did_you_mean(name, Settings.model_fields)}"
                )
        return values


def load_settings(**flags: Any) -> Settings:
    """Return the settings; ``flags`` that are not None come first.

    Raises `UnknownOptionError` for a flag that does not exist, and `ConfigurationError` naming the
    setting and the value that it does not take.
    """
    for name in flags:
        if name not in Settings.model_fields:
            raise UnknownOptionError(
                f"There is no setting {name!r}.{did_you_mean(name, Settings.model_fields)}"
            )
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(_describe(one) for one in error.errors(include_url=False))
        raise ConfigurationError(f"The settings cannot be used: {problems}.") from error


def _describe(problem: Any) -> str:
    name = ".".join(map(str, problem["loc"]))
    if not name:
        return str(problem["msg"]).removeprefix("Value error, ")
    told = problem["msg"].removeprefix("Value error, ")
    return f"SONIQ_SA_{name.upper()} (or --{name.replace('_', '-')}): {told}"
