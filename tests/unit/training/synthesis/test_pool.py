"""Pools on disk: what is kept, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from training.synthesis.config import PERSON
from training.synthesis.pool import MADE_BY, OtherPersons, Pool, write_shard


def test_a_shard_is_kept_and_says_what_made_it(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, None, "portrait", 3, 0, persons=1)
    before = (shard / "temperature.npy").stat().st_mtime_ns
    assert write_shard(tmp_path, None, "portrait", 3, 0, persons=1) == shard
    assert (shard / "temperature.npy").stat().st_mtime_ns == before
    note = json.loads((shard / MADE_BY).read_text())
    assert note["head"] == "procedural" and note["source"] and note["knobs"]["worn"]


def test_a_pool_does_not_pass_for_one_of_other_knobs(tmp_path: Path) -> None:
    write_shard(tmp_path, None, "portrait", 3, 0, persons=1)
    others = replace(PERSON, worn=replace(PERSON.worn, glasses_chance=0.0))
    with pytest.raises(OtherPersons, match="other knobs"):
        write_shard(tmp_path, None, "portrait", 3, 0, 1, others)


def test_a_shard_that_says_nothing_is_read_but_not_added_to(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, None, "portrait", 3, 0, persons=1)
    (shard / MADE_BY).unlink()
    assert len(Pool(tmp_path, "portrait")) == 1
    with pytest.raises(OtherPersons):
        write_shard(tmp_path, None, "portrait", 3, 0, persons=1)
