"""The read side: projections, the engine that keeps their read models, and queries."""

from projections.engine import Engine
from projections.errors import (
    GenerationDropped,
    InvalidQuery,
    NeedsRebuild,
    NotYetVisible,
    ProjectionFailed,
    RebuildRefused,
    RollbackRefused,
    UnknownModel,
)
from projections.projection import BoundProjection, Projection, projection
from projections.query import ModelQuery, Page
from projections.rebuild import Progress, rebuild
from projections.rollback import prune, rollback
from projections.status import ProjectionStatus, status_of
from projections.targets.memory import MemoryTable
from projections.targets.sql_table import SqlTable

__all__ = [
    "BoundProjection",
    "Engine",
    "GenerationDropped",
    "InvalidQuery",
    "MemoryTable",
    "ModelQuery",
    "NeedsRebuild",
    "NotYetVisible",
    "Page",
    "Progress",
    "Projection",
    "ProjectionFailed",
    "ProjectionStatus",
    "RebuildRefused",
    "RollbackRefused",
    "SqlTable",
    "UnknownModel",
    "projection",
    "prune",
    "rebuild",
    "rollback",
    "status_of",
]
