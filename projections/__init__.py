"""The read side: projections, the engine that keeps their read models, and queries."""

from projections.engine import Engine
from projections.errors import InvalidQuery, NeedsRebuild, NotYetVisible, ProjectionFailed, UnknownModel
from projections.projection import BoundProjection, Projection, projection
from projections.query import ModelQuery, Page
from projections.rebuild import Progress, rebuild
from projections.status import ProjectionStatus, status_of
from projections.targets.memory import MemoryTable
from projections.targets.sql_table import SqlTable

__all__ = [
    "BoundProjection",
    "Engine",
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
    "SqlTable",
    "UnknownModel",
    "projection",
    "rebuild",
    "status_of",
]
