"""``nas serve-storage``: runs a proxy between a database and workers on many machines."""

from __future__ import annotations

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(serve_storage)


def serve_storage(
    storage: Annotated[str, typer.Option(help="URL of the database (PostgreSQL).")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 13000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; whoever reaches it may change every study.")
    ] = "127.0.0.1",
) -> None:
    """Serve a database to hundreds of workers.

    Workers use the address grpc://HOST:PORT. Ctrl-C ends it.
    """
    from ..studies.proxy_server import serve_storage as serve

    try:
        serve(
            storage, host, port, lambda url: print(f"storage: {url} (Ctrl-C ends it)", flush=True)
        )
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
