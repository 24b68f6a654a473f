"""Compiles one model with rknn-toolkit2: ``python -I child.py MODEL.tflite rk3588``.

Runs in the interpreter that has rknn-toolkit2. That interpreter lacks the packages of this project,
so this module imports none of them. The first line printed is the compiler's version, and the only
line without a model. The compiler itself prints its table of layers, from C++, to standard output.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

#: Exit codes: the compiler refused the model; there is no compiler.
REFUSED, NO_TOOLKIT = 3, 4


def main(*words: str) -> int:
    """Prints the version and compiles the model, if there is one; returns the exit code."""
    try:
        print(f"compiler: rknn-toolkit2 {version('rknn-toolkit2')}", flush=True)
    except PackageNotFoundError as error:
        print(error, file=sys.stderr)
        return NO_TOOLKIT
    return compile_model(*words) if words else 0


def compile_model(model: str, platform: str) -> int:
    """Compiles the TFLite file ``model`` for ``platform``; returns the exit code."""
    try:
        from rknn.api import RKNN  # type: ignore[import-not-found]
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_TOOLKIT
    compiler = RKNN(verbose=True)
    compiler.config(target_platform=platform)
    # The file is already INT8. Both calls return 0 if they succeed.
    refused = compiler.load_tflite(model=model) or compiler.build(do_quantization=False)
    compiler.release()
    return REFUSED if refused else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
