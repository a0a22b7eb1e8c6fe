"""docs/client.md says what works: its samples run as they stand, in processes of their own."""

import re
import sys
from pathlib import Path

from service.bootstrap import Gateway
from service.client.arguments import parser
from service.client.records import CSV_FIELDS
from tests import rpc_clients
from tests.integration.test_rpc_docs import ADDRESS, ROOT, run

PAGE = (ROOT / "docs" / "client.md").read_text()


async def test_the_samples_of_the_page(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    scripts = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    outputs = []
    async with rpc_clients.serving(gateway) as (_, address):
        for number, script in enumerate(scripts):
            assert script.count(ADDRESS) == 1
            name = f"sample{number}.py"
            (tmp_path / name).write_text(script.replace(ADDRESS, address))
            outputs.append(await run(tmp_path, sys.executable, name))
    blocking, concurrent = outputs
    assert "faces in an image of 320 x 256\nframe 0, face 1: nose tip at" in blocking
    assert re.search(r"ready: True, [\d.]+ ms away\nframe 0: 1 faces, \d+ ms\n", concurrent)


def test_the_options_that_the_page_names() -> None:
    known = parser("").format_help()
    named = set(re.findall(r"--[a-z-]+\b", PAGE)) - {"--help"}
    assert {name for name in named if name not in known} == set()


def test_the_columns_that_the_page_names() -> None:
    (sentence,) = re.findall(r"`--csv`: (.*?)in pixels", PAGE, re.DOTALL)
    named = re.findall(r"`(\w+)`", sentence)
    assert named == [*CSV_FIELDS[:9], "x0", "y0", "sigma0", *CSV_FIELDS[-3:]]
