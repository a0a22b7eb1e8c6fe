"""The report: one HTML file that holds all it shows, for a browser, a phone or a printer."""

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.evaluation.candidates import Candidate
from training.evaluation.sections import Section


def render(
    sections: Sequence[Section],
    networks: Sequence[Candidate],
    command: str,
    date: datetime,
    revision: str,
    title: str = "",
) -> str:
    """The page. command: the line that made it; revision: of the source that ran; title: unless it
    is the names of the networks."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    return environment.get_template("page.html").render(
        title=title or f"Evaluation of {', '.join(network.label for network in networks)}",
        date=f"{date:%Y-%m-%d %H:%M %Z}",
        command=command,
        revision=revision,
        networks=networks,
        sections=sections,
    )
