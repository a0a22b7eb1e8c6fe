"""`python -m training.data`: data sets on disk, see `training.data.sets`.

list                              their names, options and licences
check NAME DIR[,OPTION=VALUE]     read a data set and say what it holds: faces by split, subject and
                                  subset, points that are not annotated, units and range, what is
                                  broken. Exit status 1 if nothing of it can be used.
"""

import argparse
import inspect
import json
from pathlib import Path

from training.data.check import check, described
from training.data.faces import DataSetError
from training.data.sets import SETS, licence, parse_source


def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    if args.command == "list":
        print("\n".join(_listed(name) for name in SETS))
        return
    try:
        found = check(parse_source(f"{args.name}={args.folder}"), args.pictures)
    except DataSetError as error:
        if args.json:
            args.json.write_text(json.dumps({"usable": 0, "error": str(error)}, indent=2) + "\n")
        raise SystemExit(str(error)) from None
    print(described(found))
    if args.json:
        args.json.write_text(json.dumps(found.as_dict(), indent=2) + "\n")
    if not found.usable:
        raise SystemExit(f"{found.source}: nothing in it can be used")


def _listed(name: str) -> str:
    options = ", ".join(list(inspect.signature(SETS[name]).parameters)[1:])
    return f"{name}: options {options}; licence: {licence(name)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="names, options and licences")
    look = commands.add_parser("check", help="what a data set holds")
    look.add_argument("name", choices=list(SETS))
    look.add_argument("folder", metavar="DIR[,OPTION=VALUE...]")
    look.add_argument("--pictures", type=int, default=0, metavar="N",
                      help="read N faces, spread over the set; default: all")  # fmt: skip
    look.add_argument("--json", type=Path, metavar="FILE", help="also write the findings")
    return parser


if __name__ == "__main__":
    main()
