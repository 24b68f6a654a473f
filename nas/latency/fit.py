"""Fits latency models; writes device.toml and a card with their errors next to the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency_models.device import Device
from latency_models.device_file import device_toml
from latency_models.sources.regression import CostStructure, Measurement, write_measurements
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.fitted import fit
from latency_models.sources.regression.known import networks_of
from latency_models.sources.regression.physical import require_enough
from latency_models.sources.regression.settings import (
    TABLE,
    PaddingSettings,
    RegressionSettings,
    TermSettings,
)
from latency_models.sources.regression.source import read_table
from latency_models.sources.regression.transfer import (
    cross_validate_transfer,
    require_transferable,
)
from latency_models.sources.regression.validation import (
    FIGURES,
    Accuracy,
    accuracy,
    cross_validate,
    cross_validate_structures,
)
from search_spaces import InputError

from ..system.files import write_text
from ..system.generated import GeneratedFile
from .table import require_own_times, require_table_of

#: File name of the table of a transferred model's donor, next to the device's own table.
DONOR_TABLE = "donor.csv"
#: Title of the errors from cross-validation that leaves out structures.
STRUCTURES = "structures left out"
_FOLDS = 5
_COMMAND = "nas latency fit"
_PROGRESS = "{} measurements: fitting the model, and others without parts of the table ..."


@dataclass(frozen=True)
class FitErrors:
    """Errors by cross-validation."""

    #: errors if structures are left out; None if the table has none to leave out
    structures: Accuracy | None
    #: errors if networks are left out
    networks: Accuracy

    @property
    def columns(self) -> dict[str, Accuracy]:
        """Title -> errors; those of structures, which matter most to a search, come first."""
        by_structure = {} if self.structures is None else {STRUCTURES: self.structures}
        return by_structure | {"networks left out": self.networks}


def fit_folder(
    folder: Path,
    device: Device,
    confirm: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> FitErrors:
    """Fits a model to the table in ``folder``; returns its errors by cross-validation.

    ``confirm`` names the device in device.toml, for searches that measure their best networks.
    ``tell`` is called with a line about what takes minutes, once the table has been checked.
    Raises InputError if the table is too short or of another device, or if a file in the folder
    was written or changed by hand.
    """
    rows = _checked_rows(folder, device)
    structure = default_structure(rows)
    require_enough(structure, rows)
    tell(_PROGRESS.format(len(rows)))
    networks = networks_of(rows)
    fold_of_network = {
        network: place % _FOLDS for place, network in enumerate(dict.fromkeys(networks))
    }
    folds = [fold_of_network[network] for network in networks]
    settings = settings_of(structure).model_copy(update={"confirm": confirm}).with_interval(folder)
    radius = settings.known_radius(folder)
    figures = FitErrors(
        of_structures(structure, rows, radius),
        accuracy(cross_validate(structure, rows, folds, radius)),
    )
    method = (
        "networks left out: each is predicted by a model fitted to the four fifths of the table "
        "that do not contain it."
    )
    _write(folder, device, settings, _Card(rows, figures, "", method))
    return figures


def of_structures(
    structure: CostStructure, rows: Sequence[Measurement], radius: float | None
) -> Accuracy | None:
    """Returns the errors on structures, each left out of the fit in turn.

    A network counts once for each of its structures. None with fewer than two predictions.
    """
    by_structure = cross_validate_structures(structure, rows, radius)
    predictions = [p for of_structure in by_structure.values() for p in of_structure]
    return accuracy(predictions) if len(predictions) > 1 else None


def transfer_folder(
    folder: Path,
    device: Device,
    donor: Device,
    confirm: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> FitErrors:
    """Transfers the model of ``donor`` to ``device`` by ten or more measurements in ``folder``.

    Returns its errors by leave-one-out cross-validation. ``confirm`` and ``tell`` as for
    ``fit_folder``. Raises InputError if there are fewer measurements, or if ``donor`` has no
    regression on measurements of its own.
    """
    donor_settings = donor.settings
    if (
        not isinstance(donor_settings, RegressionSettings)
        or donor_settings.transfer_from is not None
    ):
        raise InputError(
            f"device {donor.name} has no regression on measurements of its own to start from; "
            "name one of those that `nas latency devices` calls so"
        )
    rows = _checked_rows(folder, device)
    require_transferable(rows)
    donor_rows = read_table(donor.folder / donor_settings.table)
    tell(_PROGRESS.format(len(rows)))
    fitted = fit(donor_settings.structure, donor_rows)
    figures = FitErrors(None, accuracy(cross_validate_transfer(fitted, rows)))
    write_text(folder / DONOR_TABLE, write_measurements(donor_rows))
    settings = donor_settings.model_copy(
        update={
            "transfer_from": DONOR_TABLE,
            "confirm": confirm,
            "table": TABLE,
            "interval": None,
            "network": None,
        }
    )
    origin = f", starting from the model of `{donor.name}` ({donor.stack})"
    method = "networks left out: each is predicted from that model and the other measurements."
    _write(folder, device, settings, _Card(rows, figures, origin, method))
    return figures


def _checked_rows(folder: Path, device: Device) -> tuple[Measurement, ...]:
    """Reads the table in ``folder`` and checks it, the device and the files to be written."""
    require_own_times(device)
    for file in (_device_file(folder), _card_file(folder)):
        file.require_own()
    if not (folder / TABLE).is_file():
        raise InputError(
            f"{folder}: no {TABLE} in it; make one by `nas latency collect` or `nas latency probe`"
        )
    rows = read_table(folder / TABLE)
    require_table_of(device, rows, folder / TABLE)
    return rows


def _device_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / "device.toml", _COMMAND)


def _card_file(folder: Path) -> GeneratedFile:
    return GeneratedFile(folder / "README.md", _COMMAND, ("<!--", "-->"))


@dataclass(frozen=True)
class _Card:
    """Contents of a model's card."""

    rows: Sequence[Measurement]
    figures: FitErrors
    #: text about the donor; empty without one
    origin: str
    #: text about how the errors of networks were computed
    method: str

    def text(self, name: str, device: Device) -> str:
        columns = self.figures.columns
        kinds = Counter(operator.kind for row in self.rows for operator in row.operators)
        counts = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
        spaces = sorted({row.origin.space for row in self.rows if row.origin is not None})
        lines = [
            f"# {device.title}, predicted",
            "",
            f"`{name}`: a regression on {len(self.rows)} networks measured on `{device.name}` "
            f"({device.stack}) at {device.input}{self.origin}.",
            "",
            "Errors for networks that were left out of the fit:",
            "",
            *(
                [
                    "- structures left out: each structure, which is a family, all networks with "
                    "one operator, or all networks with one kind of residual, is predicted by a "
                    "model fitted to all other networks; this is closer to the networks of a "
                    "search."
                ]
                if STRUCTURES in columns
                else []
            ),
            f"- {self.method}",
            "",
            f"| figure | {' | '.join(columns)} | what is good |",
            f"|---|{'---|' * len(columns)}---|",
            *(
                f"| {f.title} | {' | '.join(f.text(c) for c in columns.values())} | {f.good} |"
                for f in FIGURES
            ),
            "",
            *([f"Networks of {', '.join(spaces)}.", ""] if spaces else []),
            f"Number of operators of each kind in the table: {counts}.",
            "Other kinds are refused, or bounded by their bytes if an engine is known to run them.",
            "",
        ]
        return "\n".join(lines)


def _write(folder: Path, device: Device, settings: RegressionSettings, card: _Card) -> None:
    model = device.model_copy(
        update={
            "name": f"{device.name}-regression",
            "title": f"{device.title}, predicted",
            "operators": None,
            "settings": settings,
            "folder": folder,
        }
    )
    _card_file(folder).write(card.text(model.name, device))
    _device_file(folder).write(device_toml(model))


def settings_of(structure: CostStructure) -> RegressionSettings:
    """Returns ``structure`` as settings of a device.toml."""
    return RegressionSettings(
        source="regression",
        engines={engine.name: tuple(sorted(engine.kinds)) for engine in structure.engines},
        terms=tuple(
            TermSettings(
                quantity=term.quantity, kinds=tuple(sorted(term.kinds)), known_ms=term.known_ms
            )
            for term in structure.terms
        ),
        side_by_side=structure.side_by_side,
        paddings=tuple(
            PaddingSettings(
                compute_channels=padding.compute_channels, memory_channels=padding.memory_channels
            )
            for padding in structure.paddings
        ),
        residual=structure.residual,
        stack=structure.stack,
        free=tuple(sorted(structure.free)),
    )
