"""Writes the card of a network as a Markdown note for Optuna's dashboard."""

from __future__ import annotations

from dataclasses import replace

from ..studies.cards import card_of_trial
from .content import ReportContent, ReportedNetwork


def note_of(content: ReportContent, network: ReportedNetwork) -> str:
    """Returns the note: quality, latency by kind of operator, and training of the network."""
    card = card_of_trial(content.name, content.settings, network.record)
    # Readers of a note know the device by the name that the study uses.
    card = replace(card, name=f"{network.name} of {content.name}", device=network.device)
    ratio = [(content.gauge, f"{network.ratio:.2f}")] if content.has_abpn else []
    return card.to_markdown(*ratio)
