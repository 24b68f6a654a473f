"""Errors shown to users: each message states the problem, the offending value and a remedy."""

from __future__ import annotations


class NasError(Exception):
    """Base class of every error that this project raises deliberately.

    ``exit_code`` is the exit code of the command line for it; 1 means that the environment failed.
    """

    exit_code = 1


class InputError(NasError):
    """An argument or an input file is invalid; raised before any work starts."""

    exit_code = 2


class GraphError(InputError):
    """A graph is invalid: for example, shapes do not match or an attribute is out of range."""


class CandidateError(NasError):
    """One candidate failed; its trial is recorded with this message and the search continues."""
