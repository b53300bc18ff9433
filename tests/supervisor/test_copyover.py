"""Copyovers: every failure at every step ends with one serving host and a report that says so."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import ConfigError, ContractError
from perdure.movement.copyover_order import CopyoverOrder
from perdure.movement.copyover_report import CopyoverReport, lines
from perdure.supervisor.history import History
from perdure.supervisor.instance import State
from perdure.supervisor.processes import Exit
from tests.supervisor.copying import TOML, FakeHost, World, run

NOW = CopyoverOrder()


def copyover(folder: Path, order: CopyoverOrder = NOW, **arranged: Any) -> tuple[World, CopyoverReport]:
    """One copyover in a world where this is arranged."""

    async def main() -> tuple[World, CopyoverReport]:
        world = World(folder)
        for name, value in arranged.items():
            setattr(world, name, value)
        report = await world.copyovers.request(order)
        world.check()
        return world, report

    result: tuple[World, CopyoverReport] = run(main)
    return result


def test_a_copyover_moves_every_room_and_ends_the_old_host(tmp_path: Path) -> None:
    """The successor serves, the old host is gone when it has no rooms, not before (FM-32)."""
    world, report = copyover(tmp_path)
    assert (report.outcome, report.aborted_at, report.serving) == ("committed", None, "host-2")
    assert (report.build.from_, report.build.to) == (2, 3)
    assert (report.rooms.moved, report.rooms.kept, report.pause_ms.max) == (10, [], 2.0)
    assert (report.sessions.kept, report.sessions.lost, report.freeze_ms) == (3, 0, 42.0)
    assert [step.name for step in report.steps] == [
        "build", "boot", "prepare", "stop", "offer", "verify", "commit", "route", "release",
    ]  # fmt: skip
    assert [host.name for host in world.hosts.all] == ["host-2"]
    assert [report.game for report in report.reloads] == ["game"]
    asked = [method for method, _ in world.old.asked]  # type: ignore[attr-defined]
    open_ = ["movement.vetoes", "movement.open", "games", "movement.vetoes"]
    assert asked == [*open_, "movement.move", "movement.close"]


FAILURES = [
    (("new", "boot"), "exit", "aborted", "boot", "host-1"),
    (("new", "boot"), "hang", "aborted", "boot", "host-1"),
    *((("new", "movement.prepare"), how, "aborted", "prepare", "host-1") for how in ("refuse", "exit", "kill", "hang")),
    *((("old", "movement.vetoes"), how, "aborted", "boot", "host-1") for how in ("refuse", "exit", "kill", "hang")),
    *((("old", "movement.open"), how, "aborted", "prepare", "host-1") for how in ("refuse", "exit", "kill", "hang")),
    (("old", "movement.move"), "refuse", "aborted", "stop", "host-1"),
    *((("old", "movement.move"), how, "committed", None, "host-2") for how in ("exit", "kill", "hang")),
    *((("new", "movement.finish"), how, "committed", None, "host-2") for how in ("refuse", "exit", "kill", "hang")),
    *((("old", "movement.close"), how, "committed", None, "host-2") for how in ("exit", "kill")),
]  # fmt: skip


@pytest.mark.parametrize(("where", "how", "outcome", "at", "serving"), FAILURES)
def test_each_failure_ends_with_exactly_one_serving_host(
    tmp_path: Path, where: tuple[str, str], how: str, outcome: str, at: str | None, serving: str
) -> None:
    """Whoever exits, refuses, hangs or is killed, at whatever it is asked (FM-9, FM-31, FM-93)."""
    world, report = copyover(tmp_path, fails={where: how})
    assert (report.outcome, report.aborted_at, report.serving) == (outcome, at, serving)
    assert world.hosts.serving.name == serving
    assert bool(report.reason) == (outcome != "committed")
    if outcome == "aborted":
        assert [host.name for host in world.hosts.all] == ["host-1"]
        assert report.rooms.moved == 0


@pytest.mark.parametrize(("method", "how"), [("movement.close", "refuse"), ("movement.close", "hang")])
def test_an_old_host_that_does_not_let_go_stays_and_is_named(tmp_path: Path, method: str, how: str) -> None:
    """The copyover is done; what is left is told."""

    async def main() -> None:
        world = World(tmp_path)
        world.fails = {("old", method): how}
        report = await world.copyovers.request(NOW)
        assert (report.outcome, report.serving) == ("committed", "host-2")
        assert any("host-1 stays as it is" in warning for warning in report.warnings)

    run(main)


@pytest.mark.parametrize("after", [0, 1, 5, 9])
def test_a_successor_that_dies_while_rooms_move(tmp_path: Path, after: int) -> None:
    """Before the first commit nothing has changed; after it, its program recovers what it had (FM-31)."""
    world, report = copyover(tmp_path, move_dies=("new", after))
    if after == 0:
        assert (report.outcome, report.aborted_at, report.serving) == ("aborted", "verify", "host-1")
        assert [host.name for host in world.hosts.all] == ["host-1"]
    else:
        assert (report.outcome, report.serving) == ("partial", "host-2")
        assert (report.rooms.moved, report.rooms.recovered, len(report.rooms.kept)) == (after, after, 10 - after)
        assert {room.host for room in report.rooms.kept} == {"host-1"}
        assert len(world.old.rooms) == 10 - after  # type: ignore[attr-defined]
        assert "killed by SIGKILL" in report.reason


@pytest.mark.parametrize("after", [0, 5, 9])
def test_an_old_host_that_dies_while_rooms_move(tmp_path: Path, after: int) -> None:
    """The successor takes the rest: whoever asks which rooms are whose reads the owner rows (FM-31)."""
    world, report = copyover(tmp_path, move_dies=("old", after))
    assert (report.outcome, report.serving, report.rooms.moved) == ("committed", "host-2", 10)
    assert [host.name for host in world.hosts.all] == ["host-2"]
    assert report.pause_ms.max == 0.0  # a room that is recovered has no pause of a move
    told = " ".join(lines(report))
    assert "host-1, the old host, was killed by SIGKILL; 10 rooms were recovered." in told
    assert "longest pause" not in told


def test_rooms_whose_own_move_fails_stay_in_a_draining_host(tmp_path: Path) -> None:
    """After the first commit the others follow."""
    world, report = copyover(tmp_path, kept_rooms={"r4", "r7"})
    assert (report.outcome, report.rooms.moved, report.serving) == ("partial", 8, "host-2")
    assert [(room.room, room.at, room.host) for room in report.rooms.kept] == [
        ("r4", "verify", "host-1"),
        ("r7", "verify", "host-1"),
    ]
    assert world.old.draining


def test_the_next_copyover_takes_the_rooms_of_draining_hosts_too(tmp_path: Path) -> None:
    """All rooms move to the one successor, one old host after the other (FM-30, FM-89)."""

    async def main() -> None:
        world = World(tmp_path)
        world.kept_rooms = {"r4"}
        await world.copyovers.request(NOW)
        world.kept_rooms = set()
        world.program_sources["new"] = "newer"
        for number in range(3, 53):
            report = await world.copyovers.request(NOW)
            assert (report.outcome, report.serving) == ("committed", f"host-{number}")
            assert [host.name for host in world.hosts.all] == [f"host-{number}"]
            world.check()

    run(main)


# --- refusals before anything moves ---


@pytest.mark.parametrize(
    ("arranged", "at", "reason"),
    [
        ({"refused": {"r3"}}, "prepare", "refuses room r3"),
        ({"does_not_load": "inn.py:3: SyntaxError"}, "prepare", "does not load"),
        ({"mismatches": 1}, "prepare", "another hash"),
        ({"no_program": True}, "boot", "no program /nowhere"),
        ({"vetoes": [[{"room": "r1", "module": "ah", "reason": "an auction ends", "for_s": 40}]]}, "boot", "in 40 s"),
        ({"vetoes": [[], [{"room": "r1", "module": "ah", "reason": "war"}]]}, "prepare", "war"),
    ],
)
def test_what_refuses_before_the_move_changes_nothing(tmp_path: Path, arranged: Any, at: str, reason: str) -> None:
    """And says why (FM-36)."""
    world, report = copyover(tmp_path, **arranged)
    assert (report.outcome, report.aborted_at, report.serving) == ("aborted", at, "host-1")
    assert reason in report.reason
    assert [host.name for host in world.hosts.all] == ["host-1"]


def test_a_successor_that_the_gateway_cannot_speak_to_is_refused(tmp_path: Path) -> None:
    """Skewed versions are found before any room stops (FM-97)."""

    async def main() -> None:
        world = World(tmp_path)
        world.gateway.link = [7, 8]
        report = await world.copyovers.request(NOW)
        assert (report.aborted_at, report.serving) == ("boot", "host-1")
        assert "the running gateway" in report.reason
        world.check()

    run(main)


def test_partial_leaves_refused_rooms_where_they_are(tmp_path: Path) -> None:
    """The outcome is committed, because that was asked for, with the rooms named."""
    world, report = copyover(tmp_path, CopyoverOrder(partial=True), refused={"r3"})
    assert (report.outcome, report.rooms.moved) == ("committed", 9)
    assert [(room.room, room.at, room.host) for room in report.rooms.kept] == [("r3", "prepare", "host-1")]
    assert world.old.rooms == ["r3"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ["now", "test"])
def test_the_same_program_is_said_to_be_the_same(tmp_path: Path, action: Any) -> None:
    """Somebody forgot to build. What counts is what serves, its code included."""
    _, report = copyover(tmp_path, CopyoverOrder(action), program_sources={"new": "old"})
    assert report.outcome in ("committed", "tested")
    assert any("the same as the one before" in warning for warning in report.warnings)


def test_one_that_fails_does_not_say_that_the_program_is_the_same(tmp_path: Path) -> None:
    """That is not what is wrong."""
    _, report = copyover(tmp_path, program_sources={"new": "old"}, refused={"r3"})
    assert (report.outcome, report.warnings) == ("aborted", [])


def test_who_is_not_told_that_one_begins_is_not_told_that_it_failed(tmp_path: Path) -> None:
    """One at once is said when all is proved, and rooms move next."""
    assert copyover(tmp_path, refused={"r3"})[0].gateway.said == []
    assert len(copyover(tmp_path)[0].gateway.said) == 2
    assert "did not take over" in copyover(tmp_path, CopyoverOrder(in_s=3), refused={"r3"})[0].gateway.said[-1]


def test_players_read_that_they_were_interrupted_only_if_they_were(tmp_path: Path) -> None:
    """A successor that dies before the move concerned nobody; an old host did, whatever was going on."""
    fails = {("new", "movement.prepare"): "kill"}
    said = copyover(tmp_path, CopyoverOrder(in_s=3), fails=fails)[0].gateway.said
    assert "did not take over" in said[-1]

    async def main() -> None:
        world = World(tmp_path)
        asyncio.get_running_loop().call_later(0.5, world.old.kill, "arranged")  # type: ignore[attr-defined]
        report = await world.copyovers.request(CopyoverOrder(build=["make"]))
        assert (report.outcome, report.aborted_at) == ("aborted", "build")
        assert "was interrupted, and is back" in world.gateway.said[-1]
        told = " ".join(lines(report))
        assert "host-1 serves again." in told
        assert "host-1, the old host, was killed by SIGKILL. Its program is started again" in told

    run(main)


def test_a_veto_is_told_to_who_schedules_it_when_they_do(tmp_path: Path) -> None:
    """Not to players, and it begins all the same if it is gone by then."""
    veto = {"room": "r1", "module": "ah", "reason": "an auction ends", "for_s": 40}
    world, report = copyover(tmp_path, CopyoverOrder(in_s=60), vetoes=[[veto]])
    assert report.outcome == "committed"
    (warning,) = [event["reason"] for event in world.seen if event["kind"] == "copyover-warning"]
    assert "an auction ends" in warning
    assert not any("auction" in text for text in world.gateway.said)


def test_a_test_proves_every_room_and_moves_none(tmp_path: Path) -> None:
    """And its successor is gone afterwards; players are told nothing."""
    world, report = copyover(tmp_path, CopyoverOrder(action="test"))
    assert (report.outcome, report.rooms.proved, report.rooms.moved, report.serving) == ("tested", 10, 0, "host-1")
    assert [host.name for host in world.hosts.all] == ["host-1"]
    assert world.gateway.said == []


# --- building ---


def test_the_build_runs_first_and_its_failure_ends_it(tmp_path: Path) -> None:
    """No host was started."""
    (tmp_path / "perdure.toml").write_text(TOML + '[copyover]\nbuild = ["make"]\n')
    world, report = copyover(tmp_path, build_fails="the build exited with code 2.")
    assert (report.outcome, report.aborted_at) == ("aborted", "build")
    assert len(world.built) == 1
    assert world.hosts.started == 1
    assert "could not be built" in world.gateway.said[-1]


def test_what_is_built_can_be_said_or_left_out(tmp_path: Path) -> None:
    """--build, --no-build."""
    (tmp_path / "perdure.toml").write_text(TOML + '[copyover]\nbuild = ["make"]\n')
    assert copyover(tmp_path, CopyoverOrder(build=["other", "one"]))[0].built == [["other", "one"]]
    assert copyover(tmp_path, CopyoverOrder(no_build=True))[0].built == []


def test_a_broken_configuration_is_refused_before_anything_else(tmp_path: Path) -> None:
    """Nobody is told that one begins, and the history has none."""

    async def main() -> None:
        world = World(tmp_path)
        (tmp_path / "perdure.toml").write_text(TOML + "[nonsense]\n")
        with pytest.raises(ConfigError, match="nonsense"):
            await world.copyovers.request(CopyoverOrder(in_s=30))
        assert (world.hosts.started, world.kinds(), world.history.reports, world.gateway.said) == (1, [], [], [])

    run(main)


# --- one at a time ---


@pytest.mark.parametrize(
    ("step", "state"), [("boot", "preparing"), ("movement.prepare", "preparing"), ("movement.move", "moving")]
)
def test_a_second_request_is_refused_with_what_the_first_is_doing(tmp_path: Path, step: str, state: str) -> None:
    """Who, since when, which step (FM-37)."""

    async def main() -> None:
        world = World(tmp_path)
        seen: list[str] = []

        async def reached(_: FakeHost, method: str) -> None:
            if method == step and not seen:
                seen.append(world.copyovers.status()["state"])
                with pytest.raises(
                    ContractError, match=r"One at a time: copyover 1 is .*asked for by ada, since 12:00"
                ):
                    await world.copyovers.request(NOW)

        world.reached = reached
        report = await world.copyovers.request(CopyoverOrder(by="ada"))
        assert (report.outcome, seen) == ("committed", [state])

    run(main)


@pytest.mark.parametrize("step", ["boot", "movement.open", "movement.prepare"])
def test_cancelling_ends_it_at_any_step_before_the_move(tmp_path: Path, step: str) -> None:
    """It returns at once, and the old host serves (FM-38)."""

    async def main() -> None:
        world = World(tmp_path)

        async def reached(_: FakeHost, method: str) -> None:
            if method == step:
                world.copyovers.cancel("ada")

        world.reached = reached
        report = await world.copyovers.request(NOW)
        assert (report.outcome, report.reason, report.serving) == ("aborted", "cancelled by ada", "host-1")
        assert (report.cancelled, world.gateway.said) == (True, [])  # nobody had been told that it begins
        world.reached = None
        world.check()
        assert [host.name for host in world.hosts.all] == ["host-1"]

    run(main)


def test_cancelling_a_move_is_too_late(tmp_path: Path) -> None:
    """And says what can be done instead (FM-38)."""

    async def main() -> None:
        world = World(tmp_path)

        async def reached(_: FakeHost, method: str) -> None:
            if method == "movement.move":
                with pytest.raises(ContractError, match=r"too late.*--to previous"):
                    world.copyovers.cancel("")

        world.reached = reached
        assert (await world.copyovers.request(NOW)).outcome == "committed"

    run(main)


def test_there_is_nothing_to_cancel_when_nothing_is_under_way(tmp_path: Path) -> None:
    """A plain refusal."""

    async def main() -> None:
        with pytest.raises(ContractError, match="none to cancel"):
            World(tmp_path).copyovers.cancel("")

    run(main)


@pytest.mark.parametrize(
    ("step", "outcome"), [("boot", "aborted"), ("movement.prepare", "aborted"), ("movement.move", "committed")]
)
def test_an_order_to_stop_ends_what_can_be_ended_and_waits_for_what_moves(
    tmp_path: Path, step: str, outcome: str
) -> None:
    """A signal in the middle of it leaves nothing half done (FM-41)."""

    async def main() -> None:
        world = World(tmp_path)
        stopping: list[asyncio.Task[None]] = []

        async def reached(_: FakeHost, method: str) -> None:
            if method == step and not stopping:
                stopping.append(asyncio.create_task(world.copyovers.close()))
                await asyncio.sleep(0)

        world.reached = reached
        report = await world.copyovers.request(NOW)
        await stopping[0]
        assert report.outcome == outcome
        world.check()
        with pytest.raises(ContractError, match="stopping"):
            await world.copyovers.request(NOW)

    run(main)


def test_a_signal_begins_one_and_a_second_signal_none(tmp_path: Path) -> None:
    """SIGUSR1 twice in a row (FM-37, FM-41)."""

    async def main() -> None:
        world = World(tmp_path)
        world.copyovers.begin_by_signal()
        world.copyovers.begin_by_signal()
        while not world.history.reports:
            await asyncio.sleep(1)
        assert [report.trigger for report in world.history.reports] == ["signal"]
        assert "copyover-refused" in world.kinds()

    run(main)


# --- scheduled ---


def test_a_scheduled_one_counts_down_locks_and_begins(tmp_path: Path) -> None:
    """Locks are there before the move, and lifted afterwards."""
    (tmp_path / "perdure.toml").write_text(TOML + "[copyover]\nlocks = {auctions = 30, duels = 5}\n")

    async def main() -> None:
        world = World(tmp_path)
        task = asyncio.create_task(world.copyovers.request(CopyoverOrder(in_s=60)))
        await asyncio.sleep(1)
        status = world.copyovers.status()
        assert (status["state"], status["phase"], status["in_s"]) == ("scheduled", None, 59.0)
        report = await task
        assert report.outcome == "committed"
        first = [features for name, features in world.locks if name == "host-1"]
        assert first[:2] == [["auctions"], ["auctions", "duels"]]
        assert world.locks[-1] == ("host-2", [])
        assert "in 30 seconds" in " ".join(world.gateway.said)
        assert "was renewed: build 3" in world.gateway.said[-1]
        between = len(world.gateway.said) - 2
        assert world.gateway.countdown == [False, *[True] * between, False], "who listens hears first and last"
        world.check()

    run(main)


def test_a_scheduled_one_can_be_cancelled(tmp_path: Path) -> None:
    """Nothing was started (FM-38)."""

    async def main() -> None:
        world = World(tmp_path)
        task = asyncio.create_task(world.copyovers.request(CopyoverOrder(in_s=600)))
        await asyncio.sleep(5)
        assert world.copyovers.cancel("ada") == 1
        report = await task
        assert (report.outcome, report.reason, world.hosts.started) == ("aborted", "cancelled by ada", 1)
        world.check()

    run(main)


def test_quiet_says_nothing(tmp_path: Path) -> None:
    """Asked for, or configured."""
    assert copyover(tmp_path, CopyoverOrder(quiet=True))[0].gateway.said == []
    (tmp_path / "perdure.toml").write_text(TOML + "[copyover]\nquiet = true\n")
    assert copyover(tmp_path)[0].gateway.said == []


# --- canaries ---

CANARY = CopyoverOrder(canary=20, watch_s=60)


def test_a_canary_that_passes_is_followed(tmp_path: Path) -> None:
    """The others are proved anew."""
    world, report = copyover(tmp_path, CANARY)
    assert report.canary is not None
    assert (report.outcome, report.rooms.moved, report.serving) == ("committed", 10, "host-2")
    assert (len(report.canary.rooms), report.canary.went_on, report.canary.back) == (2, True, None)
    assert [host.name for host in world.hosts.all] == ["host-2"]


def test_what_a_canary_tries_is_the_program_and_no_code_is_loaded_before_all_rooms_have_moved(tmp_path: Path) -> None:
    """Then the code that is to come is loaded once, with a canary of its own; what is on disk is tried out twice."""
    world, _ = copyover(tmp_path, CANARY)
    successor: Any = world.hosts.named("host-2")
    asked = [method for method, _ in successor.asked if method.startswith("movement.")]
    assert asked == [
        *("movement.prepare", "movement.forget", "movement.measure", "movement.measure", "movement.prepare"),
        "movement.finish",
    ]
    tried = [params["disk"] for method, params in successor.asked if method == "movement.prepare"]
    (finished,) = [params for method, params in successor.asked if method == "movement.finish"]
    assert (tried, finished["reload"], finished["canary"], finished["watch_s"]) == ([True, True], True, 20, 60)
    closed = [(p["gone"], p["hold"]) for method, p in world.old.asked if method == "movement.close"]  # type: ignore[attr-defined]
    assert (closed[0], closed[-1]) == ((False, True), (True, False))


def test_features_are_not_locked_while_a_canary_is_watched(tmp_path: Path) -> None:
    """A watch may last an hour; the locks are there again when the other rooms move."""
    (tmp_path / "perdure.toml").write_text(TOML + "[copyover]\nlocks = {auctions = 30}\n")

    async def main() -> None:
        world = World(tmp_path)
        seen: list[list[str]] = []
        watching(world, lambda: seen.append(list(world.old.locked)))  # type: ignore[attr-defined]

        async def reached(host: FakeHost, method: str) -> None:
            if method == "movement.move":
                seen.append(list(host.locked))

        world.reached = reached
        assert (await world.copyovers.request(CANARY)).outcome == "committed"
        assert seen == [["auctions"], [], ["auctions"]]
        world.check()

    run(main)


def test_a_canary_goes_back_with_the_code_that_all_rooms_ran_all_the_time(tmp_path: Path) -> None:
    """Nothing is loaded in either host (FM-90)."""
    world, _ = copyover(tmp_path, CANARY, faults_when_new=50)
    asked = world.old.asked  # type: ignore[attr-defined]
    (prepared,) = [params for method, params in asked if method == "movement.prepare"]
    assert (prepared["target"], prepared["disk"]) == (None, False)
    (finished,) = [params for method, params in asked if method == "movement.finish"]
    assert not finished["reload"]


def test_a_veto_before_the_other_rooms_move_lets_the_canary_go_back(tmp_path: Path) -> None:
    """No room moves against its game's wish."""
    veto = {"room": "r1", "module": "ah", "reason": "an auction ends", "for_s": 40}
    _, report = copyover(tmp_path, CANARY, vetoes=[[], [], [veto]])
    assert (report.outcome, report.serving) == ("aborted", "host-1")
    assert "an auction ends" in report.reason


@pytest.mark.parametrize(
    ("where", "how"),
    [
        *((("new", "movement.forget"), how) for how in ("refuse", "kill")),
        *((("new", "movement.measure"), how) for how in ("refuse", "kill", "hang")),
    ],
)
def test_a_canary_that_cannot_be_watched_goes_back(tmp_path: Path, where: tuple[str, str], how: str) -> None:
    """Whatever fails between the halves, one program has all rooms in the end."""
    world, report = copyover(tmp_path, CANARY, fails={where: how})
    assert (report.outcome, report.serving, len(world.old.rooms)) == ("aborted", "host-1", 10)  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", ["movement.open", "movement.prepare", "movement.move", "movement.finish"])
def test_a_canary_whose_watch_is_over_is_not_said_to_be_cancelled(tmp_path: Path, step: str) -> None:
    """In its second half it is too late, and it goes on (FM-38)."""

    async def main() -> None:
        world = World(tmp_path)
        judged: list[bool] = []
        refused: list[str] = []

        async def reached(host: FakeHost, method: str) -> None:
            if method == "movement.measure" and host is world.old:
                judged.append(True)
            if method == step and len(judged) == 2:
                with pytest.raises(ContractError, match="too late") as why:
                    world.copyovers.cancel("ada")
                refused.append(str(why.value))

        world.reached = reached
        report = await world.copyovers.request(CANARY)
        assert (report.outcome, len(refused)) == ("committed", 1)
        world.check()

    run(main)


def test_a_server_that_stops_does_not_wait_for_new_code_that_is_watched(tmp_path: Path) -> None:
    """All rooms are where they should be by then (FM-41)."""

    async def main() -> None:
        world = World(tmp_path)
        reached_it = asyncio.Event()

        async def reached(_: FakeHost, method: str) -> None:
            if method == "movement.finish":
                reached_it.set()

        world.reached = reached
        task = asyncio.create_task(world.copyovers.request(CopyoverOrder(canary=20, watch_s=3600)))
        await reached_it.wait()
        began_s = asyncio.get_running_loop().time()
        await world.copyovers.close()
        assert asyncio.get_running_loop().time() - began_s < 60
        report = await task
        assert report.outcome == "committed"
        assert any("being stopped" in warning for warning in report.warnings)

    run(main)


def test_a_canary_that_faults_goes_back_as_a_second_copyover(tmp_path: Path) -> None:
    """With a report of its own, and the old program serves all rooms."""
    world, report = copyover(tmp_path, CANARY, faults_when_new=50)
    assert report.canary is not None
    assert report.canary.back is not None
    assert (report.outcome, report.serving, report.rooms.moved) == ("aborted", "host-1", 0)
    assert "went back" in report.reason
    back = report.canary.back
    assert (back.outcome, back.trigger, back.rooms.moved, back.build.to) == ("committed", "canary", 2, 2)
    assert len(world.old.rooms) == 10  # type: ignore[attr-defined]
    assert [host.name for host in world.hosts.all] == ["host-1"]
    assert [one.trigger for one in world.history.reports] == ["command", "canary"]


def watching(world: World, deed: Any) -> None:
    def look(event: Any) -> None:
        if event["kind"] == "copyover-canary":
            asyncio.get_running_loop().call_later(30, deed)

    world.events.follow(look)


@pytest.mark.parametrize("who", ["cancel", "successor", "old"])
def test_a_canary_that_is_disturbed_while_it_is_watched(tmp_path: Path, who: str) -> None:
    """Cancelled, or its host dead: back. The old host dead: its rooms follow, to the newest program that has rooms."""

    async def main() -> None:
        world = World(tmp_path)
        deeds = {
            "cancel": lambda: world.copyovers.cancel("ada"),
            "successor": lambda: world.die(world.hosts.named("host-2"), Exit(-1, 9)),  # type: ignore[arg-type]
            "old": lambda: world.die(world.old, Exit(-1, 9)),  # type: ignore[arg-type]
        }
        watching(world, deeds[who])
        report = await world.copyovers.request(CANARY)
        world.check()
        assert report.canary is not None
        if who == "old":
            assert (report.outcome, report.serving, report.rooms.moved) == ("committed", "host-2", 10)
        else:
            assert (report.outcome, report.serving, report.canary.went_on) == ("aborted", "host-1", False)
            assert len(world.old.rooms) == 10  # type: ignore[attr-defined]

    run(main)


# --- going back ---


def test_going_back_starts_the_program_that_was(tmp_path: Path) -> None:
    """With its command and its code; a program that is not the same any more is refused before any pause (FM-90)."""

    async def main() -> None:
        world = World(tmp_path)
        await world.copyovers.request(NOW)
        report = await world.copyovers.request(CopyoverOrder(to="previous"))
        assert (report.outcome, report.program.to.command, report.program.to.source) == ("committed", ["old"], "old")
        serving: Any = world.hosts.serving
        assert serving.target == {"game": "code-old"}
        world.program_sources["new"] = "updated in place"
        refused = await world.copyovers.request(CopyoverOrder(to="3"))
        assert (refused.outcome, refused.aborted_at) == ("aborted", "boot")
        assert "not what it was" in refused.reason
        world.check()

    run(main)


def test_a_way_back_that_is_not_there_is_refused_before_anybody_is_told(tmp_path: Path) -> None:
    """With the builds that can be gone back to; nothing of it is in the history."""

    async def main() -> None:
        world = World(tmp_path)
        with pytest.raises(ContractError, match="No earlier program is known"):
            await world.copyovers.request(CopyoverOrder(to="previous"))
        await world.copyovers.request(NOW)
        with pytest.raises(ContractError, match=r"No program of a build 99 is kept\. .* a way back to build 2\."):
            await world.copyovers.request(CopyoverOrder(to="99", in_s=60))
        with pytest.raises(ContractError, match="Build 3 is the program that serves"):
            await world.copyovers.request(CopyoverOrder(to="3"))
        assert (len(world.history.reports), len(world.gateway.said)) == (1, 2)

    run(main)


def test_previous_is_another_program_even_after_copyovers_that_changed_nothing(tmp_path: Path) -> None:
    """Whatever numbers they got (FM-90)."""

    async def main() -> None:
        world = World(tmp_path)
        await world.copyovers.request(NOW)
        world.sources.append("of a test in between")
        again = await world.copyovers.request(NOW)
        assert (again.outcome, again.build.from_, again.build.to) == ("committed", 3, 5)
        report = await world.copyovers.request(CopyoverOrder(to="previous"))
        assert (report.outcome, report.program.to.command) == ("committed", ["old"])
        world.check()

    run(main)

    run(main)


def test_going_back_brings_the_code_that_ran_last_and_not_what_ran_at_the_start(tmp_path: Path) -> None:
    """Reloads since the host was started count; whether the program is the same does not hang on them (FM-90)."""

    async def main() -> None:
        world = World(tmp_path)
        world.old.serves_code = "code-of-today"  # type: ignore[attr-defined]
        await world.copyovers.request(NOW)
        world.program_sources["old"] = "old, with the code of today"
        world.same_program["old, with the code of today"] = "program-old"
        report = await world.copyovers.request(CopyoverOrder(to="previous"))
        assert report.outcome == "committed", report.reason
        serving: Any = world.hosts.serving
        assert serving.target == {"game": "code-of-today"}
        (finished,) = [params for method, params in serving.asked if method == "movement.finish"]
        assert finished["target"] == {"game": "code-of-today"}

    run(main)


@pytest.mark.parametrize("at", ["movement.finish", "movement.move"])
def test_a_successor_that_dies_after_the_commit_still_gets_the_code_that_was_asked_for(tmp_path: Path, at: str) -> None:
    """Its next incarnation is told; what lies on disk may be newer (FM-90)."""

    async def main() -> None:
        world = World(tmp_path)
        await world.copyovers.request(NOW)
        if at == "movement.finish":
            world.fails = {("host-3", at): "kill"}
        else:
            world.dies_after_move = "host-3"
        report = await world.copyovers.request(CopyoverOrder(to="previous"))
        assert (report.outcome, report.serving, report.rooms.moved) == ("committed", "host-3", 10)
        assert any("when all had moved" in warning for warning in report.warnings)
        serving: Any = world.hosts.serving
        finished = [params["target"] for method, params in serving.asked if method == "movement.finish"]
        assert finished[-1] == {"game": "code-old"}
        assert len(report.reloads) == 1
        assert world.loaded_disk == []
        world.check()

    run(main)


def test_a_host_that_takes_a_dead_one_for_alive_is_asked_again(tmp_path: Path) -> None:
    """Until it has taken the rooms: none of them is said to be nobody's."""
    world, report = copyover(tmp_path, move_dies=("old", 5), recovers_after=4)
    assert (report.outcome, report.rooms.moved, report.rooms.recovered) == ("committed", 10, 10)
    assert world.recovers_after == 0


def test_a_bug_around_a_copyover_ends_this_one_alone(tmp_path: Path) -> None:
    """The next one may begin."""

    async def main() -> None:
        world = World(tmp_path)
        whole = world.gateway.ask

        async def broken(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("of the announcer")

        world.gateway.ask = broken  # type: ignore[method-assign]
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        report = await world.copyovers.request(CopyoverOrder(in_s=5))
        assert any("That is a bug" in warning for warning in report.warnings)
        assert world.copyovers.status()["state"] == "idle"
        world.gateway.ask = whole  # type: ignore[method-assign]
        assert (await world.copyovers.request(NOW)).outcome == "committed"

    run(main)


# --- history and keys ---


def test_a_supervisor_that_died_in_a_copyover_tells_that_it_was_interrupted(tmp_path: Path) -> None:
    """Numbers go on, torn lines cost only themselves (FM-35)."""
    history = History(tmp_path, pytest.fail)
    for _ in range(3):
        history.begin(CopyoverReport(key="k"))
    with (tmp_path / "copyovers.jsonl").open("ab") as file:
        file.write(b'{"kind": "beg')
    again = History(tmp_path, pytest.fail)
    assert [report.outcome for report in again.reports] == ["interrupted"] * 3
    report = CopyoverReport()
    again.begin(report)
    again.end(report)
    assert report.id == 4
    third = History(tmp_path, pytest.fail)
    assert ([one.id for one in third.reports], third.interrupted) == ([1, 2, 3, 4], [])


def test_the_history_is_bounded(tmp_path: Path) -> None:
    """In memory and on disk."""
    history = History(tmp_path, pytest.fail)
    for _ in range(300):
        report = CopyoverReport()
        history.begin(report)
        history.end(report)
    assert len(history.reports) == 100
    assert len((tmp_path / "copyovers.jsonl").read_bytes().splitlines()) <= 400
    assert History(tmp_path, pytest.fail).reports[-1].id == 300


async def typed(world: World, *words: str, key: str = "k1", role: str = "admin") -> str:
    answer = await world.copyovers.host_handlers()["copyover"](
        {"words": list(words), "key": key, "by": "ada", "role": role}
    )
    text: str = answer["text"]
    return text


def test_who_asked_in_the_game_is_answered_once_by_key(tmp_path: Path) -> None:
    """Although the host that asked is gone when it is over: its room asks again (FM-37)."""

    async def main() -> None:
        world = World(tmp_path)
        first = asyncio.create_task(typed(world))
        await asyncio.sleep(1)
        again = asyncio.create_task(typed(world))
        await asyncio.sleep(1)
        first.cancel()
        text = await again
        assert text == "\n".join(lines(world.history.reports[0]))
        assert await typed(world) == text
        assert len(world.history.reports) == 1
        assert "committed" in await typed(world, "history", key="k2")
        assert "host-2 serves" in await typed(world, "status", key="k3")
        assert "none to cancel" in await typed(world, "cancel", key="k4")
        assert "Expected now" in await typed(world, "nonsense", key="k5")
        assert await typed(world, key="k6", role="player") == "Only admins may do that."
        assert len(world.history.reports) == 1

    run(main)


def test_a_host_that_is_away_is_recovering(tmp_path: Path) -> None:
    """Status says so, without any copyover."""

    async def main() -> None:
        world = World(tmp_path)
        world.old.instance.state = State.RESTARTING
        assert world.copyovers.status() == {"state": "recovering", "phase": None}

    run(main)


# --- one room ---


async def second_host(world: World) -> FakeHost:
    host = await world.hosts.start(world.hosts.program())
    assert isinstance(host, FakeHost)
    return host


def test_one_room_moves_to_another_host(tmp_path: Path) -> None:
    """With its code, and nothing else is asked of either host afterwards."""

    async def main() -> None:
        world = World(tmp_path)
        other = await second_host(world)
        report = await world.copyovers.handlers()["room.move"]({"room": "r3", "host": "host-2"})
        assert (report["outcome"], report["serving"], report["from"]) == ("moved", "host-2", "host-1")
        assert other.rooms == ["r3"]
        assert ("movement.finish", {"id": "room-1", "reload": False, "target": None}) in other.asked
        world.check()
        with pytest.raises(ContractError, match="already"):
            await world.copyovers.handlers()["room.move"]({"room": "r3", "host": "host-2"})

    run(main)


def test_a_host_that_served_once_ends_with_its_last_room(tmp_path: Path) -> None:
    """Nobody has to think of it; one that somebody started stays until it is stopped."""

    async def main() -> None:
        world = World(tmp_path)
        world.kept_rooms = {"r4", "r7"}
        assert (await world.copyovers.request(NOW)).outcome == "partial"
        world.kept_rooms = set()
        move = world.copyovers.handlers()["room.move"]
        assert not (await move({"room": "r4", "host": "host-2"}))["ended"]
        assert (await move({"room": "r7", "host": "host-2"}))["ended"] == "host-1"
        assert [host.name for host in world.hosts.all] == ["host-2"]
        await second_host(world)
        await move({"room": "r7", "host": "host-3"})
        assert not (await move({"room": "r7", "host": "host-2"}))["ended"]
        world.check()

    run(main)


@pytest.mark.parametrize(
    ("where", "how", "at"),
    [
        (("new", "movement.prepare"), "refuse", "prepare"),
        (("new", "movement.prepare"), "kill", "prepare"),
        (("old", "movement.open"), "refuse", "prepare"),
        (("old", "movement.move"), "refuse", "stop"),
    ],
)
def test_a_room_that_does_not_move_is_where_it_was(tmp_path: Path, where: Any, how: str, at: str) -> None:
    """And both hosts have forgotten the movement."""

    async def main() -> None:
        world = World(tmp_path)
        await second_host(world)
        world.fails = {where: how}
        report = await world.copyovers.handlers()["room.move"]({"room": "r3", "host": "host-2"})
        assert (report["outcome"], report["aborted_at"], report["serving"]) == ("kept", at, "host-1")
        assert "r3" in world.old.rooms  # type: ignore[attr-defined]
        world.check()

    run(main)
