"""Retries are told to the log, whatever logging library happens to be installed."""

import pytest

from connectors.retries import retry_context


def test_a_retry_is_logged_and_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []
    for attempt in retry_context(on=ValueError, attempts=2, wait_initial=0.001):
        with attempt:
            calls.append(1)
            if len(calls) == 1:
                raise ValueError
    assert len(calls) == 2
    assert capsys.readouterr() == ("", "")
    assert [record.name for record in caplog.records] == ["stamina"]
