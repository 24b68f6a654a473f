"""Image files that Pillow reads but does not write: 16-bit color, a CMYK profile."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def png16(levels: npt.NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits a channel from (H, W, 1 to 4)."""
    height, width, channels = levels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def cmyk_profile(paper: int, ink: int) -> bytes:
    """An ICC profile by which no ink has the lightness ``paper``, any other corner ``ink``, of 255.

    A lut8Type with two grid points a channel (ICC.1:2001-04, 6.5.8).
    """
    straight = bytes(range(256))
    corners = bytes([paper, 128, 128]) + bytes([ink, 128, 128]) * 15
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    lut = b"mft1" + bytes([0, 0, 0, 0, 4, 3, 2, 0]) + identity
    lut += straight * 4 + corners + straight * 3
    white = struct.pack(">3i", 63190, 65536, 54061)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x12s48x",
        128 + 16 + len(lut), 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp", white,
    )  # fmt: skip
    return header + struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut


def tiff16(levels: npt.NDArray[np.uint16], *, photometric: int, planar: int = 1) -> bytes:
    """Returns an uncompressed TIFF of 16-bit ``levels``, (H, W, channels).

    ``photometric`` is 0 if level 0 is white, 1 for grey, 2 for RGB; ``planar`` is 2 for one plane
    after the other.
    """
    height, width, channels = levels.shape
    planes = [levels] if planar == 1 else [levels[..., index] for index in range(channels)]
    data = [plane.astype("<u2").tobytes() for plane in planes]
    bits_at = 8 + sum(map(len, data))
    offsets_at = bits_at + 2 * 4
    sizes_at, directory_at = offsets_at + 4 * 4, offsets_at + 2 * 4 * 4
    offsets = [8 + index * len(data[0]) for index in range(len(data))]
    is_list = len(data) > 1
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, bits_at if channels > 2 else 16),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, len(data), offsets_at if is_list else offsets[0]),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, len(data), sizes_at if is_list else len(data[0])),
        (284, 3, 1, planar),
    ]
    return b"".join(
        [
            struct.pack("<2sHI", b"II", 42, directory_at),
            *data,
            struct.pack("<4H", 16, 16, 16, 16),
            struct.pack("<4I", *offsets, *[0] * (4 - len(data))),
            struct.pack("<4I", *map(len, data), *[0] * (4 - len(data))),
            struct.pack("<H", len(entries)),
            *(struct.pack("<HHII", *entry) for entry in entries),
            struct.pack("<I", 0),
        ]
    )
