"""docs/streaming.md says what works: its client runs as it stands, in a process of its own."""

import asyncio
import re
import sys
from pathlib import Path

import numpy as np

from service.bootstrap import Gateway
from tests import rpc_clients

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "streaming.md").read_text()
ADDRESS = "127.0.0.1:8081"


async def run(folder: Path, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_the_client_of_the_page(gateway: Gateway, tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (generate,) = re.findall(r"^python (-m grpc_tools.*)$", PAGE, re.MULTILINE)
    assert script.count(ADDRESS) == 1 and "-I proto" in generate
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    np.save(tmp_path / "recording.npy", np.stack([rpc_clients.VALUES] * 3))
    await run(tmp_path, sys.executable, *generate.split())
    async with rpc_clients.serving(gateway) as (_, address):
        (tmp_path / "client.py").write_text(script.replace(ADDRESS, address))
        output = await run(tmp_path, sys.executable, "client.py")
    lines = output.splitlines()
    assert 1 <= len(lines) <= 3
    assert all(re.fullmatch(r"frame \d: faces \[1\], \d+ ms", line) for line in lines), output
