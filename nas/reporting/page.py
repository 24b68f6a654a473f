"""Renders the report as one self-contained HTML file."""

from __future__ import annotations

import base64
import datetime
import io
from importlib.resources import files

import jinja2
import numpy as np
import plotly.offline
from markupsafe import Markup
from PIL import Image

from ..quality.metrics import METRICS, convention
from ..studies.budget import format_seconds
from ..system.files import json_text
from .content import ReportContent, TrialStatus
from .pictures import Comparison, Crop
from .plots.style import theme
from .sections import sections_of
from .table import columns, rows


def render(content: ReportContent, comparisons: tuple[Comparison, ...], no_pictures: str) -> str:
    """Returns the HTML page; ``no_pictures`` is the reason if ``comparisons`` is empty."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )  # fmt: skip
    environment.filters["data_uri"] = _data_uri
    environment.filters["figure_json"] = lambda figure: _script_json(figure.to_json())
    sections = sections_of(content)
    first, *others = ((section.anchor, section.title) for section in sections)
    return environment.get_template("page.html").render(
        content=content,
        elapsed=format_seconds(content.elapsed_seconds),
        sections=[
            first, ("pictures", "Pictures"), *others, ("trials", "All trials"),
            ("repeat", "How to repeat this"),
        ],
        plot_sections=sections,
        comparisons=comparisons,
        no_pictures=no_pictures,
        columns=columns(content),
        rows=rows(content),
        statuses=list(TrialStatus),
        facts=_facts(content),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        themes=_script_json(json_text({"light": theme(dark=False), "dark": theme(dark=True)})),
        style=Markup(_resource("style.css")),
        script=Markup(_resource("page.js")),
        plotly=Markup(plotly.offline.get_plotlyjs()),
    )  # fmt: skip


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _script_json(text: str) -> Markup:
    """Returns JSON escaped so that it cannot close the script element that contains it."""
    return Markup(text.replace("<", "\\u003c"))


def _data_uri(crop: Crop) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(crop.pixels)).save(buffer, "WEBP", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _facts(content: ReportContent) -> list[tuple[str, str]]:
    """Returns the settings that results depend on, the most important first."""
    settings, recipe = content.settings, content.settings.recipe
    return [
        ("data", f"{settings.data}, fingerprint {settings.data_fingerprint}"),
        (", ".join(metric.name for metric in METRICS), convention(settings.scale)),
        ("space", f"{settings.space}, version {settings.space_version}, "
                  f"fingerprint {settings.space_fingerprint}"),
        ("device", f"{settings.device}, fingerprint {settings.device_fingerprint}"),
        ("seed", f"{settings.seed}; a network’s seed is derived from it and the network’s hash"),
        ("sampler and objective", f"{settings.sampler}, {settings.objective}"),
        ("time of a prediction that the score counts", settings.risk),
        ("budget", str(content.budget) or "none"),
        ("each network", f"{recipe.steps} steps of {recipe.batch} crops of "
                         f"{recipe.patch}×{recipe.patch} LR pixels, {recipe.quantization}, "
                         f"{recipe.precision}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in settings.versions.items())),
    ]  # fmt: skip
