"""The options of a search: what its command, its configuration file and ``nas.search`` take."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Self

from annotated_types import Ge
from typing_extensions import Doc

from search_spaces import InputError, InputSpec

from .budget import Budget
from .settings import StudyRequest

if TYPE_CHECKING:
    from .study import Study

#: Texts with a grammar of their own.
_GRAMMARS = {"budget": Budget.parse, "input": InputSpec.parse}


class OptionError(InputError):
    """The value of an option is wrong; ``field`` is the option's field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class SearchOptions(StudyRequest):
    """A request, and how far and by whom it is to be worked on."""

    budget: Annotated[str | None, Doc("30m, or 50 trained trials, or 50,2h.")] = None
    study: Annotated[str | None, Doc("Name [SPACE-DEVICE-xSCALE].")] = None
    workers: Annotated[
        int | None, Ge(1), Doc("Processes that share the cores [one a core, 4 at most].")
    ] = None
    storage: Annotated[str | None, Doc("Database URL that machines share (PostgreSQL).")] = None
    artifacts: Annotated[
        str | None, Doc("DIR or s3://BUCKET/PREFIX: models go there, for every machine to export.")
    ] = None
    confirm: Annotated[
        str | None,
        Doc("Device that measures the ten best in the end, where latencies are predicted."),
    ] = None

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Options by the names of fields; OptionError if one is of a wrong type or out of range.

        Words may stand for members of enumerations; an empty list says nothing.
        """
        from pydantic import TypeAdapter, ValidationError

        values = {name: value for name, value in values.items() if is_said(value)}
        try:
            # By way of JSON: its strict rules take a word for an enumeration, but no 5 for "5".
            text = json.dumps(values, default=_no_value)
            options = TypeAdapter(cls).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            name, message = str(first["loc"][0]), first["msg"]
            raise OptionError(
                name, f"{option_name(name)} {values[name]!r}: {message[0].lower()}{message[1:]}"
            ) from None
        if options.steps is not None and options.trial_seconds is not None:
            raise OptionError("steps", "steps and trial-seconds: leave one of them out")
        for name, parse in _GRAMMARS.items():
            text = getattr(options, name)
            try:
                if text is not None:
                    parse(text)
            except InputError as error:
                raise OptionError(name, str(error)) from None
        return options

    @classmethod
    def repeating(cls, study: Study) -> Self:
        """What makes ``study`` again, or goes on with it: every value as it was really used.

        Without objects of Python, which options cannot name.
        """
        conditions = {
            field.name: getattr(study.settings, field.name) for field in fields(StudyRequest)
        }
        conditions["trial_seconds"] = None  # of another machine: the steps are said
        conditions |= dict.fromkeys(study.settings.objects)
        return cls(**conditions, budget=study.budget().option or None, study=study.folder.word)

    @property
    def given(self) -> Iterator[tuple[str, Any]]:
        """Options by name that have a value: the study and its budget first."""
        run = ("study", "budget")
        names = [*run, *(field.name for field in fields(self) if field.name not in run)]
        for name in names:
            if is_said(getattr(self, name)):
                yield option_name(name), getattr(self, name)

    @property
    def command(self) -> str:
        """The ``nas search`` of these options."""
        words = ["nas", "search"]
        for name, value in self.given:
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
            elif isinstance(value, tuple):
                words += [word for one in value for word in (f"--{name}", one)]
            else:
                words += [f"--{name}", str(value)]
        return shlex.join(words)


def is_said(value: object) -> bool:
    """Is it the value of an option that somebody gave?"""
    return value is not None and value not in ([], ())


def option_name(field: str) -> str:
    """``max_latency_ms`` -> ``max-latency``, as the command line and the file call it."""
    return field.removesuffix("_ms").replace("_", "-")


def _no_value(thing: object) -> list[None]:
    """For what JSON has no word for, as a date: it is of a wrong type, whatever the option."""
    return []
