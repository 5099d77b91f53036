"""Signals end a long command: one leaves a mark for whoever looks, and a second one interrupts."""

import signal
from pathlib import Path

import pytest

from eventfold.cli.signals import signals_end
from tests.eventfold.cli.conftest import Cli


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_mark_and_a_second_one_interrupts(number: signal.Signals) -> None:
    former = signal.getsignal(number)

    with signals_end() as ended:
        assert not ended()
        signal.raise_signal(number)
        assert ended()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)

    assert signal.getsignal(number) is former


TERMINATED = """
import signal
signal.raise_signal(signal.SIGTERM)
from tests.eventfold.cli.hearing import app
app.parts.broker = "memory://terminated"
"""


@pytest.mark.parametrize("command", ["worker run", "inbox consume", "outbox relay", "publish"])
def test_a_signal_while_the_application_is_imported_ends_it_as_ever(
    cli: Cli, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"terminated_{command.replace(' ', '_')}"
    (tmp_path / f"{name}.py").write_text(TERMINATED)
    monkeypatch.syspath_prepend(tmp_path)
    cli.environment["EVENTFOLD_APP"] = f"{name}:app"

    cli(*command.split())
