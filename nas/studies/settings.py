"""A study's settings: fixed and stored when it is created, and compared with later commands."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, Self

from annotated_types import Ge, Interval
from typing_extensions import Doc

from search_spaces import InputError, NasError
from search_spaces.naming import is_object_word

from ..choices import Objective, Precision, Quantization, Risk, SamplerKind
from ..training.recipe import MIN_SEARCH_STEPS, Recipe


@dataclass(frozen=True)
class StudyRequest:
    """The conditions of a study that a command requests.

    None means the value of the existing study, or for a new study the default given in brackets.
    The command line, configuration files and ``nas.search`` take the options' types and bounds from
    these fields (see ``options``).
    """

    space: Annotated[str | None, Doc("Space or FILE.py [mobile].")] = None
    device: Annotated[str | None, Doc("Device or its folder [vs680].")] = None
    data: Annotated[str | None, Doc("Folder of photos [embedded].")] = None
    input: Annotated[str | None, Doc("LR size on the device [360x640].")] = None
    scale: Annotated[int | None, Interval(ge=2, le=4), Doc("[3]")] = None
    objective: Annotated[Objective | None, Doc("[score]")] = None
    risk: Annotated[
        Risk | None,
        Doc(
            "Time that scores count where it is predicted: the mean over its interval, the "
            "prediction, or the interval's upper end [mean]."
        ),
    ] = None
    sampler: Annotated[SamplerKind | None, Doc("[surrogate]")] = None
    quantize: Annotated[
        Quantization | None, Doc("INT8 steps after training: where needed, always, never [auto].")
    ] = None
    max_latency_ms: Annotated[
        float | None,
        Interval(ge=1e-6, le=1e6),
        Doc("Slower candidates are not trained, ms; a prediction counts at its upper bound."),
    ] = None
    seed: Annotated[int | None, Ge(0), Doc("[0]")] = None
    trial_seconds: Annotated[
        float | None,
        Interval(ge=0.1, le=1e6),
        Doc("In place of --steps: as many as ABPN makes in so many seconds."),
    ] = None
    steps: Annotated[
        int | None, Ge(MIN_SEARCH_STEPS), Doc("Gradient steps of each candidate [250].")
    ] = None
    precision: Annotated[Precision | None, Doc("[the faster one here]")] = None
    baselines: Annotated[bool | None, Doc("ABPN and XLSR as reference.")] = None
    warm_from: Annotated[
        tuple[str, ...] | None,
        Doc("Study whose trainings the sampler surrogate knows from the start; may be repeated."),
    ] = None


#: Values of settings that studies of earlier versions did not store.
_EARLIER_DEFAULTS = {"risk": Risk.POINT}


@dataclass(frozen=True)
class References:
    """PSNR of interpolation without a network on the study's validation images."""

    bicubic_psnr_db: float
    nearest_psnr_db: float


@dataclass(frozen=True)
class Settings:
    """The conditions of one study; studies with equal conditions are comparable."""

    space: str
    space_version: int
    space_fingerprint: str
    device: str
    device_fingerprint: str
    data: str
    data_fingerprint: str
    input: str
    scale: int
    objective: Objective
    risk: Risk
    #: A string names a sampler object that a Python program passed.
    sampler: SamplerKind | str
    quantize: Quantization
    max_latency_ms: float | None
    seed: int
    #: Training time from which the number of steps was derived; None if it was not.
    trial_seconds: float | None
    baselines: bool
    recipe: Recipe
    references: References
    versions: dict[str, str]
    #: Names of the studies whose trained networks this one started with (see ``warm_start``).
    warm_from: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Gradient steps of each candidate."""
        return self.recipe.steps

    @property
    def precision(self) -> Precision:
        """Number format in which convolutions are trained."""
        return self.recipe.precision

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the settings that were Python objects, which no command line can specify."""
        words = {field.name: getattr(self, field.name) for field in fields(StudyRequest)}
        return tuple(name for name, word in words.items() if is_object_word(str(word)))

    def refuse_other(self, name: str, request: StudyRequest) -> None:
        """Raises InputError if a value of ``request`` differs from these settings.

        ``name`` is the study's name, for the message.
        """
        for field in fields(StudyRequest):
            wanted, made_with = getattr(request, field.name), getattr(self, field.name)
            if wanted is not None and wanted != made_with:
                raise InputError(
                    f"study {name!r} was made with {field.name} {_value_text(made_with)}, "
                    f"not {_value_text(wanted)}; "
                    "leave the option out, or start another study by --study"
                )

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values that ``from_json`` reads back."""
        from pydantic import TypeAdapter

        values: dict[str, Any] = TypeAdapter(Settings).dump_python(self, mode="json")
        return values

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Reads the values that ``to_json`` returned; raises NasError if they are invalid."""
        from pydantic import TypeAdapter, ValidationError

        try:
            known = {**_EARLIER_DEFAULTS, **data} if isinstance(data, dict) else data
            return TypeAdapter(cls).validate_python(known)
        except ValidationError as error:
            first = error.errors()[0]
            raise NasError(
                f"the study's settings cannot be read ({first['loc']}: {first['msg']}); "
                "it was made by another version, or is damaged"
            ) from None


def _value_text(value: object) -> str:
    """Formats a setting's value for a message."""
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)
