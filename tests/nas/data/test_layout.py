"""Which files of a folder are HR, and where their LR files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nas.data.images import MIN_LR_SIDE, load_data, load_images, write_image
from nas.data.layout import Layout, find_layout
from nas.data.roles import Role, read_name
from search_spaces import InputError

SIDE = 2 * MIN_LR_SIDE


def write(root: Path, *files: str, side: int = SIDE) -> None:
    """Pictures that only their size tells apart."""
    for file in files:
        write_image(root / file, np.zeros((side, side, 3), np.uint8))


def write_half(root: Path, *files: str) -> None:
    write(root, *files, side=SIDE // 2)


def pairs(layout: Layout, root: Path) -> dict[str, str | None]:
    """HR file to LR file, below ``root``."""
    return {
        str(high.relative_to(root)): None if low is None else str(low.relative_to(root))
        for high, low in layout.pairs
    }


def left_out(layout: Layout) -> set[str]:
    return {path.name for path, _ in layout.left_out}


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("HR/a.png", "LR_bicubic/X2/ax2.png"),
        ("HR/a.png", "LR_bicubic/x2/a.png"),
        ("DIV2K_valid_HR/0801.png", "DIV2K_valid_LR_bicubic/X2/0801x2.png"),
        ("DIV2K_valid_HR/0801.png", "DIV2K_valid_LR_bicubic_X2/0801x2.png"),
        (
            "DIV2K_valid_HR/0801.png",
            "DIV2K_valid_LR_bicubic_X2/DIV2K_valid_LR_bicubic/X2/0801x2.png",
        ),
        ("Flickr2K_HR/000001.png", "Flickr2K_LR_bicubic/X2/000001x2.png"),
        ("DIV2K_train_HR_sub/0001_s001.png", "DIV2K_train_LR_bicubic/X2_sub/0001_s001.png"),
        ("GTmod12/baby.png", "LRbicx2/baby.png"),
        ("Set5/baby.png", "Set5_bicLRx2/baby.png"),
        ("HR/a.png", "LR/a.png"),
        ("HR_frames/1.png", "LR_frames/1.png"),
        ("HR/baby_HR_x2.png", "LR/baby_LRBI_x2.png"),
        ("HR/a_x2.png", "LR/a_x2.png"),
        ("clips_GT/a.jpg", "clips_LR/a.png"),
    ],
)
def test_known_layouts(tmp_path: Path, high: str, low: str) -> None:
    write(tmp_path, high)
    write_half(tmp_path, low)
    found = find_layout(tmp_path / Path(high).parent, 2)
    assert pairs(found, tmp_path) == {high: low}
    assert (found.low, found.left_out, found.remarks) == ((tmp_path / low).parent, (), ())
    assert pairs(find_layout(tmp_path, 2), tmp_path) == {high: low}  # named from above


def test_lr_folders_that_do_not_suit_are_told(tmp_path: Path) -> None:
    write(tmp_path, "V_HR/a.png")
    write_half(tmp_path, "V_LR_unknown/X2/ax2.png", "V_LR_bicubic/X4/ax4.png", "V_LR/ax2.png")
    write(tmp_path, "V_LR/ax2.png", side=5)
    found = find_layout(tmp_path / "V_HR", 2)
    assert pairs(found, tmp_path) == {"V_HR/a.png": None}
    told = [Path(remark.split(" is not read")[0]).name for remark in found.remarks]
    assert told == ["V_LR", "V_LR_bicubic", "V_LR_unknown"]


@pytest.mark.parametrize("tag", ["_LR", "_LR2", "_LRx2", "_LR_x2", "x2", "_x2", "_LRBI_x2", "-lr"])
@pytest.mark.parametrize("high", ["img_1_HR", "img_1"])
def test_hr_and_lr_side_by_side(tmp_path: Path, high: str, tag: str) -> None:
    other = high.replace("1", "2")
    write(tmp_path, f"{high}.png", f"{other}.png")
    write_half(tmp_path, f"img_1{tag}.png", f"img_2{tag}.jpg")
    found = find_layout(tmp_path, 2)
    assert pairs(found, tmp_path) == {
        f"{high}.png": f"img_1{tag}.png",
        f"{other}.png": f"img_2{tag}.jpg",
    }
    assert not found.left_out
    made = find_layout(tmp_path, 3)  # they are of another scale
    assert pairs(made, tmp_path) == {f"{high}.png": None, f"{other}.png": None}
    assert left_out(made) == {f"img_1{tag}.png", f"img_2{tag}.jpg"}


def test_side_by_side_with_several_scales_and_other_results(tmp_path: Path) -> None:
    write(tmp_path, "a_HR.png", "a_bicubic.png", "b_HR.png")
    write_half(tmp_path, "a_LR2.png", "c_LR2.png", "a_LR3.png")
    found = find_layout(tmp_path, 2)
    assert pairs(found, tmp_path) == {"a_HR.png": "a_LR2.png"}
    assert left_out(found) == {"a_bicubic.png", "b_HR.png", "c_LR2.png"}


def test_tags_without_a_partner_do_not_rule_out_the_others(tmp_path: Path) -> None:
    write(tmp_path, "cat.png", "dog_HR.png", "phone_x2.png")
    assert len(find_layout(tmp_path, 2).pairs) == 3
    write_half(tmp_path, "sea_LR.png")
    (tmp_path / "dog_HR.png").unlink()
    found = find_layout(tmp_path, 2)
    assert set(pairs(found, tmp_path)) == {"cat.png", "phone_x2.png"}
    assert left_out(found) == {"sea_LR.png"}


@pytest.mark.parametrize("place", ["LR_bicubic/X2", "LRbicx2", "DIV2K_valid_LR_bicubic", "a_LR"])
def test_a_folder_of_lr_images_is_refused(tmp_path: Path, place: str) -> None:
    write(tmp_path, f"{place}/a.png")
    with pytest.raises(InputError, match="by its name a folder of LR images"):
        load_images(tmp_path / place, 2)


def test_lr_files_alone_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a_LR.png", "b_LR.png")
    with pytest.raises(InputError, match="by their names all images are LR"):
        load_images(tmp_path, 2)


def test_one_folder_has_one_result_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "real/DIV2K_valid_HR"
    write(tmp_path, "real/DIV2K_valid_HR/1.png", "real/DIV2K_valid_HR/2.png")
    write_half(tmp_path, *(f"real/DIV2K_valid_LR_bicubic/X2/{n}x2.png" for n in (1, 2)))
    (tmp_path / "link").symlink_to(place)
    monkeypatch.chdir(place)
    expected = load_images(place, 2)
    assert expected.layout is not None
    assert expected.layout.low == tmp_path / "real/DIV2K_valid_LR_bicubic/X2"
    for name in (".", "../DIV2K_valid_HR", "../../link", "..", str(tmp_path / "link")):
        assert load_images(Path(name), 2).layout == expected.layout
    assert load_data(".", 2).validation.layout == expected.layout


def test_a_data_set_made_of_links(tmp_path: Path) -> None:
    write(tmp_path, "disk/some/1.png")
    write_half(tmp_path, "set/V_LR_bicubic/X2/1x2.png")
    (tmp_path / "set/V_HR").symlink_to(tmp_path / "disk/some")
    for name in ("set/V_HR", "set"):
        found = find_layout(tmp_path / name, 2)
        assert found.low == tmp_path / "set/V_LR_bicubic/X2"
        assert [high.name for high, _ in found.pairs] == ["1.png"]


def test_folders_within_folders(tmp_path: Path) -> None:
    write(tmp_path, "one/DIV2K_valid_HR/DIV2K_valid_HR/1.png", "__MACOSX/._1.png")
    assert set(pairs(find_layout(tmp_path, 2), tmp_path)) == {
        "one/DIV2K_valid_HR/DIV2K_valid_HR/1.png"
    }
    write(tmp_path, "two/deep/2.png")
    with pytest.raises(InputError, match=r"no image .* folders within are not read: one, two"):
        load_images(tmp_path, 2)
    write(tmp_path, "3.png", "HR/4.png")
    found = find_layout(tmp_path, 2)
    assert set(pairs(found, tmp_path)) == {"HR/4.png"}
    assert found.remarks == (
        f"1 images in {tmp_path} are not read, but those in {tmp_path / 'HR'}",
    )


def test_images_of_other_formats_are_told(tmp_path: Path) -> None:
    write(tmp_path, "1.png")
    for name in ("2.HEIC", "3.heic", "4.gif", "notes.txt"):
        (tmp_path / name).touch()
    assert find_layout(tmp_path, 2).remarks == (
        f".gif is not read: 1 in {tmp_path}; convert to PNG",
        f".heic is not read: 2 in {tmp_path}; convert to PNG",
    )
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match=r"no image .* in it; \.gif is not read"):
        load_images(tmp_path, 2)


def test_lr_files_of_a_wrong_size_are_named(tmp_path: Path) -> None:
    write(tmp_path, "HR/a.png", "HR/b.png", "HR/c.png")
    write_half(tmp_path, "LR_bicubic/X2/ax2.png")
    write(tmp_path, "LR_bicubic/X2/bx2.png", side=SIDE // 2 - 1)
    images = load_images(tmp_path, 2)
    assert [pair.name for pair in images.pairs] == ["a.png"]
    reasons = {item.name: item.reason for item in images.skipped}
    assert set(reasons) == {"b.png", "c.png"}
    assert "bx2.png is 32x32, not 33x33" in reasons["b.png"]
    assert reasons["c.png"].startswith("no LR image for it in ")


@pytest.mark.parametrize("size", [(300, 1), (1, 300), (1, 1), (2, 2)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sides_shorter_than_the_scale(tmp_path: Path, size: tuple[int, int], scale: int) -> None:
    write(tmp_path, "good.png", side=MIN_LR_SIDE * scale)
    Image.new("RGB", size).save(tmp_path / "line.png")
    [skipped] = load_images(tmp_path, scale).skipped
    assert skipped.name == "line.png"
    assert skipped.reason.startswith(f"{size[0]}x{size[1]} is too small")


WORDS = st.text("abcdefgijk0123456789", min_size=1, max_size=8).filter(
    lambda word: read_name(word).role is None and read_name(word).scale is None
)


@given(WORDS, st.sampled_from("_-. "), st.integers(2, 8))
def test_names_of_hr_and_lr_have_one_key(word: str, separator: str, scale: int) -> None:
    high = read_name(f"{word}{separator}HR")
    assert (high.role, high.scale) == (Role.HIGH, None)
    for tag in (f"LR{scale}", f"LRx{scale}", f"LR_x{scale}", f"LRBI_x{scale}", f"lr_{scale}x"):
        low = read_name(f"{word}{separator}{tag}")
        assert (low.key, low.role, low.scale) == (high.key, Role.LOW, scale)


@pytest.mark.parametrize(
    "text", ["color", "half", "hr_and_lr", "through", "x3", "GTX", "lroad", "the_lr_files"]
)
def test_names_that_say_nothing(text: str) -> None:
    assert read_name(text).role is None
