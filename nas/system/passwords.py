"""Removes database passwords from URLs and messages."""

from __future__ import annotations

import re

_SHOWN = "***"
#: ``//user:PASSWORD@`` in a text, as far as the last @ of the word
_IN_URL = re.compile(r"(//[^\s/:@]*:)[^\s]*@")
#: the same without ``//``
_BEFORE_HOST = re.compile(r"(?<![\w/])([\w.+~%-]+:)(?!//)[^\s]+@(?=[\w\[])")
#: ``//user@host:PASSWORD``, where a number should be
_AS_PORT = re.compile(r"(//[^\s/@]*@(?:\[[^\]]*\]|[^\s/:@\[]*):)(?!\d+\b)[^\s/?'\"]+")
#: ``password=PASSWORD`` in a query or in a connection string, where its value may be quoted
_BY_NAME = re.compile(
    r"((?:\b|_)\w*(?:pass(?:word|wd|code|phrase)?|pwd|secret|token)\s*=\s*)(?!\*\*\*)('[^']*'|[^\s&;'\"]+)",
    re.IGNORECASE,
)


def without_passwords(text: str) -> str:
    """``text`` with *** instead of passwords of URLs and of connection strings."""
    text = _IN_URL.sub(rf"\1{_SHOWN}@", text)
    text = _BEFORE_HOST.sub(rf"\1{_SHOWN}@", text)
    text = _AS_PORT.sub(rf"\1{_SHOWN}", text)
    return _BY_NAME.sub(rf"\1{_SHOWN}", text)


def shown_url(url: str) -> str:
    """``without_passwords`` for a text that is a URL, whose password may contain blanks."""
    return without_passwords(re.sub(r"(?s)(//[^/:@]*:).*@", rf"\1{_SHOWN}@", url))


def holds_password(url: str) -> bool:
    """Whether ``url`` contains a password."""
    return shown_url(url) != url
