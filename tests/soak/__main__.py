"""Half an hour of streams, with a verdict: `make soak`, `make soak SECONDS=600`.

    python -m tests.soak --seconds 1800

`python -m service` on the published models; eight synthetic cameras that stay, through the
project's own client, whose pictures freeze now and then; a client process that is killed in
mid-stream again and again, and a client that never reads its answers. Exit status 1 if anything is
wrong.
"""

import argparse
import asyncio
import logging
import sys
from dataclasses import fields

from tests.soak.plan import Plan
from tests.soak.run import soak
from tests.soak.verdict import judge, streams_table

log = logging.getLogger("soak")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    for field in fields(Plan):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default)
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    plan = Plan(**vars(parser.parse_args()))
    evidence = asyncio.run(soak(plan))
    for line in streams_table(evidence.seen):
        log.info(line)
    checks = judge(evidence)
    for check in checks:
        log.info("%s  %-16s %s", "good " if check.good else "WRONG", check.name, check.text)
    return 0 if all(check.good for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
