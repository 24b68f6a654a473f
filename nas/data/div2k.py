"""Downloads, verifies and unpacks the official DIV2K archives; resumes interrupted downloads.

Agustsson, Timofte, "NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study",
CVPRW 2017; free for academic research.
"""

from __future__ import annotations

import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from search_spaces.errors import InputError, NasError

#: The authors' server.
SERVER = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
#: Progress callback ``(what, done, total)``: ``done`` of ``total`` bytes or images.
Observe = Callable[[str, int, int], None]

#: Subfolder for incomplete downloads and unpacked images.
_DOWNLOAD_FOLDER = ".download"
#: Bytes written at a time; if the connection breaks, the incomplete chunk is lost.
_CHUNK_BYTES = 1 << 15
_TIMEOUT_SECONDS = 30.0
#: A transfer fails after this number of consecutive attempts without new data.
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.5


class Subset(StrEnum):
    """A part of the data set."""

    TRAIN = "train"
    VALID = "valid"


@dataclass(frozen=True)
class Archive:
    """The archive ``name``.zip: size, SHA-256, number of images, and the folder to unpack into."""

    name: str
    folder: str
    images: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        if self.images < 1 or self.bytes < 1 or len(self.sha256) != 64:
            raise InputError(f"archive {self.name}: no images, no bytes or no SHA-256")


# Subset, LR scale or HR, bytes and SHA-256 of each archive, from TensorFlow Datasets
# (datasets/div2k/checksums.tsv); the authors publish no checksums.
_CHECKSUMS = """
train HR 3530603713 9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335
train 2   925390592 a53a424317575838dadce4bcd97cf7b744d6855f43740ed5f0245af3cf4bd850
train 3   427847282 ad5c8e5507e2765823d3c2c5bd0934842efcd487c5370604c224090898b3163a
train 4   246914039 f006b837f4eb52b82909aa01478e6d6d199eefce932179491d0c9dbb706dde3a
valid HR  448993893 20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc
valid 2   117763600 60eed9875c697df51204aa579e2a699e1d5215095788a097ff54dd17e2664d57
valid 3    54513392 04b9a2ed3b4a0715d3924d3ae8514830c3328fac8d30512ce716d6f419e052a3
valid 4    31505881 a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553
"""


def _archives(checksums: str) -> Iterator[tuple[tuple[Subset, int | None], Archive]]:
    """Yields each archive with its subset and LR scale, None for HR images."""
    for line in checksums.split("\n")[1:-1]:
        part, kind, size, sha256 = line.split()
        images = 800 if part == Subset.TRAIN else 100
        name = folder = f"DIV2K_{part}_HR"
        if kind != "HR":
            folder = f"DIV2K_{part}_LR_bicubic/X{kind}"
            name = folder.replace("/", "_")
        scale = None if kind == "HR" else int(kind)
        yield (Subset(part), scale), Archive(name, folder, images, int(size), sha256)


_OFFICIAL = dict(_archives(_CHECKSUMS))


def official(parts: Collection[Subset], scales: Collection[int]) -> tuple[Archive, ...]:
    """Returns the HR archives of ``parts`` and their bicubic LR archives of ``scales``.

    Raises InputError for a scale other than 2, 3 and 4.
    """
    wrong = sorted(set(scales) - {2, 3, 4})
    if wrong:
        raise InputError(f"scale {wrong[0]}: DIV2K has bicubic LR images of scale 2, 3 and 4")
    return tuple(
        archive
        for (part, scale), archive in _OFFICIAL.items()
        if part in parts and (scale is None or scale in scales)
    )


def fetch(
    folder: Path,
    archives: Collection[Archive],
    server: str = SERVER,
    observe: Observe = lambda what, done, total: None,
) -> tuple[Path, ...]:
    """Downloads ``archives``, unpacks them under ``folder``, and returns the unpacked folders.

    A folder appears only when it is complete. Existing folders are not fetched again; interrupted
    transfers are resumed if the server supports it. Raises InputError if an existing folder has
    another number of images, NasError if the disk is too small, the server fails, or an archive
    differs from the official one.
    """
    missing = [archive for archive in archives if not _is_unpacked(folder, archive)]
    _require_room(folder, missing)
    for archive in missing:
        file = _download(folder / _DOWNLOAD_FOLDER, archive, server, observe)
        _unpack(file, archive, folder, observe)
        file.unlink()
    if missing:
        shutil.rmtree(folder / _DOWNLOAD_FOLDER)
    return tuple(folder / archive.folder for archive in archives)


def _is_unpacked(folder: Path, archive: Archive) -> bool:
    """Returns whether the archive is unpacked; raises InputError if images are missing."""
    target = folder / archive.folder
    if not target.exists():
        return False
    count = len(list(target.glob("*.png")))
    if count != archive.images:
        raise InputError(
            f"{target}: holds {count} PNG images, DIV2K has {archive.images}; move it away to have "
            "it fetched again"
        )
    return True


def _require_room(folder: Path, archives: Collection[Archive]) -> None:
    """Raises NasError unless the disk has space for all images and the largest archive.

    The archives hardly compress their PNG files, so the size of an archive is that of its images.
    """
    if not archives:
        return
    folder.mkdir(parents=True, exist_ok=True)
    received = sum(_size(_partial_file(folder / _DOWNLOAD_FOLDER, archive)) for archive in archives)
    sizes = [archive.bytes for archive in archives]
    needed = sum(sizes) + max(sizes) - received
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NasError(
            f"{folder}: {free / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed; "
            "free some, or fetch fewer parts"
        )


def _download(download_folder: Path, archive: Archive, server: str, observe: Observe) -> Path:
    """Downloads an archive, verifies its checksum, and returns its path."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    url = f"{server.rstrip('/')}/{archive.name}.zip"
    partial = _partial_file(download_folder, archive)

    def receive(url: str, target: str, pooch: object) -> None:
        _receive_all(url, partial, archive, observe)
        partial.replace(target)

    try:
        file = pooch.retrieve(
            url, archive.sha256, f"{archive.name}.zip", download_folder, downloader=receive
        )
    except ValueError:
        raise NasError(
            f"{url}: its SHA-256 is not that of the official archive; what was received is "
            "deleted, run the command again or name another server"
        ) from None
    return Path(file)


def _receive_all(url: str, partial: Path, archive: Archive, observe: Observe) -> None:
    """Continues ``partial`` until it is complete; raises NasError after ``_ATTEMPTS`` failures."""
    import requests

    if _size(partial) > archive.bytes:
        partial.unlink()
    most_received, failures = _size(partial), 0
    while (received := _size(partial)) < archive.bytes:
        try:
            _receive(url, partial, received, archive, observe)
            reason = "the connection was closed"
        except requests.RequestException as error:
            reason = " ".join(str(error).split())
        received = _size(partial)
        failures = 0 if received > most_received else failures + 1
        most_received = max(most_received, received)
        if failures == _ATTEMPTS:
            raise NasError(
                f"{url}: {reason}; {received} of {archive.bytes} bytes are kept, "
                "the same command goes on from there"
            )
        if received < archive.bytes:
            time.sleep(_PAUSE_SECONDS * failures)


def _receive(url: str, partial: Path, received: int, archive: Archive, observe: Observe) -> None:
    """Requests the bytes after ``received`` once, and appends those that arrive to ``partial``."""
    import requests

    headers = {"Accept-Encoding": "identity"}
    if received:
        headers["Range"] = f"bytes={received}-"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
        if 400 <= response.status_code < 500:
            raise NasError(
                f"{url}: the server answers {response.status_code} {response.reason}; check its "
                f"address, or delete {partial.parent} to begin again"
            )
        response.raise_for_status()
        # A server without support for ranges answers 200 and sends the whole file.
        continued = response.status_code == requests.codes.partial_content
        done = received if continued else 0
        with _naming_file(partial), partial.open("ab" if continued else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                observe(f"{archive.name}.zip", done, archive.bytes)
                if done > archive.bytes:  # not the official file; the checksum test reports that
                    return


def _unpack(file: Path, archive: Archive, folder: Path, observe: Observe) -> None:
    """Unpacks all PNG files of the archive; zipfile checks the CRC of each."""
    unpacked = folder / _DOWNLOAD_FOLDER / archive.name
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    try:
        with zipfile.ZipFile(file) as archived:
            members = list(_png_members(archived))
            for done, (name, member) in enumerate(members, 1):
                with (
                    archived.open(member) as source,
                    _naming_file(unpacked / name),
                    (unpacked / name).open("wb") as target,
                ):
                    shutil.copyfileobj(source, target)
                observe(f"unpacking {archive.name}", done, len(members))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise NasError(f"{file}: damaged ({error}); delete it and run the command again") from None
    count = len(list(unpacked.iterdir()))
    if count != archive.images:
        raise NasError(f"{file}: holds {count} images, not {archive.images}; name another server")
    target_folder = folder / archive.folder
    target_folder.parent.mkdir(parents=True, exist_ok=True)
    unpacked.rename(target_folder)


def _png_members(archived: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Yields the PNG files of an archive with their names without folders."""
    for member in archived.infolist():
        name = Path(member.filename).name
        if name.lower().endswith(".png") and not name.startswith("."):
            yield name, member


def _partial_file(download_folder: Path, archive: Archive) -> Path:
    return download_folder / f"{archive.name}.zip.part"


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


@contextmanager
def _naming_file(file: Path) -> Iterator[None]:
    """Makes OSErrors name ``file``, except those of requests, which are OSErrors, too."""
    import requests

    try:
        yield
    except requests.RequestException:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
