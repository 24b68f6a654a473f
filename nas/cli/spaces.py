"""``nas space``: shows, samples and checks search spaces."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from ..checking.space_check import SpaceCheck

app = typer.Typer(
    help="The search spaces: list, show, sample, count, check.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip
SpaceName = Annotated[
    str, typer.Argument(metavar="NAME|FILE.py", help="A space, or a file of yours.")
]
ScaleOption = Annotated[int, typer.Option(min=2, max=4, help="Upscaling factor.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the random choices.")]
_INPUT = "360x640"


@app.command("list")
def list_spaces(as_json: JsonOption = False) -> None:
    """List the built-in search spaces."""
    from search_spaces.spaces.loading import built_in

    rows = [
        (
            module.__name__.rpartition(".")[2],
            str(module.VERSION),
            " ".join((module.__doc__ or "").split("\n\n", maxsplit=1)[0].split()),
        )
        for module in built_in()
    ]
    if as_json:
        print_json([dict(zip(("name", "version", "about"), row, strict=True)) for row in rows])
        return
    print_table(("space", "version", "about"), rows)


@app.command()
def show(space: SpaceName, scale: ScaleOption = 3, as_json: JsonOption = False) -> None:
    """Show the parameters and their choices.

    "asked" is the share of 500 random networks that have the parameter.
    """
    from search_spaces.spaces.enumeration import parameters
    from search_spaces.spaces.fingerprint import fingerprint
    from search_spaces.spaces.loading import load_space

    loaded = load_space(space)
    shares, mark = parameters(loaded, scale), fingerprint(loaded, scale)
    if as_json:
        print_json(
            {
                "name": loaded.name, "version": loaded.version, "fingerprint": mark,
                "parameters": [
                    {**parameter.to_json(), "asked": share} for parameter, share in shares.items()
                ],
            }
        )  # fmt: skip
        return
    print(f"{loaded.name}, version {loaded.version}, fingerprint {mark} at x{scale}")
    print_table(
        ("parameter", "choices", "asked"),
        [(parameter.name, parameter.text, f"{share:.0%}") for parameter, share in shares.items()],
    )


@app.command()
def sample(
    space: SpaceName,
    number: Annotated[int, typer.Option("--number", min=1, help="How many networks.")] = 1,
    scale: ScaleOption = 3,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw random networks.

    The JSON has architectures that `nas train` reads from a file.
    """
    from search_spaces import InputSpec, infer
    from search_spaces.spaces.enumeration import samples
    from search_spaces.spaces.loading import load_space

    rows = []
    for walk, candidate in samples(load_space(space), scale, number, seed):
        figures = infer(candidate.deployed, InputSpec.parse(_INPUT))
        parameters = {
            parameter.name: parameter.choices[index]
            for parameter, index in zip(walk.parameters, walk.indices, strict=True)
        }
        rows.append((candidate, figures, parameters))
    if as_json:
        print_json(
            [
                {
                    "candidate": candidate.hash, "parameters": parameters,
                    "params": figures.parameters, "macs": figures.macs,
                    "architecture": candidate.to_json(),
                }
                for candidate, figures, parameters in rows
            ]
        )  # fmt: skip
        return
    for candidate, figures, parameters in rows:
        print(
            f"{candidate.hash}: {figures.parameters:,} parameters, {figures.macs / 1e9:.3f} GMAC "
            f"at {_INPUT}"
        )
        print("  " + ", ".join(f"{name}={value}" for name, value in parameters.items()))


@app.command()
def count(space: SpaceName, scale: ScaleOption = 3, as_json: JsonOption = False) -> None:
    """Count the combinations of parameters.

    Large numbers are estimated by random walks.
    """
    from search_spaces.spaces.enumeration import count as count_combinations
    from search_spaces.spaces.loading import load_space

    counted = count_combinations(load_space(space), scale)
    if as_json:
        print_json({"combinations": counted.combinations, "standard_error": counted.standard_error})
    elif math.isinf(counted.combinations):
        print("infinitely many combinations: some parameters are real numbers")
    elif counted.exact:
        print(f"{counted.combinations:,.0f} combination{'s' * (counted.combinations != 1)}")
    else:
        print(
            f"about {counted.combinations:.3g} combinations "
            f"(standard error {counted.standard_error:.1g})"
        )


@app.command()
def check(
    space: SpaceName,
    samples: Annotated[int, typer.Option(min=1, help="Networks to draw.")] = 200,
    convert: Annotated[int, typer.Option(min=0, help="How many of these to convert to INT8.")] = 3,
    scale: ScaleOption = 3,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Check a space by drawing networks.

    All must be buildable and deployable, and some are converted to INT8.
    """
    from ..checking.space_check import check_space

    result = check_space(space, scale, samples, convert, seed)
    if as_json:
        print_json(asdict(result))
    else:
        _print_check(result)
    if result.failures:
        raise typer.Exit(1)


def _print_check(result: SpaceCheck) -> None:
    print(
        f"{result.drawn} drawn, {result.different} different, {result.converted} converted to "
        f"integer-only INT8; {result.smallest_gmac:.2f} to {result.largest_gmac:.2f} GMAC at "
        f"{_INPUT}"
    )
    for reason, number in result.failures.items():
        print(f"{number} x {reason}")
