"""The read side: projections, the engine that keeps their read models, and queries."""

from projections.engine import Engine
from projections.errors import (
    EventParked,
    GenerationDropped,
    InvalidQuery,
    NeedsRebuild,
    NotYetVisible,
    ProjectionFailed,
    ProjectionPaused,
    RebuildRefused,
    RowsRefused,
    UnknownModel,
)
from projections.mending import ParkedEvents, Retried
from projections.parked import Poison
from projections.projection import BoundProjection, Projection, projection
from projections.query import ModelQuery, Page
from projections.rebuild import Progress, rebuild
from projections.status import ProjectionStatus, status_of
from projections.targets.memory import MemoryTable
from projections.targets.sql_table import SqlTable

__all__ = [
    "BoundProjection",
    "Engine",
    "EventParked",
    "GenerationDropped",
    "InvalidQuery",
    "MemoryTable",
    "ModelQuery",
    "NeedsRebuild",
    "NotYetVisible",
    "Page",
    "ParkedEvents",
    "Poison",
    "Progress",
    "Projection",
    "ProjectionFailed",
    "ProjectionPaused",
    "ProjectionStatus",
    "RebuildRefused",
    "Retried",
    "RowsRefused",
    "SqlTable",
    "UnknownModel",
    "projection",
    "rebuild",
    "status_of",
]
