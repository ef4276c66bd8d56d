"""Fixtures of the tests of rules."""

from pathlib import Path

import pytest
from pretend import Desk, PretendLabelStudio


@pytest.fixture
def studio() -> PretendLabelStudio:
    return PretendLabelStudio()


@pytest.fixture
def desk(studio: PretendLabelStudio, tmp_path: Path) -> Desk:
    return Desk(tmp_path, studio)
