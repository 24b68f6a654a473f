"""Pictures of every kind, read, put together and written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from nas.data.pictures import (
    Picture,
    bits_per_channel,
    enlarged,
    read_picture,
    require_writable,
    side_by_side,
    write_picture,
)
from nas.data.pixels import Pixels
from search_spaces import InputError

from .picture_files import cmyk_profile, png16, tiff16

HEIGHT, WIDTH = 13, 22
RGB = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
GREY, ALPHA = RGB[..., 0], RGB[..., 1]
DEEP = np.random.default_rng(1).integers(0, 1 << 16, (HEIGHT, WIDTH, 4), np.uint16)


def saved(folder: Path, image: Image.Image, name: str = "a.png", **how: Any) -> Path:
    image.save(folder / name, **how)
    return folder / name


def nearest(pixels: Pixels, scale: int = 2) -> Pixels:
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def test_grey_and_alpha(tmp_path: Path) -> None:
    for bands, mode in (
        ([GREY], "L"),
        ([GREY, ALPHA], "LA"),
        ([RGB], "RGB"),
        ([RGB, ALPHA], "RGBA"),
    ):
        picture = read_picture(saved(tmp_path, Image.fromarray(np.dstack(bands).squeeze())))
        assert picture.mode == mode
        color = RGB if "RGB" in mode else np.dstack([GREY] * 3)
        np.testing.assert_array_equal(picture.rgb, color)
        if picture.alpha is None:
            assert "A" not in mode
        else:
            np.testing.assert_array_equal(picture.alpha, ALPHA)


def test_black_and_white(tmp_path: Path) -> None:
    picture = read_picture(saved(tmp_path, Image.fromarray(GREY > 99)))
    assert picture.mode == "L"
    np.testing.assert_array_equal(picture.rgb[..., 1], np.where(GREY > 99, 255, 0))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_keep_their_upper_half(tmp_path: Path, channels: int) -> None:
    (tmp_path / "a.png").write_bytes(png16(DEEP[..., :channels]))
    picture = read_picture(tmp_path / "a.png")
    upper = (DEEP >> 8).astype(np.uint8)
    color = upper[..., :3] if channels > 2 else np.dstack([upper[..., 0]] * 3)
    np.testing.assert_array_equal(picture.rgb, color)
    if channels in {2, 4}:
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, upper[..., channels - 1])


def test_16_bit_grey_tiff(tmp_path: Path) -> None:
    picture = read_picture(saved(tmp_path, Image.fromarray(DEEP[..., 0]), "a.tif"))
    np.testing.assert_array_equal(picture.rgb[..., 2], DEEP[..., 0] >> 8)
    assert picture.is_grey


def test_a_16_bit_negative_is_inverted(tmp_path: Path) -> None:
    for photometric, white in ((0, 0), (1, 65_535)):
        levels = DEEP[..., :1] if white else 65_535 - DEEP[..., :1]
        (tmp_path / "a.tif").write_bytes(tiff16(levels, photometric=photometric))
        picture = read_picture(tmp_path / "a.tif")
        np.testing.assert_array_equal(picture.rgb[..., 2], DEEP[..., 0] >> 8)


def test_16_bit_planes_are_refused(tmp_path: Path) -> None:
    """Pillow reads noise from them without any error."""
    (tmp_path / "a.tif").write_bytes(tiff16(DEEP[..., :3], photometric=2))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").rgb, DEEP[..., :3] >> 8)
    (tmp_path / "a.tif").write_bytes(tiff16(DEEP[..., :3], photometric=2, planar=2))
    with pytest.raises(InputError, match=r"a\.tif: 16-bit color in separate planes"):
        read_picture(tmp_path / "a.tif")


def test_32_bits_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(RGB[..., 0].astype(np.float32)), "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: 32-bit levels"):
        read_picture(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    upright = RGB
    turn_back: dict[int, Callable[[Pixels], Pixels]] = {
        1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud,
        5: lambda x: x.swapaxes(0, 1), 6: np.rot90,
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1), 8: lambda x: np.rot90(x, 3),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(turn_back[orientation](upright))
    picture = read_picture(saved(tmp_path, Image.fromarray(stored), exif=exif))
    np.testing.assert_array_equal(picture.rgb, upright)


def test_palettes(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).quantize(16)
    path = saved(tmp_path, image)
    assert Image.open(path).mode == "P"
    np.testing.assert_array_equal(read_picture(path).rgb, np.asarray(image.convert("RGB")))
    picture = read_picture(saved(tmp_path, image, transparency=3))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha == 0, np.asarray(image) == 3)


def test_cmyk(tmp_path: Path) -> None:
    inks = np.zeros((4, 6, 4), np.uint8)
    inks[:, 3:, 1] = 255  # magenta
    picture = read_picture(saved(tmp_path, Image.fromarray(inks, "CMYK"), "a.tif"))
    np.testing.assert_array_equal(picture.rgb[0, [0, 5]], [[255, 255, 255], [255, 0, 255]])
    assert not picture.is_grey


def test_cmyk_by_its_profile(tmp_path: Path) -> None:
    inks = np.zeros((4, 6, 4), np.uint8)
    inks[:, 3:, 1] = 255
    profile = cmyk_profile(paper=255, ink=0)
    path = saved(tmp_path, Image.fromarray(inks, "CMYK"), "a.tif", icc_profile=profile)
    picture = read_picture(path)
    np.testing.assert_allclose(picture.rgb[0, [0, 5]], [[255] * 3, [0] * 3], atol=2)
    assert picture.profile is None
    path = saved(tmp_path, Image.fromarray(inks, "CMYK"), "b.tif", icc_profile=b"none" * 50)
    np.testing.assert_array_equal(read_picture(path).rgb[0, 5], [255, 0, 255])


def test_a_profile_of_lab_does_not_go_along_with_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).convert("LAB")
    path = saved(tmp_path, image, "a.tif")
    with Image.open(path) as stored:
        assert (stored.mode, "icc_profile" in stored.info) == ("LAB", True)
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.rgb, np.asarray(image.convert("RGB")))
    assert picture.profile is None


def test_a_colour_profile_goes_along(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(saved(tmp_path, Image.fromarray(RGB), icc_profile=profile))
    write_picture(tmp_path / "b.png", Image.fromarray(RGB), picture.profile)
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: cannot be read as an image"):
        read_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"none\.png"):
        read_picture(tmp_path / "none.png")


def test_a_torn_file(tmp_path: Path) -> None:
    whole = saved(tmp_path, Image.fromarray(RGB)).read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"torn\.png"):
        read_picture(tmp_path / "torn.png")


def test_pictures_that_cannot_be() -> None:
    with pytest.raises(InputError, match="must be"):
        Picture(GREY)
    with pytest.raises(InputError, match="alpha of"):
        Picture(RGB, ALPHA[1:])


def test_bits(tmp_path: Path) -> None:
    (tmp_path / "deep.png").write_bytes(png16(DEEP))
    files = {
        tmp_path / "deep.png": 16,
        saved(tmp_path, Image.fromarray(DEEP[..., 0]), "deep.tif"): 16,
        saved(tmp_path, Image.fromarray(GREY.astype(np.float32)), "float.tif"): 32,
        saved(tmp_path, Image.fromarray(RGB), "a.jpg"): 8,
        saved(tmp_path, Image.fromarray(RGB), "a.tif"): 8,
        saved(tmp_path, Image.fromarray(RGB), "a.webp"): 8,
    }
    for path, bits in files.items():
        with Image.open(path) as image:
            assert bits_per_channel(image) == bits, path
    assert bits_per_channel(Image.fromarray(GREY)) == 8


@pytest.mark.parametrize(
    ("picture", "mode"),
    [
        (Picture(np.dstack([GREY] * 3), is_grey=True), "L"),
        (Picture(np.dstack([GREY] * 3), ALPHA, is_grey=True), "LA"),
        (Picture(RGB), "RGB"),
        (Picture(RGB, ALPHA), "RGBA"),
    ],
)
def test_strips_are_put_together_in_the_picture_s_mode(picture: Picture, mode: str) -> None:
    whole = nearest(picture.rgb)
    image = enlarged(picture, 2, (whole[:8], whole[8:10], whole[10:]))
    assert image.mode == mode
    bands = np.asarray(image).reshape(2 * HEIGHT, 2 * WIDTH, -1)
    color = whole[..., :1] if picture.is_grey else whole
    np.testing.assert_array_equal(bands[..., : color.shape[2]], color)
    if picture.alpha is not None:
        size = (2 * WIDTH, 2 * HEIGHT)
        bicubic = Image.fromarray(picture.alpha).resize(size, Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(bands[..., -1], np.asarray(bicubic))


def test_side_by_side() -> None:
    left, right = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    both = np.asarray(side_by_side(left, right))
    np.testing.assert_array_equal(both, np.hstack([RGB, 255 - RGB]))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("ending", ["png", "bmp", "TIFF", "webp", "jpg"])
def test_every_mode_in_every_format(tmp_path: Path, mode: str, ending: str) -> None:
    smooth = Image.fromarray(RGB).resize((64, 48), Image.Resampling.BICUBIC).convert(mode)
    path = tmp_path / f"a.{ending}"
    write_picture(path, smooth)
    with Image.open(path) as image:
        kept = np.asarray(image.convert(mode))
    if ending in {"webp", "jpg"}:
        colors = slice(0, len(mode.removesuffix("A")))
        expected = np.asarray(smooth).reshape(48, 64, -1)[..., colors].astype(int)
        assert np.abs(kept.reshape(48, 64, -1)[..., colors] - expected).mean() < 12
    else:
        np.testing.assert_array_equal(kept, np.asarray(smooth))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    transparent, opaque = Picture(RGB, ALPHA), Picture(RGB, np.full_like(ALPHA, 255))
    with pytest.raises(InputError, match=r"a\.jpg: JPEG has no transparency"):
        require_writable(tmp_path / "a.jpg", transparent, 10, 10)
    require_writable(tmp_path / "a.jpg", opaque, 10, 10)
    require_writable(tmp_path / "a.png", transparent, 100_000, 10)
    with pytest.raises(InputError, match="no more than 16383 pixels a side, not 16384x10"):
        require_writable(tmp_path / "a.webp", transparent, 16_384, 10)
    with pytest.raises(InputError, match="unknown image ending"):
        require_writable(tmp_path / "a.xyz", opaque, 10, 10)


def test_a_picture_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match=r"a\.png"):
        write_picture(tmp_path / "a.png", Image.fromarray(RGB))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
