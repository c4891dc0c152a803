"""Hides parts of a text where they stand, so that it can be cut afterwards.

What is hidden keeps its length until the end, as blanks behind a character that says what they will be
shown as. So nothing moves, and the cut falls where it would have; but half a secret is never found at it.

Every pattern reads a text once, whatever stands there, because a search that begins again at each place
takes hours for a megabyte, and keeps Python's lock meanwhile. Each has two groups, what is kept and what
is hidden; where only the whole matches, that is left as it is, and read no second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

MASK = "[redacted]"

_SECRET, _PASSWORD, _BLANK = "\ufdd0", "\ufdd1", "\ufdd2"
"""Characters that mean nothing, and never will: Unicode has set them aside for programs."""
_OURS = re.compile(f"[{_SECRET}-{_BLANK}]")
_HIDDEN = re.compile(f"{_PASSWORD}{_BLANK}*|{_SECRET}{_BLANK}*|{_BLANK}+")
_AROUND = 16_384
"""Characters beyond a cut that are read for what it would cut through."""

_IN_CONNINFO = re.compile(
    r"(\b(?:ssl|pg)?password[ \t]*=(?!=)[ \t]*)"
    r"('[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"|['\"][^\n]+|[^\s&'\",;)]+)",
    re.IGNORECASE | re.DOTALL,
)
_OF_WEB = r"(?:(?<=https://)|(?<=http://)|(?<=\bwss://)|(?<=\bws://))"
_IN_URL = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(://{_OF_WEB}[^\s:/?#@'\"]*:)(?:([^\s/@'\"]+)(?=@)|[^\s/@'\"]+)",
        rf"(://(?!{_OF_WEB})[^\s:/@\"]*:)(?:([^\s@\"]+(?:@[^\s@\"'/:?#]*(?=@))*)(?=@)|[^\s@\"]+)",
    )
)
"""In a URL of the web a ``/`` ends the host. In others SQLAlchemy takes all up to the ``@`` for the password."""
_VALUES = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"(invalid input for query argument \$\d+: )([^\n]+(?= \()|[^\n]+)",
        r"(invalid input [^:\n]{0,200}: )(\"[^\n]*\"|\"[^\"]*\"?)",
        r"(value out of range: )(\"[^\n]*\"|\"[^\"]*\"?)",
        r"(value )(?:(\"[^\n]*\")(?= is out of range)|\"[^\n]*)",
        r"(Failing row contains )(\(.*?\)(?=\.(?:\s|$|['\"\\]))|\(.*)",
    )
)
"""How drivers and PostgreSQL quote a value that does not fit its type, and a row. Where the end of a row
is missing, everything behind its begin is hidden."""
_KEY = re.compile(r"(Key \(((?:(?!Key \()[^\n])*?)\)=\()([^)]*)")
_NAME = re.compile(r"[\w$-]+")


def without_passwords(text: str) -> str:
    """Return ``text`` without passwords that stand in URLs and connection strings."""
    return _shown(_hide_passwords(_plain(text)))


def without(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` without secrets, and without passwords."""
    text = _hide_secrets(_plain(text), sorted(secrets, key=len, reverse=True), len(text))
    return _shown(_hide_passwords(text))


def without_values(
    text: str,
    secrets: Iterable[str],
    is_secret: Callable[[str], bool],
    longest: int | None = None,
) -> str:
    """Return ``text`` without secrets and passwords, and without values that PostgreSQL quotes in it.

    is_secret: Whether a column of that name is. longest: The most characters; a longer text is cut in
    the middle, and says how many were left out.
    """
    text, ordered = _plain(text), sorted(secrets, key=len, reverse=True)

    def hide(part: str) -> str:
        part = _hide_passwords(part)
        for pattern in _VALUES:
            part = _hide(pattern, part)
        return _hide_keys(part, is_secret)

    if longest is None or len(text) <= longest:
        return _shown(hide(_hide_secrets(text, ordered, len(text))))
    half = longest // 2
    head = hide(_hide_secrets(text[: half + _most(ordered)], ordered, half + _AROUND))
    tail = hide(_hide_secrets(text[-half - _most(ordered) :], ordered, -half - _AROUND))
    return _shown(cut(head[:half], len(text) - 2 * half, tail[-half:]))


def cut(begin: str, number: int, end: str) -> str:
    """Return what is left of a text of which so many characters are left out."""
    return f"{begin}\n… {number} characters left out …\n{end}"


def _most(secrets: Sequence[str]) -> int:
    return _AROUND + (len(secrets[0]) if secrets else 0)


def _hide_secrets(text: str, secrets: Sequence[str], length: int) -> str:
    """Hide ``secrets``, the longest first, that begin in the first ``length`` characters.

    A negative number: that end in the last ones. The shorter a secret, the less of the text is read.
    """
    for secret in secrets:
        near = slice(length + len(secret)) if length >= 0 else slice(length - len(secret), None)
        text = text[near].replace(secret, _blanks(_SECRET, secret))
    return text[:length] if length >= 0 else text[length:]


def _hide_passwords(text: str) -> str:
    if "assword" in text.casefold():
        text = _hide(_IN_CONNINFO, text, _PASSWORD)
    if "://" in text:
        for pattern in _IN_URL:
            text = _hide(pattern, text, _PASSWORD)
    return text


def _hide(pattern: re.Pattern[str], text: str, kind: str = _SECRET) -> str:
    def hidden(found: re.Match[str]) -> str:
        return found[0] if found[2] is None else found[1] + _blanks(kind, found[2])

    return pattern.sub(hidden, text)


def _hide_keys(text: str, is_secret: Callable[[str], bool]) -> str:
    def hidden(found: re.Match[str]) -> str:
        secret = any(map(is_secret, _NAME.findall(found[2])))
        return found[1] + _blanks(_SECRET, found[3]) if secret else found[0]

    return _KEY.sub(hidden, text)


def _blanks(kind: str, hidden: str) -> str:
    return kind + _BLANK * (len(hidden) - 1)


def _plain(text: str) -> str:
    """Return ``text`` without the characters that mean something here."""
    return _OURS.sub("\ufffd", text)


def _shown(text: str) -> str:
    return _HIDDEN.sub(lambda found: "***" if found[0][0] == _PASSWORD else MASK, text)
