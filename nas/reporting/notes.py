"""The card of one network as a note in Markdown, as Optuna's dashboard shows it."""

from __future__ import annotations

from dataclasses import replace

from ..studies.cards import card_of_trial
from .content import ReportContent, ReportedNetwork


def note_of(content: ReportContent, network: ReportedNetwork) -> str:
    """Quality, latency by kind of operator, and how it was trained."""
    card = card_of_trial(content.name, content.settings, network.record)
    # A note is read on the machine of the study, where the device has the study's name for it.
    card = replace(card, name=f"{network.name} of {content.name}", device=network.device)
    ratio = [(content.gauge, f"{network.ratio:.2f}")] if content.has_abpn else []
    return card.to_markdown(*ratio)
