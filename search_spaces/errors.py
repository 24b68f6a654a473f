"""The one family of errors that users see: each says what happened, the value, and what to do."""

from __future__ import annotations


class NasError(Exception):
    """Base of every error raised on purpose by this project.

    ``exit_code`` is what the command line returns for it: 1, the environment failed.
    """

    exit_code = 1


class InputError(NasError):
    """An argument or an input file is wrong; nothing was started, nothing is lost."""

    exit_code = 2


class GraphError(InputError):
    """A graph that cannot exist: a shape that does not fit, an attribute out of range."""


class CandidateError(NasError):
    """One candidate failed; its trial is recorded with this reason and the search goes on."""
