"""rknn-toolkit2 in an interpreter of its own: its license and its pins keep it out of ours."""

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

#: Names the interpreter where device.toml does not.
VARIABLE = "NAS_RKNN_PYTHON"
#: Of the compiler's last words, so many letters go into a message.
_LAST_WORDS = 200
_HOW = (
    "Make one with Python 3.11: `python3.11 -m venv rknn`, then with rknn/bin/pip `install torch` "
    "(its CPU build is enough), `install --no-deps rknn-toolkit2==2.5.0`, "
    "`install 'protobuf<=4.25.4' fast-histogram onnx==1.18.0 onnxruntime 'numpy<=1.26.4' "
    "'opencv-python<4.12' psutil ruamel.yaml scipy tqdm 'setuptools<81' tensorflow-cpu==2.14.*`; "
    f"then name rknn/bin/python in ${VARIABLE} or as `interpreter` in device.toml"
)


class NoToolkitError(NasError):
    """Nobody has set rknn-toolkit2 up here: no fault, unless it is asked for."""


@dataclass(frozen=True)
class Toolkit:
    """Compiles for ``platform`` in a child process; some 10 s a model, most of them its start."""

    interpreter: Path
    platform: str
    timeout_seconds: float

    def compile(self, tflite: bytes) -> Compiled:
        """LatencyError says why the compiler makes nothing of a model.

        NasError if the interpreter has no toolkit.
        """
        # The compiler leaves files where it runs.
        with tempfile.TemporaryDirectory(prefix="nas-rknn-") as folder:
            model = Path(folder) / "model.tflite"
            model.write_bytes(tflite)
            return read_compiled(self._said(model.parent, str(model), self.platform))

    def compiler(self) -> str:
        """As "rknn-toolkit2 2.5.0"; NasError if the interpreter has none."""
        with tempfile.TemporaryDirectory(prefix="nas-rknn-") as folder:
            return read_compiler(self._said(Path(folder)))

    def _said(self, folder: Path, *words: str) -> str:
        """All that the child printed, which runs in ``folder``."""
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
            raise NasError(f"{self.interpreter} cannot be started ({error}). {_HOW}") from None
        text = done.stdout.decode("utf-8", "replace")
        if done.returncode == NO_TOOLKIT:
            raise NasError(f"{self.interpreter} lacks rknn-toolkit2: {_last_words(text)}. {_HOW}")
        if done.returncode:
            raise LatencyError(
                f"rknn-toolkit2 for {self.platform} gave up (exit code {done.returncode}): "
                f"{_last_words(text)}"
            )
        return text


def find_interpreter(named: str | None) -> Path:
    """The interpreter ``named`` in device.toml, else in the environment.

    NoToolkitError if none is named, NasError if it is not there; both say how to make one.
    """
    interpreter = named or os.environ.get(VARIABLE)
    if not interpreter:
        raise NoToolkitError(
            f"rknn-toolkit2 needs an interpreter of its own, and none is named. {_HOW}"
        )
    # Not resolved: a virtual environment is known by the link.
    path = Path(interpreter).expanduser().absolute()
    if not path.is_file():
        raise NasError(f"the interpreter {path} does not exist. {_HOW}")
    return path


def _last_words(text: str) -> str:
    """In one line, without colors."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[-_LAST_WORDS:] or "it said nothing"
