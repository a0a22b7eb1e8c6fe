"""A real Prometheus on loopback with the shipped configuration, quickened for tests."""

import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.unit.docker.files import RULES

_CONFIG = RULES.parent / "prometheus.yml"
_INTERVAL = "1s"


class Prometheus:
    """The process, gone at the end of the context. `targets` are addresses by job."""

    def __init__(self, folder: Path, port: int, targets: dict[str, list[str]]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        config = yaml.safe_load(_CONFIG.read_text(encoding="utf-8"))
        config["global"] = {
            "scrape_interval": _INTERVAL,
            "scrape_timeout": _INTERVAL,
            "evaluation_interval": _INTERVAL,
        }
        _write(folder / "prometheus.yml", config)
        rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
        for rule in (rule for group in rules["groups"] for rule in group["rules"]):
            rule.pop("for", None)
        _write(folder / "rules.yml", rules)
        (folder / "targets").mkdir()
        for job, addresses in targets.items():
            _write(folder / "targets" / f"{job}.yml", [{"targets": addresses}])
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                found("prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of every series that answers an instant query now."""
        data = self._get("/api/v1/query", query=expression)
        return [(series["metric"], float(series["value"][1])) for series in data["result"]]

    def firing(self) -> set[tuple[str, str]]:
        """(name, instance) of every alert that fires."""
        alerts = self._get("/api/v1/alerts")["alerts"]
        labels = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
        return {(label["alertname"], label["instance"]) for label in labels}

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = httpx.get(self.url + path, params=parameters, timeout=30).raise_for_status()
        data: dict[str, Any] = answer.json()["data"]
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()


def found(program: str) -> str:
    """The path of a program of the package `prometheus`."""
    path = shutil.which(program)
    assert path, f"{program} is not here: install the package `prometheus` (Debian, Ubuntu)"
    return path


def _write(file: Path, content: object) -> None:
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
