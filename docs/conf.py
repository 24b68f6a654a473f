"""The documentation as a site: ``sphinx-build -W docs site``."""

from __future__ import annotations

import importlib.metadata

project = "nas"
copyright = "the authors of nas"
version = release = importlib.metadata.version("npu-nas")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = "nas"

myst_heading_anchors = 4
# Links from page to page are held by tests/docs; what lies outside this folder is no page here.
# "csv" is the language of some blocks; none of Pygments' lexers is called so.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
