"""The ``nas`` command, with typer; heavy modules are imported when a command needs them."""

from __future__ import annotations

import errno
import io
import logging
import sys
import warnings
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from search_spaces.errors import NasError

from ..system.passwords import without_passwords
from ..system.text import PRINTABLE
from . import (
    checking,
    data,
    diagnosis,
    exporting,
    latency,
    models,
    quality,
    reporting,
    searching,
    serving,
    shipped,
    spaces,
    upscaling,
    zoo,
)


class _Discreet(TyperGroup):
    """Usage errors without passwords of what was typed."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = getattr(error, "message", None)  # an attribute of typer's errors
            if isinstance(message, str):
                error.__dict__["message"] = without_passwords(message)
            raise


app = typer.Typer(
    name="nas",
    cls=_Discreet,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for commands in (searching, serving, reporting, exporting, models, checking, upscaling, diagnosis):
    commands.register(app)
app.add_typer(spaces.app, name="space")
app.add_typer(zoo.app, name="zoo")
app.add_typer(shipped.app, name="models")
app.add_typer(latency.app, name="latency")
app.add_typer(quality.app, name="quality")
app.add_typer(data.app, name="data")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"nas {version('npu-nas')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Architecture search for INT8 super-resolution on NPUs."""


def main() -> None:
    """Runs a command; errors become one line, with exit code 2 for bad input and 1 otherwise."""
    _silence_libraries()
    _make_streams_ready()
    try:
        app()
    except NasError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _fail(f"{what}; {_ADVICE.get(error.errno or 0, 'check the disk and its permissions')}", 1)
    except MemoryError:
        _fail("out of memory; close other programs, or take smaller images", 1)


_ADVICE = {
    errno.ENOSPC: "free some space on its disk, and give the same command again",
    errno.EDQUOT: "free some space on its disk, and give the same command again",
    errno.EROFS: "its disk is read-only: choose another place",
}


def _make_streams_ready() -> None:
    """Output is flushed line by line, also into a pipe; names that are not UTF-8 are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors=PRINTABLE)


def _fail(message: str, code: int) -> NoReturn:
    print(f"error: {without_passwords(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(code)


def _silence_libraries() -> None:
    """Silences warnings and logs of libraries, as Optuna's lines about each trial."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
