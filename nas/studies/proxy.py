"""Optuna's storage proxy from a worker's side: a database by way of ``nas serve-storage``.

Optuna's own client knows neither heartbeats nor locks. Three more calls, served beside Optuna's,
are their home: a worker that is killed is noticed as it is without the proxy.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

import grpc
import optuna
from optuna.storages import GrpcStorageProxy

from search_spaces import InputError

from ..system.files import json_text
from .heartbeat import HEARTBEAT_SECONDS, HeartbeatStorage
from .persistence import around_operations, persistent
from .place import DatabaseError, Place, UnreachableError, parse_url

#: The calls of ours, as the server names them.
SERVICE = "nas.Studies"
ABOUT, BEAT, STALE, HOLD = "About", "Beat", "Stale", "Hold"
#: What ``HOLD`` says once: the caller is alone for as long as it listens; or somebody else is.
HELD, BUSY = b"held", b"busy"
DEFAULT_PORT = 13000
_CALL_SECONDS = 10.0
_POLL_SECONDS = 0.1


def encode(value: object) -> bytes:
    """A message of our calls."""
    return json_text(value).encode()


def decode(message: bytes) -> Any:
    """What ``encode`` was given; gRPC takes a None for a failure to read it."""
    return json.loads(message)


@dataclass(frozen=True)
class ProxyAddress:
    """Where a proxy listens; ``host`` in brackets if it is a number of IPv6."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """``grpc://HOST:PORT``; InputError for anything more, which only the proxy knows."""
        parsed = parse_url(url)
        port = DEFAULT_PORT if parsed.port is None else parsed.port
        extras = (parsed.username, parsed.password, parsed.database, *parsed.query)
        if not parsed.host or any(extras) or not 0 < port < 1 << 16:
            raise InputError(
                f"--storage {Place.of_url(url).shown!r}: write grpc://HOST:{DEFAULT_PORT}; the "
                "database, its user and password are told to `nas serve-storage` alone"
            )
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        return cls(host, port)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _told(operation: Callable[..., Any]) -> Callable[..., Any]:
    """``operation`` of the client, with DatabaseError for what gRPC raises."""

    @functools.wraps(operation)
    def call(storage: _ProxiedStorage, *args: Any, **kwargs: Any) -> Any:
        try:
            return operation(storage, *args, **kwargs)
        except grpc.RpcError as error:
            raise _failure(storage.place, error) from None

    return call


class _ProxiedStorage(GrpcStorageProxy, HeartbeatStorage):
    """Optuna's client, with heartbeats."""

    def __init__(self, place: Place, address: ProxyAddress) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            super().__init__(host=address.host, port=address.port)
        self.place = place

    def record_first_heartbeat(self, trial_id: int) -> None:
        self._call(BEAT, trial_id)

    def record_heartbeat(self, trial_id: int) -> None:
        with contextlib.suppress(grpc.RpcError):
            self._call(BEAT, trial_id)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        stale: list[int] = self._call(STALE, study_id)
        return stale

    def get_heartbeat_interval(self) -> int:
        return HEARTBEAT_SECONDS

    def get_heartbeat_stale_trial_callback(self) -> None:
        return None

    def _call(self, name: str, argument: object) -> Any:
        call = self._channel.unary_unary(
            f"/{SERVICE}/{name}", request_serializer=encode, response_deserializer=decode
        )
        (answer,) = call([argument], timeout=_CALL_SECONDS)
        return answer


persistent(around_operations(_ProxiedStorage, _told))


def require_proxy(url: str) -> None:
    """InputError if ``url`` is none, DatabaseError if no proxy of ours answers there."""
    open_proxy(url).close()


def open_proxy(url: str) -> GrpcStorageProxy:
    """The storage behind the proxy at ``url``; errors as of ``require_proxy``."""
    place = Place.of_url(url)
    storage = _ProxiedStorage(place, ProxyAddress.parse(url))
    try:
        about = storage._call(ABOUT, None)
    except grpc.RpcError as error:
        storage.close()
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise DatabaseError(
                f"{place.shown}: Optuna's own proxy, which keeps no heartbeats; begin "
                "`nas serve-storage` in its place"
            ) from None
        raise DatabaseError(
            f"{place.shown}: no storage proxy answers ({error.details()}); begin one by "
            "`nas serve-storage`, or see to the address"
        ) from None
    ours = version("optuna")
    if _generation(about["optuna"]) != _generation(ours):
        raise DatabaseError(
            f"{place.shown}: the proxy has Optuna {about['optuna']}, this machine {ours}; "
            "install the same"
        )
    return storage


def _generation(release: str) -> str:
    """Releases of one speak the same language."""
    return release.partition(".")[0]


@contextlib.contextmanager
def alone_at_proxy(url: str) -> Iterator[None]:
    """Within, nobody else is so in its database, by way of a proxy or without.

    UnreachableError if the proxy does not answer. It lets go when this process ends, too.
    """
    place, address = Place.of_url(url), ProxyAddress.parse(url)
    with grpc.insecure_channel(str(address)) as channel:
        hold = channel.unary_stream(f"/{SERVICE}/{HOLD}")
        try:
            held = hold(b"")
            while next(held) != HELD:
                time.sleep(_POLL_SECONDS * random.uniform(0.5, 1.5))
                held = hold(b"")
        except grpc.RpcError as error:
            raise _failure(place, error) from None
        try:
            yield
        finally:
            held.cancel()


def _failure(place: Place, error: grpc.RpcError) -> DatabaseError:
    """What is told of a call that the proxy did not answer, or answered by an error."""
    failure = place.failure(error.details() or str(error.code()))
    passing = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return UnreachableError(str(failure)) if error.code() in passing else failure
