"""Runs a vendor's command on this machine that converts TFLite files for a device."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DeviceError

_PLACEHOLDER = re.compile(r"\{model\}|\{folder\}")


def filled_in(convert: Sequence[str], model: str, folder: str) -> list[str]:
    """Replaces {model} and {folder} in the words of a command; other braces are kept."""
    values = {"{model}": model, "{folder}": folder}
    return [_PLACEHOLDER.sub(lambda match: values[match[0]], word) for word in convert]


@dataclass(frozen=True)
class Converter:
    """A command, ``words`` with {model} and {folder}, that writes the file ``made`` there."""

    words: tuple[str, ...]
    made: str
    #: the vendor, for messages
    maker: str
    timeout_seconds: float

    def convert(self, tflite: bytes) -> bytes:
        """Returns the converted file; DeviceError, with the command's output, on failure."""
        with tempfile.TemporaryDirectory(prefix="nas-convert-") as name:
            folder = Path(name)
            model = folder / "model.tflite"
            model.write_bytes(tflite)
            words = filled_in(self.words, str(model), str(folder))
            try:
                done = subprocess.run(
                    words, capture_output=True, text=True, errors="replace", check=False,
                    timeout=self.timeout_seconds,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                raise DeviceError(f"{words[0]}: no end within {self.timeout_seconds:g} s") from None
            except OSError as error:
                raise DeviceError(
                    f"{words[0]} cannot be started ({error.strerror}); name {self.maker}'s "
                    "converter as convert in device.toml"
                ) from None
            made = folder / self.made
            if done.returncode or not made.is_file():
                raise DeviceError(
                    f"{words[0]} made no {self.made} (exit code {done.returncode})",
                    done.stdout + done.stderr,
                )
            return made.read_bytes()
