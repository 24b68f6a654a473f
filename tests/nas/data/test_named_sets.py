"""Folders of test images under names of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.data.named_sets import names_of


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (("Set5", "Set14"), ["Set5", "Set14"]),
        (("A/HR", "B/HR"), ["A/HR", "B/HR"]),
        (("A/HR", "B/HR", "C"), ["A/HR", "B/HR", "C"]),
        (("1/A/HR", "2/A/HR", "HR"), ["1/A/HR", "2/A/HR"]),
        (("A/HR", "A/../A/HR", "link"), ["HR"]),
        (("validation",), None),
    ],
)
def test_names_tell_folders_apart(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folders: tuple[str, ...],
    names: list[str] | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "A/HR")
    found = names_of([Path(folder) for folder in folders])
    expected = list(dict.fromkeys(Path(folder).resolve() for folder in folders))
    assert list(found.values()) == expected
    assert len({name.lower() for name in found} | {"validation"}) == len(expected) + 1
    if names is not None:
        assert list(found)[: len(names)] == names


def test_names_that_differ_in_capitals_only(tmp_path: Path) -> None:
    found = names_of([tmp_path / "a/HR", tmp_path / "A/HR"])
    assert list(found.values()) == [tmp_path / "a/HR", tmp_path / "A/HR"]
    assert len({name.lower() for name in found}) == 2
