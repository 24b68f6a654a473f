"""Objects that a Python program can pass to a search instead of names on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from optuna.samplers import BaseSampler

from latency_models.device import Device
from search_spaces import InputError
from search_spaces.naming import is_object_word, object_word
from search_spaces.spaces.space import Space

from ..data.arrays import Images
from ..studies.folder import StudyFolder
from ..studies.record import TrialRecord
from ..studies.study import Study

#: Called with the study and the record of each trial that has ended.
Callback = Callable[[Study, TrialRecord], None]
#: Fields of objects that are needed to continue a study; its settings name each of them.
_REQUIRED_FIELDS = ("space", "device", "sampler")


@dataclass(frozen=True)
class SearchObjects:
    """Objects for a search; None for each that its options name or that has its default."""

    space: Space | None = None
    device: Device | None = None
    images: Images | None = None
    sampler: BaseSampler | None = None
    callbacks: tuple[Callback, ...] = ()
    #: folder of the study, instead of ./studies/STUDY
    folder: Path | None = None

    @property
    def words(self) -> dict[str, str]:
        """The names under which the study's settings refer to the required objects, by field."""
        words = {}
        if self.space is not None:
            words["space"] = self.space.name
        if self.device is not None:
            words["device"] = object_word(self.device.name)
        if self.sampler is not None:
            words["sampler"] = object_word(type(self.sampler).__name__)
        return words

    def study_folder(self, name: str) -> StudyFolder:
        """Returns the folder of the study ``name``; InputError if it has other contents."""
        return StudyFolder.found(name) if self.folder is None else StudyFolder.at(self.folder)

    def require_passable(self, workers: int) -> None:
        """Raises InputError for objects that cannot be passed to several worker processes."""
        names = [field.name for field in fields(self) if field.name not in ("folder", "images")]
        given = [name for name in names if getattr(self, name)]
        if workers > 1 and given:
            raise InputError(
                f"{' and '.join(given)}: objects of this process, which {workers} worker processes "
                "cannot have; pass workers=1, or give a file or a name"
            )

    def require_complete_for(self, study: Study) -> None:
        """Raises InputError if ``study`` needs an object that is missing or has another sampler."""
        words = self.words
        for name in _REQUIRED_FIELDS:
            word = str(getattr(study.settings, name))
            if name == "sampler" and words.get(name, word) != word:
                raise InputError(
                    f"study {study.name!r} was made with sampler {word}, not {words[name]}; "
                    "leave it out, or start another study"
                )
            if is_object_word(word) and name not in words:
                raise InputError(
                    f"study {study.name!r} was made from Python with {name} {word}: continue it "
                    f"there, with nas.search(..., {name}=...)"
                )


#: For searches from the command line, which pass no objects.
NO_OBJECTS = SearchObjects()
