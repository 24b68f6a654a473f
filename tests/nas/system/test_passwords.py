"""Passwords of databases: in no message, in no file, whatever form the URL has."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.system.passwords import holds_password, shown_url, without_passwords

from ..console import SEARCH, Console

URLS = [
    "postgres://user:SECRET@127.0.0.1:1/db",
    "postgresql+psycopg://user:SECRET@127.0.0.1:1/db",
    "postgresql+psycopg://user:SECRET@127.0.0.1:port/db",
    "postgresql+psycopg://user:SEC@SECRET/x@127.0.0.1:1/db",
    "postgresql+psycopg://user@127.0.0.1:SECRET/db",
    "postgresql+psycopg://127.0.0.1:1/db?password=SECRET",
    "postgresql+psycopg://127.0.0.1:1/db?user=u&sslpassword=SECRET&sslmode=prefer",
    "postgresql+psycopg://:SECRET@/db?host=127.0.0.1&port=1",
    "user:SECRET@127.0.0.1/db",
    "postgres//user:SECRET@127.0.0.1/db",
    "host=127.0.0.1 port=1 user=u password=SECRET",
    "host=127.0.0.1 port=1 password='SECRET and more'",
    "mysql://user:SECRET@127.0.0.1/db",
]


@pytest.mark.parametrize("url", URLS)
def test_no_command_prints_one(console: Console, url: str) -> None:
    for words in (
        ("status", "s", "--storage", url),
        ("pareto", "s", "--json", "--storage", url),
        ("train", "s#1", "--data", "embedded", "--storage", url),
        ("worker", "--study", "s", "--storage", url),
        (*SEARCH, "--storage", url),
        ("status", url),
        ("status", "s", url),
        (url,),
        ("search", "--budget", url),
    ):
        code, errors = console.run(*words)
        assert code in (1, 2), errors
        assert "SECRET" not in errors
        assert "Traceback" not in errors
    assert not list(Path().iterdir())


@pytest.mark.parametrize("url", URLS)
def test_a_url_with_one_is_known_for_it(url: str) -> None:
    assert holds_password(url)
    assert shown_url(shown_url(url)) == shown_url(url)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://user@host:5432/studies",
        "postgresql+psycopg://user@[::1]:5432/studies",
        "sqlite:////disk/a@b.db",
        "adb:192.168.0.7:5555",
        "studies/s/study.db: the study's database cannot be used (disk I/O error)",
        "trial 7: mail a@b.org, password: none",
        "mine.py, line 3: ValueError: width=3",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_passwords(text) == text
    assert not holds_password(text)


NAMES = st.text("abcXYZ019_%-.~", min_size=1, max_size=12)
SECRETS = st.text("!#$%&()*+,-./:;<=>?[]^_{|}~ abcXYZ019", min_size=8, max_size=20)


@given(user=NAMES, secret=SECRETS, host=NAMES)
def test_whatever_stands_between_a_user_and_a_host_is_not_shown(
    user: str, secret: str, host: str
) -> None:
    shown = shown_url(f"postgresql://{user}:{secret}@{host}/db")
    assert shown == f"postgresql://{user}:***@{host}/db"
