"""Signals end a long command: one leaves a mark for whoever looks, and a second one interrupts."""

import signal

import pytest

from eventfold.cli.signals import signals_end


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
