"""`python -m training.synthesis`: import the head model, render persons, look at them.

import-head ICT_FACEKIT OUT.npz       compact head model from a checkout of ICT-FaceKit
pool --head H --out DIR --kind K      render persons into shards (kinds: portrait, figure), with
                                      --rgb in colour too
sheet --pool DIR --out PNG|JPG        detector frames and landmark crops as networks see them, or
                                      with --topic camera|background|... every knob by picture
page docs/synthesis.md                the page's tables, from the configuration
sample --pool DIR --out PNG           one 16-bit frame (centikelvin) with a face
sequence --head H --out CLIP.npz      film moving persons, with the truth in every frame:
                                      --kind turning --seconds 5 --fps 9 --size 160x120
                                      --camera radiometric|grey|clean --event freeze@1+2
gate --pool DIR --out DIR             the small sets on which publishing judges a model, of a pool
                                      that no training sees
"""

import argparse
import os
from pathlib import Path

from training.config import ConfigError, from_overrides
from training.synthesis.clip_events import EVENTS, PlanError, parse_event
from training.synthesis.config.person import PersonConfig
from training.synthesis.head import HeadModelMissing
from training.synthesis.importer import import_head
from training.synthesis.page import with_tables
from training.synthesis.pool import PLANS, OtherPersons, PoolMissing, write_pool
from training.synthesis.scripts import KINDS
from training.synthesis.sequences import CAMERAS, SequencePlan, write_sequence
from training.synthesis.sheets import TOPICS, sample_frame, write_gate, write_sheet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.synthesis")
    commands = parser.add_subparsers(dest="command", required=True)
    head = commands.add_parser("import-head", help="compact head model from ICT-FaceKit")
    head.add_argument("checkout", type=Path)
    head.add_argument("out", type=Path)
    pool = commands.add_parser("pool", help="render persons into shards")
    pool.add_argument("--head", required=True, help="head model (.npz)")
    pool.add_argument("--out", type=Path, required=True)
    pool.add_argument("--kind", choices=list(PLANS), required=True)
    pool.add_argument("--persons", type=int, default=8000)
    pool.add_argument("--seed", type=int, default=0)
    pool.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    pool.add_argument("--rgb", action="store_true", help="in colour too, for pairs of both")
    pool.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                      help="another PersonConfig, e.g. worn.glasses_chance=0")  # fmt: skip
    _add_sequence(commands.add_parser("sequence", help="film moving persons"))
    for name in ("sheet", "sample", "gate"):
        look = commands.add_parser(name)
        look.add_argument("--pool", type=Path, required=True)
        look.add_argument("--out", type=Path, required=True)
        look.add_argument("--seed", type=int, default=0)
        if name == "sheet":
            look.add_argument("--topic", choices=TOPICS, default=TOPICS[0])
            look.add_argument("--head", type=Path, help="head model, for the topics person and rgb")
    page = commands.add_parser("page", help="tables of docs/synthesis.md from the configuration")
    page.add_argument("file", type=Path)
    return parser


def _add_sequence(film: argparse.ArgumentParser) -> None:
    film.add_argument("--head", required=True, help="head model (.npz)")
    film.add_argument("--out", type=Path, required=True)
    film.add_argument("--kind", choices=list(KINDS), default="portrait")
    film.add_argument("--seconds", type=float, default=5.0)
    film.add_argument("--fps", type=float, default=9.0)
    film.add_argument("--size", default="160x120", help="width x height in pixels")
    film.add_argument("--seed", type=int, default=0)
    film.add_argument("--camera", choices=list(CAMERAS), default="radiometric")
    film.add_argument("--pan", action="store_true", help="the camera slowly turns")
    film.add_argument("--event", action="append", default=[], metavar="KIND@START+SECONDS",
                      help=f"what befalls the sensor: {', '.join(EVENTS)}")  # fmt: skip
    film.add_argument("--sheet", type=Path, help="a picture of the clip with its landmarks")
    film.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                      help="another PersonConfig, e.g. worn.glasses_chance=0")  # fmt: skip


def _sequence(args: argparse.Namespace) -> str:
    try:
        width, height = (int(side) for side in args.size.split("x"))
    except ValueError:
        raise PlanError(f"size: {args.size!r} is not WIDTHxHEIGHT") from None
    plan = SequencePlan(
        args.kind, args.seconds, args.fps, width, height, args.seed, args.camera, args.pan,
        tuple(parse_event(text) for text in args.event),
    )  # fmt: skip
    config = from_overrides(PersonConfig, args.set)
    return write_sequence(args.out, args.head, plan, config, args.sheet)


def main(arguments: list[str] | None = None) -> None:
    try:
        _run(_parser().parse_args(arguments))
    except (ConfigError, HeadModelMissing, OtherPersons, PoolMissing, PlanError) as error:
        raise SystemExit(str(error)) from None


def _run(args: argparse.Namespace) -> None:
    if args.command == "import-head":
        import_head(args.checkout, args.out)
    elif args.command == "pool":
        # One thread a process: BLAS threads of parallel renderers would fight each other.
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
        config = from_overrides(PersonConfig, args.set)
        count = write_pool(
            args.out, args.head, args.kind, args.persons, args.seed, args.workers, config, args.rgb
        )
        print(f"{count} {args.kind} persons in {args.out}")
    elif args.command == "sequence":
        print(_sequence(args))
    elif args.command == "sheet":
        write_sheet(args.pool, args.out, args.topic, args.seed, args.head)
    elif args.command == "page":
        args.file.write_text(with_tables(args.file.read_text()))
    elif args.command == "sample":
        sample_frame(args.pool, args.out, args.seed)
    else:
        write_gate(args.pool, args.out, args.seed)


if __name__ == "__main__":
    main()
