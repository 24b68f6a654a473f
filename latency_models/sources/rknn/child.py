"""Compiles one model and lets the compiler talk: ``python -I child.py MODEL.tflite rk3588``.

Runs in the interpreter that has rknn-toolkit2, and so imports nothing else. The compiler prints its
table of layers from C++ to standard output.
"""

from __future__ import annotations

import sys

#: Exit codes: the compiler refused the model; there is no compiler.
REFUSED, NO_TOOLKIT = 3, 4


def main(model: str, platform: str) -> int:
    """The exit code."""
    try:
        from rknn.api import RKNN  # type: ignore[import-not-found]
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_TOOLKIT
    compiler = RKNN(verbose=True)
    compiler.config(target_platform=platform)
    # The file is INT8 already; both answer 0 if they succeed.
    refused = compiler.load_tflite(model=model) or compiler.build(do_quantization=False)
    compiler.release()
    return REFUSED if refused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
