"""The options of a search, shared by ``nas search``, its configuration file and ``nas.search``."""

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

#: Parsers that validate options whose text has a syntax of its own.
_PARSERS = {"budget": Budget.parse, "input": InputSpec.parse}


class OptionError(InputError):
    """An option has an invalid value; ``field`` is the name of its field in ``SearchOptions``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class SearchOptions(StudyRequest):
    """All options of a search: the study's conditions, its budget, workers and storage."""

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
        """Creates options from values by field name.

        Members of enumerations may be given as strings; None and empty lists count as not given.
        Raises OptionError if a value has a wrong type or is out of range.
        """
        from pydantic import TypeAdapter, ValidationError

        values = {name: value for name, value in values.items() if is_said(value)}
        try:
            # Pydantic's strict mode accepts a string for an enumeration only in JSON input; like
            # this it still rejects 5 for "5".
            text = json.dumps(values, default=_invalid_value)
            options = TypeAdapter(cls).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            name, message = str(first["loc"][0]), first["msg"]
            raise OptionError(
                name, f"{option_name(name)} {values[name]!r}: {message[0].lower()}{message[1:]}"
            ) from None
        if options.steps is not None and options.trial_seconds is not None:
            raise OptionError("steps", "steps and trial-seconds: leave one of them out")
        for name, parse in _PARSERS.items():
            text = getattr(options, name)
            try:
                if text is not None:
                    parse(text)
            except InputError as error:
                raise OptionError(name, str(error)) from None
        return options

    @classmethod
    def repeating(cls, study: Study) -> Self:
        """Returns the options that repeat or continue ``study``, with the values actually used.

        Values that were Python objects are left out: no option can represent them.
        """
        conditions = {
            field.name: getattr(study.settings, field.name) for field in fields(StudyRequest)
        }
        # On another machine the same time would give other steps; ``steps`` is given instead.
        conditions["trial_seconds"] = None
        conditions |= dict.fromkeys(study.settings.objects)
        return cls(**conditions, budget=study.budget().option or None, study=study.folder.word)

    @property
    def given(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each option that is given, ``study`` and ``budget`` first."""
        first = ("study", "budget")
        names = [*first, *(field.name for field in fields(self) if field.name not in first)]
        for name in names:
            if is_said(getattr(self, name)):
                yield option_name(name), getattr(self, name)

    @property
    def command(self) -> str:
        """The ``nas search`` command line with these options."""
        words = ["nas", "search"]
        for name, value in self.given:
            if isinstance(value, bool):
                words.append(f"--{name}" if value else f"--no-{name}")
            elif isinstance(value, tuple):
                words += [word for item in value for word in (f"--{name}", item)]
            else:
                words += [f"--{name}", str(value)]
        return shlex.join(words)


def is_said(value: object) -> bool:
    """Returns whether ``value`` means a given option: neither None nor an empty list or tuple."""
    return value is not None and value not in ([], ())


def option_name(field: str) -> str:
    """Returns a field's name on the command line and in the file: max_latency_ms -> max-latency."""
    return field.removesuffix("_ms").replace("_", "-")


def _invalid_value(thing: object) -> dict[str, None]:
    """Replaces a value that JSON cannot represent, as a date, by one that no option accepts."""
    return {}
