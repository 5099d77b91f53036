"""The contract, kept by rows in memory."""

import pytest

from projections import MemoryTable
from projections.testing import TargetContract


class TestMemoryTable(TargetContract):
    shares_rows = False

    @pytest.fixture
    def target(self) -> MemoryTable:
        return MemoryTable("things")
