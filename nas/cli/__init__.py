"""The ``nas`` command: thin layers of typer over the package, nothing heavy until it is needed."""

from __future__ import annotations

import sys

import typer

from search_spaces.errors import NasError

from . import diagnosis, latency, models, searching, zoo

app = typer.Typer(
    name="nas",
    help="Architecture search for INT8 super-resolution on NPUs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for commands in (searching, models, diagnosis):
    commands.register(app)
app.add_typer(zoo.app, name="zoo")
app.add_typer(latency.app, name="latency")


def main() -> None:
    """Runs one command; what is wrong becomes one line and an exit code that says whose fault."""
    try:
        app()
    except NasError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"error: {error}; check the disk and its permissions", file=sys.stderr)
        sys.exit(1)
