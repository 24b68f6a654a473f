"""Image files that Pillow reads but does not write: 16-bit color PNGs, a CMYK profile."""

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
