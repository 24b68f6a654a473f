"""A device on loopback: a folder that is its file system, and tools that the tests put there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

from .adbd import Daemon

TOOL = "/data/local/tmp/benchmark_model"
_FAKE_TOOL = Path(__file__).with_name("fake_benchmark_model.py")
LITERT_TOOL = "/data/local/tmp/litert_benchmark_model"
_FAKE_LITERT_TOOL = Path(__file__).with_name("fake_litert_benchmark.py")
_OWN_PATH = re.compile(r"(?<![\w/.-])/(data|sys|vendor)(?=/)")


class DeviceDouble:
    """Runs what adb asks for in ``root``: ``commands``, and what they ``said``."""

    def __init__(self, root: Path, features: str = "shell_v2,cmd,stat_v2") -> None:
        self.root = root
        self.commands: list[str] = []
        self.said = b""
        self._features = features
        for folder in ("data/local/tmp", "sys", "bin"):
            (root / folder).mkdir(parents=True)
        self._daemon = Daemon(self)

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self._daemon.port}"

    @property
    def banner(self) -> str:
        return f"device::ro.product.model=Double;features={self._features}"

    def place(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def start(self, command: str) -> subprocess.Popen[bytes]:
        self.commands.append(command)
        here = _OWN_PATH.sub(rf"{self.root}/\1", command)
        return subprocess.Popen(
            ["/bin/sh", "-c", here],
            cwd=self.root,
            env={"PATH": f"{self.root}/bin:{os.environ['PATH']}", "HOME": str(self.root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def shown(self, output: bytes) -> bytes:
        return output.replace(str(self.root).encode(), b"")

    def delivered(self, output: bytes) -> None:
        self.said += output

    def unplug_after(self, text: str) -> threading.Thread:
        """Is taken away as soon as it has said ``text``."""

        def work() -> None:
            while text.encode() not in self.said:
                time.sleep(0.02)
            self.unplug()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def plug(self) -> None:
        self._daemon.plug()

    def unplug(self) -> None:
        self._daemon.unplug()

    def write(self, path: str, text: str) -> None:
        """A file of the device; programs among them can be run."""
        file = self.place(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def install(self, *options: str, path: str = TOOL) -> None:
        """The stand-in of benchmark_model, which times models with LiteRT on this machine."""
        self._install(_FAKE_TOOL, options, path)

    def install_litert(self, *options: str) -> None:
        """The fake of LiteRT's own benchmark_model, for an NPU."""
        self._install(_FAKE_LITERT_TOOL, options, LITERT_TOOL)

    def _install(self, fake: Path, options: tuple[str, ...], path: str) -> None:
        command = shlex.join([sys.executable, str(fake), *options])
        self.write(path, f'#!/bin/sh\nexec {command} "$@"\n')

    def install_text(self, text: str, path: str = TOOL, code: int = 0) -> None:
        """A tool that prints ``text``, whatever it is asked."""
        self.write(f"{path}.txt", text)
        self.write(path, f"#!/bin/sh\ncat {shlex.quote(str(self.place(path)))}.txt\nexit {code}\n")

    def models(self) -> list[str]:
        """What was put beside the tools and is still there."""
        return [path.name for path in self.place("/data/local/tmp").glob("nas-*")]
