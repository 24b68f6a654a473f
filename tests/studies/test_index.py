"""The index of the studies."""

from __future__ import annotations

import re
from pathlib import Path

STUDIES = Path(__file__).parents[2] / "studies"


def test_the_index_names_every_study_and_no_other() -> None:
    named = re.findall(r"^\| \[(\w+)\]\(\1\)", (STUDIES / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(page.parent.name for page in STUDIES.glob("*/README.md"))
