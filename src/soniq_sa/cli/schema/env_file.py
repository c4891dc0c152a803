"""The file env.py: read with its encoding, written back byte for byte where nothing changed."""

from __future__ import annotations

import io
import os
import stat
import tempfile
import tokenize
from dataclasses import dataclass
from pathlib import Path

from soniq_sa.cli.schema.init_failure import InitFailedError


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What was read; a byte order mark belongs to the encoding, line ends to the text."""

    path: Path
    raw: bytes
    encoding: str

    @classmethod
    def read(cls, path: Path) -> EnvFile:
        """Read ``path``; raise `InitFailedError` if it is no Python text."""
        try:
            raw = path.read_bytes()
            encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
            raw.decode(encoding)
        except OSError as error:
            raise InitFailedError(f"{shown(path)} cannot be read: {error.strerror}.") from error
        except (SyntaxError, UnicodeDecodeError) as error:
            raise InitFailedError(f"{shown(path)} cannot be read as Python: {error}.") from error
        return cls(path, raw, encoding)

    @property
    def text(self) -> str:
        """Return the text, with its own line ends."""
        return self.raw.decode(self.encoding)

    def write(self, text: str) -> None:
        """Put ``text`` in place of the file at once, with the mode that it had."""
        target = self.path.resolve()  # a symbolic link stays one
        try:
            if target.read_bytes() != self.raw:
                raise InitFailedError(
                    f"{shown(self.path)} has changed meanwhile. Run the command again."
                )
            _replace(target, text.encode(self.encoding))
        except OSError as error:
            raise InitFailedError(
                f"{shown(self.path)} cannot be written: {error.strerror}. Nothing was changed."
            ) from error


def shown(path: Path) -> str:
    """Return ``path`` as seen from the working directory."""
    absolute, here = path.absolute(), Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()


def _replace(target: Path, content: bytes) -> None:
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).chmod(stat.S_IMODE(target.stat().st_mode))
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
