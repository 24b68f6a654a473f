from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data.images import write_image

from .reader import Reader


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody with a home, photographs in it, and a folder to work in."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "work"
    folder.mkdir()
    write_photographs(home / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.chdir(folder)
        yield Reader(folder)


def write_photographs(folder: Path) -> None:
    """Eleven: every tenth is held out."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(11):
        noise = Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8))
        write_image(folder / f"{index}.png", np.asarray(noise.resize((132, 132))))
