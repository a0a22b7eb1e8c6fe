"""The section on the small synthetic set that the project ships, and that publishing asks."""

import math
from collections.abc import Sequence

from training.evaluation.candidates import Candidate
from training.evaluation.sections import Glance, Section, Table, number
from training.gate import PROTOCOLS, gate_figures


def gate_section(candidates: Sequence[Candidate]) -> Section:
    """Figures of each network on its task's gate set, side by side."""
    found = {c.label: gate_figures(c.task, c.network) for c in candidates}
    tables = []
    for task, protocol in PROTOCOLS.items():
        labels = [c.label for c in candidates if c.task == task]
        if labels:
            rows = [
                [n, *(number(found[of].get(n, math.nan)) for of in labels)]
                for n in found[labels[0]]
            ]
            tables.append(Table(task, ["figure", *labels], rows, f"error: {protocol}."))
    glances = [
        Glance(f"{c.task} error", c.label, number(found[c.label]["error"])) for c in candidates
    ]
    protocol = "The committed synthetic set: 96 crops, 40 frames."
    return Section("Gate set", protocol, found, tables, glances)
