"""Stores a study's model files in an Optuna artifact store that all machines can read."""

from __future__ import annotations

import contextlib
import io
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self
from urllib.parse import urlsplit

from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from search_spaces import InputError, NasError

from ..system.files import write_whole
from ..system.passwords import shown_url

if TYPE_CHECKING:
    from optuna.artifacts._protocol import ArtifactStore

_S3 = "s3"


class ArtifactError(NasError):
    """The artifact store cannot be reached or written."""


@dataclass(frozen=True)
class ArtifactPlace:
    """Location of an artifact store: a folder, or an S3 bucket and a prefix of object names."""

    #: Absolute path; None for an S3 bucket.
    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses ``DIR`` or ``s3://BUCKET/PREFIX``; raises InputError for anything else."""
        if "://" not in text:
            if not text:
                raise InputError("artifacts '': write a folder, or s3://BUCKET/PREFIX")
            return cls(folder=Path(text).absolute())
        url = urlsplit(text)
        if url.scheme != _S3 or not url.netloc or url.query or url.fragment:
            raise InputError(
                f"artifacts {shown_url(text)!r}: write a folder, or s3://BUCKET/PREFIX"
            )
        if set(url.netloc) & set("@:"):
            raise InputError(
                "artifacts: write s3://BUCKET/PREFIX; keys and endpoint are those of AWS's own "
                "files and variables (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL ...)"
            )
        return cls(bucket=url.netloc, prefix=url.path.strip("/"))

    def __str__(self) -> str:
        if self.folder is not None:
            return str(self.folder)
        return "/".join(filter(None, (f"{_S3}://{self.bucket}", self.prefix)))

    def open(self) -> Artifacts:
        """Opens the store and creates its folder if missing.

        Raises NasError if S3 needs boto3 and it is not installed.
        """
        return Artifacts(self, self._folder_store() if self.folder else self._s3_store())

    def _folder_store(self) -> ArtifactStore:
        assert self.folder is not None  # checked by ``open``
        with self.translated_errors():
            self.folder.mkdir(parents=True, exist_ok=True)
        return _AtomicFolderStore(self.folder)

    def _s3_store(self) -> ArtifactStore:
        try:
            import boto3  # noqa: F401
        except ImportError:
            raise NasError(
                f"artifacts {self}: boto3 is not installed; pip install 'npu-nas[s3]'"
            ) from None
        from optuna.artifacts import Boto3ArtifactStore

        with self.translated_errors():
            store = Boto3ArtifactStore(self.bucket)
        return _PrefixedStore(store, f"{self.prefix}/") if self.prefix else store

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Converts any error of the store inside the block to a one-line ArtifactError.

        ArtifactNotFound passes unchanged.
        """
        try:
            yield
        except (ArtifactNotFound, ArtifactError):
            raise
        # boto3's exceptions have no common base class of their own.
        except Exception as error:
            reason = error.strerror or error if isinstance(error, OSError) else error
            raise ArtifactError(
                f"artifacts {self}: cannot be used ({reason}); check its disk, address or keys"
            ) from None


@dataclass(frozen=True)
class Artifacts:
    """An open artifact store whose operations raise ArtifactError if they fail.

    It implements Optuna's artifact store protocol and can be passed to Optuna's functions.
    """

    place: ArtifactPlace
    store: ArtifactStore

    def open_reader(self, artifact_id: str) -> BinaryIO:
        with self.place.translated_errors():
            return self.store.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        with self.place.translated_errors():
            self.store.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        with self.place.translated_errors():
            self.store.remove(artifact_id)

    def require_writable(self) -> None:
        """Raises ArtifactError unless artifacts can be written and removed."""
        probe = f"probe-{uuid.uuid4()}"
        self.keep(probe, b"")
        self.remove(probe)

    def holds(self, artifact_id: str) -> bool:
        """Returns whether the store contains the artifact."""
        try:
            self.open_reader(artifact_id).close()
        except ArtifactNotFound:
            return False
        return True

    def read(self, artifact_id: str) -> bytes:
        """Returns the artifact's content; raises ArtifactNotFound if it does not exist."""
        with self.open_reader(artifact_id) as reader, self.place.translated_errors():
            return reader.read()

    def keep(self, artifact_id: str, content: bytes) -> None:
        """Writes ``content`` as the artifact ``artifact_id``."""
        self.write(artifact_id, io.BytesIO(content))


class _AtomicFolderStore(FileSystemArtifactStore):
    """Optuna's folder store with atomic writes: a file is either complete or absent."""

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        buffer = io.BytesIO()
        shutil.copyfileobj(content_body, buffer)
        write_whole(self._get_filepath(artifact_id), buffer.getvalue())


@dataclass(frozen=True)
class _PrefixedStore:
    """Wraps a store so that every artifact name gets a prefix."""

    store: ArtifactStore
    prefix: str

    def open_reader(self, artifact_id: str) -> BinaryIO:
        return self.store.open_reader(self.prefix + artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self.store.write(self.prefix + artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        self.store.remove(self.prefix + artifact_id)
