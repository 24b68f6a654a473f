"""Imports and loads what workers need; the process that imports this forks all workers."""

from __future__ import annotations

from importlib import import_module

from nas.quality_model.full_training_model import shipped_model
from search_spaces import zoo
from search_spaces.graph.capacity import values_per_pixel
from search_spaces.spaces.loading import load_space

from .sleeper import SCALE, SPACE

#: Modules that are otherwise imported when they are first used.
for _name in (
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "optuna.storages._rdb.models",
    "optuna.storages._grpc.servicer",
    "nas.studies.proxy",
):
    import_module(_name)
load_space(SPACE)
shipped_model(SCALE)
values_per_pixel(zoo.find("ABPN").build(SCALE).graph)
