"""Brokers as parameters of a test, which asks for the server of each by its name."""

from typing import Any

import pytest


def kinds(*names: str) -> list[Any]:
    """Marked as what they need, as is a test that names its server outright."""
    return [pytest.param(name, marks=getattr(pytest.mark, name)) for name in names]
