"""Parses references to a study's trial, written ``STUDY#TRIAL``."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import InputError


@dataclass(frozen=True)
class TrialReference:
    """A study's name and the number of one of its trials; ``trial`` is None for the study alone."""

    study: str
    trial: int | None = None

    @classmethod
    def parse(cls, what: str) -> TrialReference:
        """Parses ``STUDY`` or ``STUDY#TRIAL``; raises InputError if no number follows the #."""
        study, separator, number = what.partition("#")
        if not separator:
            return cls(study)
        if not number.isdecimal():
            raise InputError(f"{what!r}: after the # comes a trial's number, as in {study}#7")
        return cls(study, int(number))
