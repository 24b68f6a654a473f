"""What a package makes public is there, and is loaded when it is first used."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

packages = pytest.mark.parametrize("package", ["nas", "search_spaces"])


@packages
def test_an_import_loads_no_module_of_the_package(package: str) -> None:
    code = (
        f"import sys, {package}\n"
        f"print([name for name in sys.modules if name.startswith('{package}.')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@packages
def test_all_public_names_are_listed_and_imported_by_a_star(package: str) -> None:
    module = import_module(package)
    names: dict[str, object] = {}
    exec(f"from {package} import *", names)
    assert module.__all__
    assert names.keys() - {"__builtins__"} == set(module.__all__) <= set(dir(module))
    assert all(names[name] is getattr(module, name) for name in module.__all__)


@packages
def test_a_misspelled_name_is_an_error_that_says_it(package: str) -> None:
    with pytest.raises(AttributeError, match=f"{package}.*Misspelled"):
        getattr(import_module(package), "Misspelled")  # noqa: B009
    with pytest.raises(ImportError, match=f"'Misspelled' from '{package}'"):
        exec(f"from {package} import Misspelled")
