"""``nas data``: downloads DIV2K, checks folders of images, and manages the cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..data.div2k import SERVER, Subset
from ..system.text import visible
from .output import JsonOption, print_json, print_table
from .progress import progress_bar

if TYPE_CHECKING:
    from ..data.cache import CachedImages
    from ..quality.survey import Survey

app = typer.Typer(
    help="Training and validation images.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def div2k(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Target folder, created if missing.")
    ],
    scale: Annotated[
        list[int] | None,
        typer.Option(min=2, max=4, help="Scale of LR images; may be repeated [3]."),
    ] = None,
    part: Annotated[
        list[Subset] | None, typer.Option(help="Which images; may be repeated [train and valid].")
    ] = None,
    server: Annotated[str, typer.Option(metavar="URL", help="A mirror of the archives.")] = SERVER,
) -> None:
    """Download DIV2K, 800 and 100 photographs.

    The same command resumes an interrupted download.
    """
    from ..data.div2k import fetch, official

    try:
        with progress_bar() as show:
            folders = fetch(folder, official(part or list(Subset), scale or [3]), server, show)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    print("\n".join(map(str, folders)))


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of images.")],
    scale: Annotated[int, typer.Option(min=2, max=4, help="Upscaling factor.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Describe the images of a folder, and list what is wrong with them."""
    from ..quality.survey import survey

    with progress_bar() as show:
        result = survey(folder, scale, show)
    if as_json:
        print_json(_to_json(result))
    else:
        _print(result)
    if result.problems:
        raise typer.Exit(1)


@app.command()
def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove all entries that no process uses.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the cache of decoded images."""
    from ..data.cache import ImageCache

    image_cache = ImageCache.of_user()
    removed = image_cache.clear() if clear else []
    entries = image_cache.entries()
    if as_json:
        print_json(
            {
                "folder": str(image_cache.folder),
                "limit_bytes": image_cache.limit_bytes,
                "bytes": sum(entry.bytes for entry in entries),
                "entries": [_entry_to_json(entry) for entry in entries],
                "removed": [_entry_to_json(entry) for entry in removed],
            }
        )
        return
    if clear:
        print(f"removed {len(removed)}, {_gigabytes(removed)} GB")
    if entries:
        print_table(
            ("images", "scale", "GB", "last used", ""),
            [
                (
                    entry.origin.folder if entry.origin else f"damaged: {entry.path}",
                    f"x{entry.origin.scale}" if entry.origin else "-",
                    f"{entry.bytes / 1e9:.2f}",
                    f"{entry.last_used.astimezone():%Y-%m-%d %H:%M}",
                    "in use" if entry.in_use else "",
                )
                for entry in entries
            ],
        )
    print(f"{_gigabytes(entries)} of {image_cache.limit_bytes / 1e9:g} GB in {image_cache.folder}")


def _gigabytes(entries: list[CachedImages]) -> str:
    return f"{sum(entry.bytes for entry in entries) / 1e9:.2f}"


def _entry_to_json(entry: CachedImages) -> dict[str, Any]:
    return {
        "images": entry.origin.folder if entry.origin else None,
        "scale": entry.origin.scale if entry.origin else None,
        "path": str(entry.path),
        "bytes": entry.bytes,
        "last_used": entry.last_used.isoformat(timespec="seconds"),
        "in_use": entry.in_use,
    }


def _print(survey: Survey) -> None:
    division = (
        "every tenth image is held out" if len(survey.parts) == 1 else "with a validation part"
    )
    print(visible(f"{survey.folder}, {division}, at x{survey.scale}:"))
    print_table(
        ("part", "folder", "images", "usable", "HR Mpixels", "smallest", "largest", "LR"),
        [
            (
                part.name, str(part.folder), f"{part.images}", f"{part.usable}",
                f"{part.pixels / 1e6:.1f}", _size(part.smallest), _size(part.largest),
                "made by bicubic" if part.lr_folder is None else str(part.lr_folder),
            )
            for part in survey.parts
        ],
    )  # fmt: skip
    for part in survey.parts:
        for kind, count in part.kinds:
            print(f"{part.name}: {count} x {kind}")
        for ending, count in part.other_endings:
            print(visible(f"{part.name}: {count} x {ending}, not an image for us"))
        for remark in part.remarks:
            print(visible(f"{part.name}: {remark}"))
    print(f"fingerprint: {survey.fingerprint or '-'}")
    for problem in survey.problems:
        print(visible(f"WRONG  {problem.file}: {problem.what}"))


def _size(size: tuple[int, int] | None) -> str:
    return "-" if size is None else f"{size[0]}x{size[1]}"


def _to_json(survey: Survey) -> dict[str, Any]:
    return {
        "folder": str(survey.folder),
        "scale": survey.scale,
        "fingerprint": survey.fingerprint,
        "parts": [
            {
                "name": part.name,
                "folder": str(part.folder),
                "lr_folder": None if part.lr_folder is None else str(part.lr_folder),
                "images": part.images,
                "usable": part.usable,
                "pixels": part.pixels,
                "smallest": part.smallest,
                "largest": part.largest,
                "kinds": [{**vars(kind), "files": count} for kind, count in part.kinds],
                "other_endings": dict(part.other_endings),
                "remarks": list(part.remarks),
            }
            for part in survey.parts
        ],
        "problems": [
            {"file": str(problem.file), "problem": problem.what} for problem in survey.problems
        ],
    }
