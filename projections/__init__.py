"""The read side: projections, the engine that keeps their read models, and queries."""

from projections.engine import Engine
from projections.errors import (
    EventParked,
    GenerationDropped,
    InlineFailed,
    InvalidQuery,
    NeedsRebuild,
    NotYetVisible,
    ProjectionFailed,
    ProjectionPaused,
    ReactionFailed,
    RebuildRefused,
    RollbackRefused,
    RowsRefused,
    TargetUnavailable,
    UnknownModel,
    ViewRefused,
)
from projections.grouped_query import GroupedQuery
from projections.key import by_tag
from projections.lookup import RowLookup
from projections.measure import Measure, avg_of, count_of, max_of, min_of, sum_of
from projections.mending import ParkedEvents, Retried
from projections.page import Page
from projections.parked import Poison
from projections.projection import BoundProjection, Projection, projection
from projections.query import ModelQuery
from projections.reaction import Reaction, reaction
from projections.rebuild import Progress, rebuild
from projections.reporting_view import ReportingView
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
from projections.view_query import ViewQuery
from projections.view_status import ViewStatus, view_status
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
    "InlineFailed",
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
    "Reaction",
    "ReactionFailed",
    "RebuildRefused",
    "ReportingView",
    "Retried",
    "RollbackRefused",
    "RowLookup",
    "RowsApart",
    "RowsMissing",
    "RowsRefused",
    "SearchQuery",
    "SqlTable",
    "Stale",
    "TargetUnavailable",
    "UnknownModel",
    "Verified",
    "ViewQuery",
    "ViewRefused",
    "ViewStatus",
    "Watch",
    "avg_of",
    "by_tag",
    "count_of",
    "max_of",
    "min_of",
    "projection",
    "prune",
    "reaction",
    "rebuild",
    "rollback",
    "status_of",
    "sum_of",
    "verify",
    "view_status",
]
