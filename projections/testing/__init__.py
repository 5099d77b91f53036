"""The contract that every read-model target keeps, as tests to subclass.

    class TestMyTarget(TargetContract):
        @pytest.fixture
        def target(self, tmp_path):
            return MyTarget("things", tmp_path)

Only this package needs pytest.
"""

import pytest

pytest.register_assert_rewrite("projections.testing.contract")  # before the import, so that a failure shows the values

from projections.testing.contract import TargetContract  # noqa: E402

__all__ = ["TargetContract"]
