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
    RollbackRefused,
    RowsRefused,
    TargetUnavailable,
    UnknownModel,
)
from projections.grouped_query import GroupedQuery
from projections.key import by_tag
from projections.measure import Measure, avg_of, count_of, max_of, min_of, sum_of
from projections.mending import ParkedEvents, Retried
from projections.page import Page
from projections.parked import Poison
from projections.projection import BoundProjection, Projection, projection
from projections.query import ModelQuery
from projections.rebuild import Progress, rebuild
from projections.rollback import prune, rollback
from projections.row_difference import FieldChange
from projections.search import Hit, OpenIndex
from projections.search_query import SearchQuery
from projections.stale import Stale
from projections.status import ProjectionStatus, status_of
from projections.targets.custom import CustomTarget
from projections.targets.elasticsearch import ElasticsearchIndex
from projections.targets.memory import MemoryTable
from projections.targets.rows_apart import RowsApart, RowsMissing
from projections.targets.sql_table import SqlTable
from projections.verify import Fault, Verified, verify
from projections.watch import Changed, Watch

__all__ = [
    "BoundProjection",
    "Changed",
    "CustomTarget",
    "ElasticsearchIndex",
    "Engine",
    "EventParked",
    "Fault",
    "FieldChange",
    "GenerationDropped",
    "GroupedQuery",
    "Hit",
    "InvalidQuery",
    "Measure",
    "MemoryTable",
    "ModelQuery",
    "NeedsRebuild",
    "NotYetVisible",
    "OpenIndex",
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
    "RollbackRefused",
    "RowsApart",
    "RowsMissing",
    "RowsRefused",
    "SearchQuery",
    "SqlTable",
    "Stale",
    "TargetUnavailable",
    "UnknownModel",
    "Verified",
    "Watch",
    "avg_of",
    "by_tag",
    "count_of",
    "max_of",
    "min_of",
    "projection",
    "prune",
    "rebuild",
    "rollback",
    "status_of",
    "sum_of",
    "verify",
]
