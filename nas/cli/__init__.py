"""The ``nas`` command, built with typer; each command imports heavy modules when it runs."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from search_spaces.errors import NasError

from ..system.passwords import without_passwords
from ..system.signals import terminable
from ..system.text import PRINTABLE, visible
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


class _PasswordHidingGroup(TyperGroup):
    """Command group that removes passwords from the text of usage errors."""

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
    cls=_PasswordHidingGroup,
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


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"nas {version('npu-nas')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Architecture search for INT8 super-resolution on NPUs."""


def main() -> None:
    """Runs a command; prints an error as one line and exits with 2 for bad input, else with 1.

    SIGTERM ends every command as Ctrl-C does, with 130, so that temporary files are removed here
    and on devices.
    """
    _silence_libraries()
    _prepare_streams()
    try:
        with terminable():
            app()
    except KeyboardInterrupt:
        sys.exit(130)
    except NasError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        if isinstance(error, FileExistsError) and Path(error.filename or "").is_file():
            _fail(f"{error.filename}: a file is where a folder is needed; name another", 2)
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _fail(f"{what}; {_ADVICE.get(error.errno or 0, 'check the disk and its permissions')}", 1)
    except MemoryError:
        _fail("out of memory; close other programs, or take smaller images", 1)


#: What the user can do about an operating system error, by its number.
_ADVICE = {
    errno.ENOSPC: "free some space on its disk, and give the same command again",
    errno.EDQUOT: "free some space on its disk, and give the same command again",
    errno.ENOTDIR: "a part of this path is a file: choose another place",
    errno.EROFS: "its disk is read-only: choose another place",
}


def _prepare_streams() -> None:
    """Flushes output after each line, also into a pipe, and escapes names that are not UTF-8.

    A standard stream that is closed, as it may be in a service, becomes the null device.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # ``open`` takes the lowest free descriptor, which is that of the closed stream.
            # Otherwise the next file would get it, and child processes would write into that file.
            null_device = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(null_device, True)
            setattr(sys, name, os.fdopen(null_device, mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors=PRINTABLE)


def _fail(message: str, code: int) -> NoReturn:
    """Prints the message as one line, without passwords, and exits."""
    line = visible(" ".join(message.split()))
    print(f"error: {without_passwords(line)}", file=sys.stderr)
    sys.exit(code)


def _silence_libraries() -> None:
    """Silences warnings and logs of libraries, such as Optuna's line about each trial."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
