"""Makes the options of a command from the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import typer
from annotated_types import Ge, GroupedMetadata, Le
from typing_extensions import Doc

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def with_options(
    kind: type[Any], name_of: Callable[[str], str], first: str
) -> Callable[[Callable[Given, Answer]], Callable[Given, Answer]]:
    """A decorator of commands with ``**options``: adds an option for each field of ``kind``.

    The command receives them by the names of the fields, None if not given. ``name_of`` makes the
    name of an option from that of a field; ``first`` is the first field in the help. Fields are
    ``Annotated`` with ``Ge`` and ``Le`` for their bounds, and ``Doc``.
    """

    def decorate(command: Callable[Given, Answer]) -> Callable[Given, Answer]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        hints = get_type_hints(kind, include_extras=True)
        names = sorted((field.name for field in fields(kind)), key=lambda name: name != first)
        options = [_parameter(name, name_of(name), hints[name]) for name in names]
        plain = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own]
        command.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*options, *plain]
        )
        return command

    return decorate


def _parameter(field: str, name: str, annotation: Any) -> inspect.Parameter:
    kind, *notes = get_args(annotation)
    if any(get_origin(part) is tuple for part in get_args(kind)):
        # For typer, an option that may be repeated is a list.
        kind = list[str] | None
    flag = f"--{name}/--no-{name}" if bool in get_args(kind) else f"--{name}"
    bounds = list(_unfolded(notes))
    low: Any = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
    high: Any = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
    option = typer.Option(
        flag,
        min=low,
        max=high,
        help=next((note.documentation for note in notes if isinstance(note, Doc)), None),
    )
    return inspect.Parameter(
        field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
    )


def _unfolded(notes: list[Any]) -> Iterator[Any]:
    """Splits intervals into their bounds."""
    for note in notes:
        yield from note if isinstance(note, GroupedMetadata) else (note,)
