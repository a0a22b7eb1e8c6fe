"""What the pages for operators name exists."""

import re
from pathlib import Path

import pytest

from service.settings import Settings
from tests.unit.docker.files import ROOT, alerts, recorded

PAGES = [ROOT / "docs" / f"{name}.md" for name in ("operations", "runbook", "scaling")]
COMPOSE_ONLY = {"THERMAL_PUBLISH"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings(page: Path) -> None:
    known = {f"THERMAL_{name}".upper() for name in Settings.model_fields} | COMPOSE_ONLY
    used = set(re.findall(r"\bTHERMAL_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert used <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links(page: Path) -> None:
    for file, anchor in re.findall(r"\]\(([\w.]*)#?(\w*)\)", page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {heading.lower() for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_alerts_and_records(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"\b(?:Gateway|Backend|Streams|Triton)[A-Z]\w+", text)) <= set(alerts())
    assert set(re.findall(r"\b\w+:thermal_\w+:\w+", text)) <= set(recorded())


def test_limits_and_grace_of_the_table() -> None:
    """Defaults that the page repeats."""
    text = PAGES[0].read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(THERMAL_\w+)` \| (\d+) \|", text, re.MULTILINE)
    assert rows
    for name, default in rows:
        assert getattr(Settings(), name.removeprefix("THERMAL_").lower()) == int(default)
