"""A real Triton server as a process of its own, on a free port of this machine."""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from service.backends.triton import models_at

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds; machines that run tests are often busy


class TritonServer:
    """Serves `repository`; a context in which it runs. `kill` and `start` may follow one another.

    Its models share memory with it through files in /dev/shm, which a killed server leaves behind:
    they are removed by name. log: where its words go. metrics: whether to show them, too.
    """

    def __init__(self, repository: Path, log: Path, *, metrics: bool = False) -> None:
        self.port = _free_port()
        self.metrics_port = _free_port() if metrics else None
        self.url = f"127.0.0.1:{self.port}"
        self.repository = repository
        self._log = log
        self._shared = f"thermal_test_{self.port}_"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. No model is loaded yet."""
        options = [
            f"--grpc-port={self.port}", "--allow-http=false", "--exit-timeout-secs=5",
            f"--metrics-port={self.metrics_port}" if self.metrics_port else "--allow-metrics=false",
            f"--backend-config=python,shm-region-prefix-name={self._shared}",
        ]  # fmt: skip
        serve = [str(ROOT / "docker/triton/serve.sh"), str(self.repository), *options]
        # Should the tests be killed, the server is told to stop, too.
        command = ["setpriv", "--pdeathsig", "TERM", "--", *serve]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_live(self._process)

    def kill(self) -> None:
        """As a crash does: without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(PATIENCE)
        # Whatever is left of its session: models that were just starting outlive a killed server.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for left in Path("/dev/shm").glob(f"{self._shared}*"):
            left.unlink()

    def _wait_until_live(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + PATIENCE
        while not models_at(self.url):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Triton does not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
