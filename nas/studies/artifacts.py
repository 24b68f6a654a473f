"""Where a study's models go that any machine may export: Optuna's artifact stores."""

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
    """The store is out of reach, or takes nothing."""


@dataclass(frozen=True)
class ArtifactPlace:
    """A folder, or a bucket of S3 with what all its objects' names begin with."""

    #: by its whole path
    folder: Path | None = None
    bucket: str = ""
    prefix: str = ""

    @classmethod
    def parse(cls, word: str) -> Self:
        """``DIR`` or ``s3://BUCKET/PREFIX``; InputError for anything else."""
        if "://" not in word:
            if not word:
                raise InputError("artifacts '': write a folder, or s3://BUCKET/PREFIX")
            return cls(folder=Path(word).absolute())
        url = urlsplit(word)
        if url.scheme != _S3 or not url.netloc or url.query or url.fragment:
            raise InputError(
                f"artifacts {shown_url(word)!r}: write a folder, or s3://BUCKET/PREFIX"
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
        """The store there; a folder is made. NasError if boto3 is missing, for S3."""
        return Artifacts(self, self._folder_store() if self.folder else self._s3_store())

    def _folder_store(self) -> ArtifactStore:
        assert self.folder is not None  # the caller looked
        with self.told():
            self.folder.mkdir(parents=True, exist_ok=True)
        return _WholeFiles(self.folder)

    def _s3_store(self) -> ArtifactStore:
        try:
            import boto3  # noqa: F401
        except ImportError:
            raise NasError(
                f"artifacts {self}: boto3 is not installed; pip install 'npu-nas[s3]'"
            ) from None
        from optuna.artifacts import Boto3ArtifactStore

        with self.told():
            store = Boto3ArtifactStore(self.bucket)
        return _Prefixed(store, f"{self.prefix}/") if self.prefix else store

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Within, what fails is the fault of the store: ArtifactError in one line."""
        try:
            yield
        except (ArtifactNotFound, ArtifactError):
            raise
        # Whatever boto3 raises: it has no class of errors of its own.
        except Exception as error:
            reason = error.strerror or error if isinstance(error, OSError) else error
            raise ArtifactError(
                f"artifacts {self}: cannot be used ({reason}); see to its disk, address or keys"
            ) from None


@dataclass(frozen=True)
class Artifacts:
    """A store that is open; each of its operations raises ArtifactError if it fails.

    An artifact store of Optuna, to be handed to what asks for one.
    """

    place: ArtifactPlace
    store: ArtifactStore

    def open_reader(self, artifact_id: str) -> BinaryIO:
        with self.place.told():
            return self.store.open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        with self.place.told():
            self.store.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        with self.place.told():
            self.store.remove(artifact_id)

    def require_writable(self) -> None:
        """ArtifactError if nothing can be put there, or taken away."""
        probe = f"probe-{uuid.uuid4()}"
        self.keep(probe, b"")
        self.remove(probe)

    def holds(self, artifact_id: str) -> bool:
        """Is it there?"""
        try:
            self.open_reader(artifact_id).close()
        except ArtifactNotFound:
            return False
        return True

    def read(self, artifact_id: str) -> bytes:
        """ArtifactNotFound if it is not there."""
        with self.open_reader(artifact_id) as reader, self.place.told():
            return reader.read()

    def keep(self, artifact_id: str, content: bytes) -> None:
        """Writes it, whole."""
        self.write(artifact_id, io.BytesIO(content))


class _WholeFiles(FileSystemArtifactStore):
    """Optuna's folder, in which a file is there whole or not at all."""

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        buffer = io.BytesIO()
        shutil.copyfileobj(content_body, buffer)
        write_whole(self._get_filepath(artifact_id), buffer.getvalue())


@dataclass(frozen=True)
class _Prefixed:
    """A store of which only names with a prefix are ours."""

    store: ArtifactStore
    prefix: str

    def open_reader(self, artifact_id: str) -> BinaryIO:
        return self.store.open_reader(self.prefix + artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self.store.write(self.prefix + artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        self.store.remove(self.prefix + artifact_id)
