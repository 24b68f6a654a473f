"""Runs rknn-toolkit2 in a separate Python, as its license and pinned packages require."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from search_spaces import NasError

from ...source import LatencyError
from .child import NO_TOOLKIT
from .layers import Compiled, read_compiled, read_compiler

#: Environment variable with the path of that Python, used if device.toml gives none.
VARIABLE = "NAS_RKNN_PYTHON"
#: Number of characters from the end of the compiler's output that messages quote.
_QUOTED_CHARACTERS = 200
_SETUP_HINT = (
    "Make one with Python 3.11: `python3.11 -m venv rknn`, then with rknn/bin/pip `install torch` "
    "(its CPU build is enough), `install --no-deps rknn-toolkit2==2.5.0`, "
    "`install 'protobuf<=4.25.4' fast-histogram onnx==1.18.0 onnxruntime 'numpy<=1.26.4' "
    "'opencv-python<4.12' psutil ruamel.yaml scipy tqdm 'setuptools<81' tensorflow-cpu==2.14.*`; "
    f"then name rknn/bin/python in ${VARIABLE} or as `interpreter` in device.toml"
)


class NoToolkitError(NasError):
    """rknn-toolkit2 is not set up; this only matters for devices that need it."""


@dataclass(frozen=True)
class Toolkit:
    """Compiles models for ``platform``, each in a child process; starting one takes about 10 s."""

    interpreter: Path
    platform: str
    timeout_seconds: float

    def compile(self, tflite: bytes) -> Compiled:
        """Compiles a TFLite file; LatencyError, with the reason, if the compiler refuses it.

        NasError if the interpreter lacks rknn-toolkit2.
        """
        # The compiler writes files into its working directory.
        with tempfile.TemporaryDirectory(prefix="nas-rknn-") as folder:
            model = Path(folder) / "model.tflite"
            model.write_bytes(tflite)
            return read_compiled(self._run_child(model.parent, str(model), self.platform))

    def compiler(self) -> str:
        """Returns name and version, "rknn-toolkit2 2.5.0"; NasError if the interpreter lacks it."""
        with tempfile.TemporaryDirectory(prefix="nas-rknn-") as folder:
            return read_compiler(self._run_child(Path(folder)))

    def _run_child(self, folder: Path, *words: str) -> str:
        """Runs the child in ``folder`` and returns its output."""
        try:
            with as_file(files("latency_models.sources.rknn") / "child.py") as child:
                done = subprocess.run(
                    [str(self.interpreter), "-I", str(child), *words],
                    cwd=folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=self.timeout_seconds,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            raise LatencyError(
                f"rknn-toolkit2: no answer within {self.timeout_seconds:g} s; stopped"
            ) from None
        except OSError as error:
            raise NasError(
                f"{self.interpreter} cannot be started ({error}). {_SETUP_HINT}"
            ) from None
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode == NO_TOOLKIT:
            raise NasError(
                f"{self.interpreter} lacks rknn-toolkit2: {_output_end(text)}. {_SETUP_HINT}"
            )
        if done.returncode:
            raise LatencyError(
                f"rknn-toolkit2 for {self.platform} failed (exit code {done.returncode}): "
                f"{_output_end(text)}"
            )
        return text


def find_interpreter(named: str | None) -> Path:
    """Returns the path of the Python ``named`` in device.toml, or else in the environment variable.

    NoToolkitError if neither names one, NasError if the file does not exist; both messages say how
    to set one up.
    """
    interpreter = named or os.environ.get(VARIABLE)
    if not interpreter:
        raise NoToolkitError(
            f"rknn-toolkit2 needs an interpreter of its own, and none is named. {_SETUP_HINT}"
        )
    # Symbolic links are not resolved: Python finds its virtual environment by the link.
    path = Path(interpreter).expanduser().absolute()
    if not path.is_file():
        raise NasError(f"the interpreter {path} does not exist. {_SETUP_HINT}")
    return path


def _output_end(text: str) -> str:
    """Returns the end of ``text`` on one line, without control characters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[-_QUOTED_CHARACTERS:] or "it said nothing"
