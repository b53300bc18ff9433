"""Random edits of a game of five modules, good and broken ones: no room on a mixture, no state lost (P2, P3)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.host.coding import CodeLife, CodeWorld, lived
from tests.host.hosting import ANN, Gateway

MODULES = ("base", "names", "places", "deeds")
IMPORTS = {
    "base": "",
    "names": "from . import base\nfrom .base import MARK as BASE",
    "places": "from village import names\nfrom .names import MARK as NAMES, BASE",
    "deeds": "from .places import MARK as PLACES, NAMES, BASE\nfrom . import places",
}
SEEN = {
    "base": "{'base': MARK}",
    "names": "{'names': MARK, 'base': BASE} | base.seen()",
    "places": "{'places': MARK, 'names': NAMES, 'base': BASE} | names.seen()",
    "deeds": "{'deeds': MARK, 'places': PLACES, 'names': NAMES, 'base': BASE} | places.seen()",
}
"""What a module says of itself and of what it imported, the latter over what those say of themselves."""

GAME = """
from perdure import Game, Row, Table, command
from . import deeds, places
from .deeds import MARK as DEEDS
class Count(Row):
    times: int = 0
class Village(Game):
    counts: Table[Count]
    @command("count")
    def count(self, player):
        row = self.counts.setdefault(player.id, Count())
        row.times += 1
        player.tell(f"{row.times}")
    @command("seen")
    def seen(self, player):
        from .names import BASE, seen
        late = {"base": BASE, "deeds": DEEDS} | seen()
        for said in (late, deeds.seen(), deeds.said(), places.said()):
            player.tell(" ".join(f"{name}={mark}" for name, mark in sorted(said.items())))
"""


def module(name: str, mark: int, how: str) -> str:
    """The module's text with this mark; broken as `how` says."""
    lines = [IMPORTS[name], f"MARK = {mark}", f"def seen(): return {SEEN[name]}", "def said(): return seen()"]
    match how:
        case "syntax":
            lines.append("def oops(:")
        case "halfway":
            lines.insert(2, "1 / 0")
        case "nameless":
            lines[1] = f"MARKED = {mark}"
        case "nothing there":
            lines.insert(0, "from . import nowhere")
        case "cycle":
            lines.insert(0, "from . import deeds as _deeds")
    return "\n".join(lines) + "\n"


HOWS = ("good", "good", "good", "syntax", "halfway", "nameless", "nothing there", "cycle", "removed")
edit = st.tuples(st.sampled_from(MODULES), st.sampled_from(HOWS))
edits = st.lists(st.lists(edit, min_size=1, max_size=3), max_size=6)


def seen(life: CodeLife, gateway: Gateway) -> dict[str, set[str]]:
    """Module -> every mark of it that the room sees, by whatever way."""
    already = len(gateway.read[ANN])
    gateway.type("seen")
    life.until(lambda: len(gateway.read[ANN]) >= already + 4)
    pairs = [pair.split("=") for text in gateway.read[ANN][already:] for pair in text.split()]
    return {name: {mark for other, mark in pairs if other == name} for name, _ in pairs}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits)
def test_no_edit_leaves_a_room_on_a_mixture_or_without_its_state(steps: list[list[tuple[str, str]]]) -> None:
    """Every way to a module leads to the one version of it that is reported as serving."""
    with tempfile.TemporaryDirectory() as folder:
        world = CodeWorld(Path(folder))
        world.write(**dict.fromkeys(("items", "shop")), game=GAME)
        world.write(**{name: module(name, 0, "good") for name in MODULES})
        life, gateway = lived(world)
        try:
            for number, step in enumerate(steps, 1):
                world.write(**{n: None if how == "removed" else module(n, number, how) for n, how in step})
                report = life.reload()
                gateway.type("count")
                sources = life.library.current("village").sources
                assert sources is not None
                for name, marks in seen(life, gateway).items():
                    (mark,) = marks
                    assert f"MARK = {mark}\n".encode() in sources.modules[name].data
                assert report.is_clean == (not report.failed and not report.held)
                broken = {name for name, how in dict(step).items() if how == "syntax"}
                assert broken <= {failed.module for failed in report.failed}
                assert gateway.read[ANN][-5] == f"{number}\n", "the count goes on"
        finally:
            life.crash()
