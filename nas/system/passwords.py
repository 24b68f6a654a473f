"""Removes database passwords from URLs and messages."""

from __future__ import annotations

import re

_MASK = "***"
#: Matches ``//user:PASSWORD@`` in a text, up to the last @ of the word.
_IN_URL = re.compile(r"(//[^\s/:@]*:)[^\s]*@")
#: Matches ``user:PASSWORD@host`` without ``//``.
_WITHOUT_SLASHES = re.compile(r"(?<![\w/])([\w.+~%-]+:)(?!//)[^\s]+@(?=[\w\[])")
#: Matches ``//user@host:PASSWORD``, a password where a port number is expected.
_AS_PORT = re.compile(r"(//[^\s/@]*@(?:\[[^\]]*\]|[^\s/:@\[]*):)(?!\d+\b)[^\s/?'\"]+")
#: Matches ``password=PASSWORD`` in a query or a connection string; the value may be quoted.
_BY_NAME = re.compile(
    r"((?:\b|_)\w*(?:pass(?:word|wd|code|phrase)?|pwd|secret|token)\s*=\s*)(?!\*\*\*)('[^']*'|[^\s&;'\"]+)",
    re.IGNORECASE,
)


def without_passwords(text: str) -> str:
    """Replaces passwords of URLs and of connection strings in ``text`` by ***."""
    text = _IN_URL.sub(rf"\1{_MASK}@", text)
    text = _WITHOUT_SLASHES.sub(rf"\1{_MASK}@", text)
    text = _AS_PORT.sub(rf"\1{_MASK}", text)
    return _BY_NAME.sub(rf"\1{_MASK}", text)


def shown_url(url: str) -> str:
    """Returns ``without_passwords(url)``, also for a URL whose password contains blanks."""
    return without_passwords(re.sub(r"(?s)(//[^/:@]*:).*@", rf"\1{_MASK}@", url))


def holds_password(url: str) -> bool:
    """Returns whether ``url`` contains a password."""
    return shown_url(url) != url
