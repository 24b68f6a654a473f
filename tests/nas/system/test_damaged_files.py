"""Files that are cut off or damaged: one line with their name, whatever their bytes are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.system.files import read_arrays, read_json, write_arrays
from search_spaces import InputError


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(6.0).reshape(2, 3), b=np.array("text"))
    return buffer.getvalue()


NPZ = npz()
DAMAGED = st.one_of(
    st.integers(0, len(NPZ) - 1).map(lambda end: NPZ[:end]),
    st.tuples(st.integers(0, len(NPZ) - 1), st.integers(0, 255)).map(
        lambda change: NPZ[: change[0]] + bytes([change[1]]) + NPZ[change[0] + 1 :]
    ),
    st.binary(max_size=50),
    st.sampled_from([b"\x93NUMPY", np.lib.format.magic(1, 0)]),
)


def read_bytes(folder: Path, content: bytes) -> None:
    (folder / "w.npz").write_bytes(content)
    read_arrays(folder / "w.npz")


@given(DAMAGED)
def test_arrays_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    try:
        read_bytes(tmp_path_factory.getbasetemp(), content)
    except InputError as error:
        assert "w.npz: " in str(error)  # noqa: PT017


def test_what_cannot_be_an_npz_file_is_refused(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.arange(3))
    pickled = io.BytesIO()
    np.savez(pickled, a=np.array([{}], dtype=object))
    for content in (b"", NPZ[: len(NPZ) // 2], array.getvalue(), pickled.getvalue()):
        with pytest.raises(InputError, match=r"w\.npz: "):
            read_bytes(tmp_path, content)
    with pytest.raises(InputError, match=r"gone\.npz: cannot be read"):
        read_arrays(tmp_path / "gone.npz")


def test_arrays_come_back(tmp_path: Path) -> None:
    write_arrays(tmp_path / "w.npz", {"a/b": np.eye(2, dtype=np.float32)})
    [(name, value)] = read_arrays(tmp_path / "w.npz").items()
    assert name == "a/b"
    np.testing.assert_array_equal(value, np.eye(2))


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe", b"[" * 100_000])
def test_json_that_is_cut_off(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: cannot be read as JSON"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps({"a": 1}))
    assert read_json(tmp_path / "a.json") == {"a": 1}
