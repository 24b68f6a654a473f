"""Compiles one model and lets the compiler talk: ``python -I child.py MODEL.tflite rk3588``.

Runs in the interpreter that has rknn-toolkit2, and so imports nothing else. First it prints which
compiler that is, and without a model nothing more; the compiler prints its table of layers from C++
to standard output.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

#: Exit codes: the compiler refused the model; there is no compiler.
REFUSED, NO_TOOLKIT = 3, 4


def main(*words: str) -> int:
    """The exit code."""
    try:
        print(f"compiler: rknn-toolkit2 {version('rknn-toolkit2')}", flush=True)
    except PackageNotFoundError as error:
        print(error, file=sys.stderr)
        return NO_TOOLKIT
    return compile_model(*words) if words else 0


def compile_model(model: str, platform: str) -> int:
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
