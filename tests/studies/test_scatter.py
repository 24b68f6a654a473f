"""Plots of points with names, as SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from studies.scatter import Point, Scatter, beside_each_other, linear

_SVG = "{http://www.w3.org/2000/svg}"


def scatter(points: Sequence[Point], legend: tuple[tuple[str, str], ...] = ()) -> Scatter:
    axis = linear("value", [0, 10])
    return Scatter(tuple(points), axis, axis, 400, 300, legend=legend)


def named(label: str, x: float, y: float) -> Point:
    return Point(x, y, y, y, label, "#c00")


def place_of(svg: str, label: str) -> dict[str, str]:
    (text,) = (text for text in ET.fromstring(svg).iter(f"{_SVG}text") if text.text == label)
    return dict(text.attrib)


def read_place(svg: str, label: str) -> tuple[float, float]:
    """Where a name begins, if a letter takes 6.5 pixels, and its base line."""
    place, width = place_of(svg, label), 6.5 * len(label)
    left = {"start": 0.0, "middle": width / 2, "end": width}[place["text-anchor"]]
    return float(place["x"]) - left, float(place["y"])


def test_a_name_stands_on_the_right_and_gives_way_to_others() -> None:
    svg = scatter([named("first", 5, 5), named("second", 5.1, 5), named("far", 5, 9)]).svg()
    places = {label: place_of(svg, label) for label in ("first", "second", "far")}
    assert places["first"]["text-anchor"] == places["far"]["text-anchor"] == "start"
    assert places["second"]["text-anchor"] != "start"


@given(st.lists(st.tuples(st.floats(2, 8), st.floats(2, 8)), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_names_stand_apart_and_within_the_picture(places: list[tuple[float, float]]) -> None:
    names = [f"network-{index}" for index in range(len(places))]
    svg = scatter([named(name, *place) for name, place in zip(names, places, strict=True)]).svg()
    found = [read_place(svg, name) for name in names]
    assert all(0 < x < 400 - 50 and 0 < y < 300 for x, y in found)
    for (x, y), (other_x, other_y) in combinations(found, 2):
        assert abs(x - other_x) > 50 or abs(y - other_y) >= 11.9


def test_what_colors_stand_for_is_told_and_drawn() -> None:
    svg = scatter([named("a < b", 5, 5)], (("#c00", "ours"), ("#00c", "theirs"))).svg()
    assert place_of(svg, "ours")["fill"] == "#c00"
    assert place_of(svg, "theirs")["fill"] == "#00c"
    assert float(place_of(svg, "ours")["x"]) < float(place_of(svg, "theirs")["x"])
    assert [dot.get("fill") for dot in ET.fromstring(svg).iter(f"{_SVG}circle")] == ["#c00"]
    assert place_of(svg, "a < b")["text-anchor"] == "start"


def test_pictures_stand_beside_each_other() -> None:
    picture = scatter([named("a", 5, 5)])
    root = ET.fromstring(beside_each_other([picture, picture]))
    assert (root.get("width"), root.get("height")) == ("800", "300")
    assert [part.get("transform") for part in root] == ["translate(0 0)", "translate(400 0)"]
    assert len(list(root.iter(f"{_SVG}circle"))) == 2
