"""The contract that every store backend keeps, as tests to subclass.

    class TestMyBackend(EventStoreContract):
        @pytest.fixture
        def store_factory(self, tmp_path):
            backend_url = f"mydb:///{tmp_path}/log"
            return lambda **options: open_store(backend_url, migrate=True, **options)

Only this package needs pytest.
"""

import pytest

pytest.register_assert_rewrite("eventstore.testing.contract")  # before the import, so that a failure shows the values

from eventstore.testing.contract import EventStoreContract  # noqa: E402 - after the registration above
from eventstore.testing.stored import assert_locked_shapes_read, stored  # noqa: E402 - after the registration above

__all__ = ["EventStoreContract", "assert_locked_shapes_read", "stored"]
