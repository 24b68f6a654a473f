"""Creates the options of a command from the fields of a dataclass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import typer
from annotated_types import Ge, GroupedMetadata, Le
from typing_extensions import Doc

CommandParameters = ParamSpec("CommandParameters")
CommandResult = TypeVar("CommandResult")


def with_options(
    kind: type[Any], name_of: Callable[[str], str], first: str
) -> Callable[
    [Callable[CommandParameters, CommandResult]], Callable[CommandParameters, CommandResult]
]:
    """Returns a decorator that adds a command-line option for each field of dataclass ``kind``.

    The command takes the options as ``**options``, named like the fields; an option that is not
    given is None. ``name_of`` maps a field's name to the option's name; ``first`` is the field that
    the help lists first. Fields are ``Annotated`` with ``Ge`` and ``Le`` for bounds and with
    ``Doc`` for the help text.
    """

    def decorate(
        command: Callable[CommandParameters, CommandResult],
    ) -> Callable[CommandParameters, CommandResult]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        hints = get_type_hints(kind, include_extras=True)
        names = sorted((field.name for field in fields(kind)), key=lambda name: name != first)
        options = [_option_parameter(name, name_of(name), hints[name]) for name in names]
        plain = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own]
        command.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*options, *plain]
        )
        return command

    return decorate


def _option_parameter(field: str, name: str, annotation: Any) -> inspect.Parameter:
    kind, *notes = get_args(annotation)
    if any(get_origin(part) is tuple for part in get_args(kind)):
        # typer declares a repeatable option as a list.
        kind = list[str] | None
    flag = f"--{name}/--no-{name}" if bool in get_args(kind) else f"--{name}"
    bounds = list(_single_bounds(notes))
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


def _single_bounds(notes: list[Any]) -> Iterator[Any]:
    """Yields the annotations, with each interval split into its lower and upper bound."""
    for note in notes:
        yield from note if isinstance(note, GroupedMetadata) else (note,)
