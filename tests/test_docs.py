"""The documents name what exists: links, commands, formats, settings, files of the map."""

import re
from pathlib import Path

import pytest
import typer

from backend.cli import app
from backend.formats import FORMATS
from backend.settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_command_is_in_the_changelog_or_readme():
    text = (ROOT / "README.md").read_text() + (ROOT / "CHANGELOG.md").read_text()
    for name in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        assert f"`{name}`" in text or f"labelloom {name}" in text, name


def test_every_format_and_setting_is_documented():
    formats, settings = (ROOT / "docs/formats.md").read_text(), (ROOT / "docs/settings.md").read_text()
    for key in FORMATS:
        assert f"`{key}`" in formats
    for name in Settings.model_fields:
        assert f"LABELLOOM_{name.upper()}" in settings


def test_the_readmes_map_names_real_files():
    text = (ROOT / "README.md").read_text()
    for path in re.findall(r"`((?:backend|connectors|label_config)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
