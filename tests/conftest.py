"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real photographs and hostile images, named by LABELLOOM_TEST_DATA."""
    value = os.environ.get("LABELLOOM_TEST_DATA")
    if not value or not Path(value).is_dir():
        pytest.skip("LABELLOOM_TEST_DATA does not name a folder with raccoon/, bccd/ and edge/")
    return Path(value)
