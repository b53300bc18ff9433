"""Logs of hosts that are gone."""

import os
from pathlib import Path

from perdure.supervisor.old_logs import HOSTS_MAX, prune


def test_the_logs_of_the_newest_hosts_stay(tmp_path: Path) -> None:
    """By when they wrote last, not by number, which begins anew with each server; other logs are not touched."""
    for age, number in enumerate([12, 3, 9, 1, 2, 5, 7, 8]):
        for suffix in ("log", "jsonl", "log.1"):
            file = tmp_path / f"host-{number}.{suffix}"
            file.touch()
            os.utime(file, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "gateway.log").touch()
    prune(tmp_path, {"host-8"})
    left = {path.name.partition(".")[0] for path in tmp_path.iterdir()}
    assert left == {"host-12", "host-3", "host-9", "host-1", "host-2", "host-8", "gateway"}
    assert len(list(tmp_path.glob("host-12.*"))) == 3
    assert len(left) - 2 == HOSTS_MAX


def test_a_folder_that_is_not_there_has_nothing_to_prune(tmp_path: Path) -> None:
    """A server starts all the same."""
    prune(tmp_path / "logs", set())
