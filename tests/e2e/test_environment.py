"""The same server wherever it is started, and whatever becomes of the machine around it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pexpect
import pytest

from tests.e2e.clients import Client, LineClient, find_mark, mark, players
from tests.e2e.server import DEADLINE_S, GAMES, Server, kill, mud, project, serving, trouble, wait_until
from tests.e2e.talk import talking
from tests.namespaces import may_unshare

TROUBLE = {"trouble": GAMES / "trouble"}
GOODBYE = "The server is stopping. Your character is saved."


@contextmanager
def again(server: Server, name: str = "Ada") -> Iterator[Client]:
    """A player who logs in again, and drops the connection afterwards."""
    client = LineClient(name, server.address)
    try:
        client.log_in("connect")
        yield client
    finally:
        client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The mud, not started; whatever was started is gone afterwards."""
    made = Server(tmp_path)
    yield made
    made.cleanup()


def talk_through_a_kill(server: Server) -> None:
    """Three players, one kill, every line once and in order."""
    with players(server.address) as clients:
        with talking(clients, move=True, pause_s=0.02) as talk:
            talk.go_on(rounds=5)
            server.kill_host()
            talk.go_on(rounds=5)
        assert talk.report().complaints == []


# --- where it is started ---


@pytest.mark.skipif(not may_unshare(), reason="needs the right to make a PID namespace (root)")
def test_it_serves_as_pid_1(tmp_path: Path) -> None:
    """As in a container: the host is killed inside, players stay, and a stop leaves nothing (FM-33)."""
    server = Server(tmp_path, prefix=["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    try:
        server.start()
        assert server.pid("supervisor") == 1
        assert server.popen is not None
        (outside,) = Path(f"/proc/{server.popen.pid}/task/{server.popen.pid}/children").read_text().split()
        with players(server.address) as clients:
            with talking(clients, pause_s=0.02) as talk:
                talk.go_on(rounds=5)
                inside = server.pid("host-1")
                assert inside > 1
                killing = ["nsenter", "--target", outside, "--pid", "--mount", "sh", "-c", f"kill -9 {inside}"]
                subprocess.run(killing, check=True)
                server.wait_next_host()
                talk.go_on(rounds=5)
            assert talk.report().complaints == []
            assert server.cli("stop").code == 0
            clients[0].wait_for(GOODBYE)
        assert server.popen.wait(DEADLINE_S) == 0
    finally:
        server.cleanup()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_it_serves_in_tmux(tmp_path: Path, server: Server) -> None:
    """Its window shows where to play; Ctrl-C there stops it, with a goodbye."""
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    server.start_with(lambda command: subprocess.run([*tmux, "new-session", "-d", "-x", "150", *command], check=True))
    try:
        with players(server.address, 1) as (ada,):
            server.kill_host()
            ada.command("say hello", 'You say, "hello"')
            pane = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout
            assert "telnet 127.0.0.1" in pane
            subprocess.run([*tmux, "send-keys", "C-c"], check=True)
            ada.wait_for(GOODBYE)
            ada.wait_closed()
        server.wait_event("stopped")
    finally:
        with suppress(subprocess.CalledProcessError):
            subprocess.run([*tmux, "kill-server"], check=True, capture_output=True)


def test_it_serves_detached(server: Server) -> None:
    """In a session of its own, without standard streams."""
    server.prefix = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    server.start(start_new_session=True)
    talk_through_a_kill(server)
    assert server.stop() == 0


def test_it_serves_from_a_folder_deep_down(tmp_path: Path) -> None:
    """Where no path of a socket fits into 107 bytes: players, a kill and a copyover are as elsewhere."""
    server = Server(tmp_path, state=tmp_path / ("deep-" * 20) / ("down-" * 20) / "state")
    try:
        server.start()
        talk_through_a_kill(server)
        with again(server) as ada:
            assert server.ask("copyover")["outcome"] == "committed"
            ada.command("coins", "You have 10 coins.")
        assert server.stop() == 0
    finally:
        server.cleanup()


def test_ctrl_c_saves_and_says_goodbye(server: Server) -> None:
    """In a terminal: where to play is printed, and the last words are of what was saved."""
    screen = pexpect.spawn(sys.executable, server.command()[1:], encoding="utf-8", timeout=DEADLINE_S, env=os.environ)
    try:
        screen.expect_exact("Ctrl-C, or: perdure stop")
        with players(server.address, 1) as (ada,):
            mark(ada)
            screen.sendcontrol("c")
            ada.wait_for(GOODBYE)
            ada.wait_closed()
        screen.expect_exact("Stopped. All is saved.")
        screen.expect(pexpect.EOF)
        assert screen.wait() == 0
        server.start()
        assert server.ask("status")["last_recovery"]["records"] == 0  # nothing was only queued (FM-19)
        with again(server) as client:
            find_mark(client)
    finally:
        screen.close(force=True)


# --- who comes back ---


def test_a_character_persists_over_quit_stop_and_crash(server: Server) -> None:
    """Place and belongings are where the player left them, every time (FM-26, FM-27)."""
    server.start()
    with players(server.address, 1) as (ada,):
        mark(ada)
        ada.send("quit")
        ada.wait_for("Goodbye.")
        ada.wait_closed()
    comes_back(server)
    server.stop()
    server.start()
    comes_back(server)
    server.crash()
    server.start()
    comes_back(server)


def comes_back(server: Server) -> None:
    """Ada logs in, finds her character as it was marked, and leaves."""
    with again(server) as client:
        find_mark(client)
        leave(client)


@pytest.mark.parametrize(
    "victims", [["gateway", "host-1"], pytest.param(["gateway"], marks=pytest.mark.soak)], ids="-and-".join
)
def test_a_character_who_walks_is_neither_lost_nor_doubled(server: Server, victims: list[str]) -> None:
    """Killed at any point of the way between two rooms, it is in one of them, with what it carried (FM-27, FM-95)."""
    server.start()
    with players(server.address, 1) as (ada,):
        leave(ada)
    for deaths in (1, 2, 3):
        with again(server) as client:
            client.wait_for("Exits:")
            for number in range(40):
                client.send(("arena", "out")[number % 2])
            client.wait_for("The Arena")
            for victim in victims:
                kill(server.pid(victim))
            client.wait_closed()
        server.wait_event("ready", count=1 + deaths, name="gateway")
        with again(server) as client:
            client.wait_for("Exits:")
            client.command("inventory", "You carry an apple.")
            client.command("coins", "You have 10 coins.")
            leave(client)


def leave(client: Client) -> None:
    """Quit, and wait until the server has let go."""
    client.send("quit")
    client.wait_closed()


def test_a_dropped_player_comes_back_to_the_same_session(server: Server) -> None:
    """Link-dead, through a crash of the host; what was said meanwhile is shown (FM-15)."""
    server.start()
    with players(server.address, 2) as (ada, bob):
        ada.close()
        wait_until(lambda: "link-dead" in stages(server), "Ada's dead link")
        server.kill_host()
        bob.command("say are you there", "You say")
        with again(server) as client:
            client.wait_for("Welcome back, Ada.")
            client.wait_for('Bob says, "are you there"')
            client.command("say yes", 'You say, "yes"')
            bob.wait_for('Ada says, "yes"')


def stages(server: Server) -> list[str]:
    return [session["stage"] for session in server.ask("sessions")]


def test_a_killed_gateway_ends_its_sessions_and_the_rooms_know(server: Server) -> None:
    """The host treats its players as left; they log in to the next gateway and are who they were (FM-92)."""
    server.start()
    with players(server.address, 2) as (ada, bob):
        mark(ada)
        server.kill("gateway")
        ada.wait_closed()
        bob.wait_closed()
    server.wait_event("sessions-ended")
    server.wait_event("ready", count=2, name="gateway")
    wait_until(lambda: sum(room["seats"] for room in server.ask("rooms")) == 0, "empty rooms")
    with again(server) as client:
        find_mark(client)
        client.command("who", "1 here in the world: Ada.")
    assert not server.events("exited", name="host-1")


# --- what is in the way ---


def test_a_second_run_on_one_state_is_refused(tmp_path: Path, server: Server) -> None:
    """Exit 8, with whose it is and what to do; the first goes on."""
    server.start()
    with players(server.address, 1) as (ada,):
        done = subprocess.run(server.command(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 8
        assert f"in use by the server with process id {server.pid('supervisor')}" in done.stderr
        assert "perdure stop" in done.stderr
        other = [part.replace("127.0.0.1:0", ":".join(map(str, server.address))) for part in server.command()]
        other[-1] = str(tmp_path / "other")
        done = subprocess.run(other, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        assert done.returncode == 8
        assert str(server.address[1]) in done.stderr
        ada.command("say undisturbed", "You say")


def test_a_state_with_another_key_is_refused(tmp_path: Path, server: Server) -> None:
    """Exit 7; nothing is changed, and the right key opens it again (FM-72)."""
    server.start()
    server.stop()
    key, other = server.state / "key.json", Server(tmp_path, state=tmp_path / "other")
    other.start()
    other.stop()
    right = key.read_bytes()
    key.write_bytes((other.state / "key.json").read_bytes())
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 7
    assert "are sealed with" in done.stderr
    assert "Bring back the key file" in done.stderr
    key.write_bytes(right)
    server.start()


def test_a_signal_while_it_starts_ends_it(server: Server) -> None:
    """SIGTERM in the middle of a recovery: an orderly end, and the next start finds everything (FM-41)."""
    server.start()
    with players(server.address, 1) as (ada,):
        mark(ada)
        server.crash()
        ada.wait_closed()
    server.start(wait=False)
    server.wait_event("starting", name="host-1")
    assert server.popen is not None
    server.popen.send_signal(signal.SIGTERM)
    assert server.popen.wait(DEADLINE_S) == 0
    server.start()
    with again(server) as client:
        find_mark(client)


# --- the disk ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 56 MiB, of which everything but three is taken by the file `filler` once it is written."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=56m,mode=700", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs (root)")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_stops_nobody_for_ever(tmp_path: Path, small_disk: Path) -> None:
    """It goes on as long as it can, says so, and with space again everything that was typed happens once (FM-35)."""
    server = Server(tmp_path, trouble(tmp_path / "p"), state=small_disk / "state")
    try:
        server.start()
        with players(server.address, 2, "Trouble awaits") as (ada, bob):
            ada.command("say first", "You say")
            filler = small_disk / "filler"
            free = shutil.disk_usage(small_disk).free
            filler.write_bytes(bytes(free - (3 << 20)))
            for _ in range(12):
                ada.send("fill 500")
            full = server.wait_event("journal-full")
            assert "Players wait, and lose nothing" in full["reason"]
            for number in range(3):
                bob.send(f"say {number}")
            filler.unlink()
            server.wait_event("journal-goes-on")
            ada.wait_for("Kept 6000.")
            bob.wait_for('You say, "2"')
            server.kill_host()
            ada.command("fill 1", "Kept 6001.")
            kept = [line.text for line in ada.seen if line.text.startswith("Kept ")]
            assert kept == [*(f"Kept {500 * n}." for n in range(1, 13)), "Kept 6001."]
            assert [line.text for line in bob.seen if "You say" in line.text] == [f'You say, "{n}"' for n in range(3)]
        assert server.stop() == 0
    finally:
        server.cleanup()


def test_a_host_that_dies_while_the_disk_is_full_comes_back(tmp_path: Path, small_disk: Path) -> None:
    """Not a byte is left: hosts are tried again and again, players wait, and then it goes on (FM-35)."""
    server = Server(tmp_path, trouble(tmp_path / "p"), state=small_disk / "state")
    try:
        server.start()
        with players(server.address, 2, "Trouble awaits") as (ada, bob):
            ada.command("count", "Count: 1.")
            filler = small_disk / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 12))
            bob.command("say full", "You say")
            dying = server.pid("host-1")
            kill(dying)
            ada.send("count")
            bob.send("say waits")
            wait_until(lambda: host_pid(server) not in (dying, None), "another host")
            wait_until(lambda: host_pid(server) is None, "its end")
            filler.unlink()
            ada.wait_for("Count: 2.")
            bob.wait_for('You say, "waits"')
            assert "No space left on device" in server.cli("events", "-n", "1000", "--json").out
        assert server.stop() == 0
    finally:
        server.cleanup()


def host_pid(server: Server) -> int | None:
    """Of the host that runs or starts just now, if any."""
    pid: int | None = next(p["pid"] for p in server.ask("status")["processes"] if p["name"] == "host-1")
    return pid


def test_state_larger_than_any_pipe_is_recovered(tmp_path: Path) -> None:
    """Megabytes of rows, bases taken beside them and kills in between: a callback is in whole or not (FM-18, FM-34)."""
    folder = tmp_path / "p"
    project(folder, TROUBLE, {"pit": "trouble"}, "pit", base_every_s=1, base_every_records=3)
    with serving(tmp_path, folder) as server, players(server.address, 2, "Trouble awaits") as (ada, bob):
        for kills in range(1, 4):
            for _ in range(4):
                ada.send("fill 250")
            server.kill_host()
            ada.wait_for(f"Kept {1000 * kills}.")
        kept = [line.text for line in ada.seen if line.text.startswith("Kept ")]
        assert kept == [f"Kept {250 * n}." for n in range(1, 13)]
        bob.command("say well", "You say")
        assert server.stop() == 0
        server.start()
        assert server.ask("status")["last_recovery"]["records"] == 0
        assert server.ask("room.show", room="pit")["tables"]["trouble.texts"] == 3000


def test_a_damaged_segment_puts_its_room_aside(tmp_path: Path) -> None:
    """A flipped byte in the middle: that room is named and held, the other serves; then the rest is kept (FM-74)."""
    folder = tmp_path / "p"
    rooms = {"pit": "trouble", "yard": "trouble"}
    project(folder, TROUBLE, rooms, "pit", base_every_s=100_000_000, base_every_records=1_000_000)
    with serving(tmp_path, folder) as server:
        with players(server.address, 2, "Trouble awaits") as (ada, bob):
            ada.command("go yard", "Trouble awaits in the yard")
            ada.command("count", "Count: 1.")
            ada.command("say flip me", "You say")
            ada.command("count", "Count: 2.")
            bob.command("count", "Count: 1.")
            server.crash()
        flip(server, b"flip me")
        server.start()
        (aside,) = server.cli("rooms", "--aside", "--json").json
        assert (aside["room"], aside["n"]) == ("yard", -1)
        assert "room yard is good up to callback" in aside["reason"]
        with again(server, "Bob") as bob:
            bob.command("count", "Count: 2.")
            resumed = server.cli("room", "resume", "yard", "--json")
            assert resumed.code == 0, resumed.err
            assert resumed.json["branch"] == 1
            bob.command("go yard", "Trouble awaits in the yard")
            bob.command("count", "Count: 2.")


def flip(server: Server, text: bytes) -> None:
    """Change one byte of `text` where the journal has it last."""
    for segment in server.state.glob("journal/*/*.seg"):
        data = bytearray(segment.read_bytes())
        if (at := data.rfind(text)) >= 0:
            data[at] ^= 1
            segment.write_bytes(data)
            return
    raise AssertionError(f"{text!r} is in no segment")


# --- what is lost, and what is never written ---


def test_players_of_a_game_that_went_back_are_told_and_go_on(tmp_path: Path) -> None:
    """Durability `checkpoint`: outputs numbered anew after the crash are not taken for old ones (FM-94)."""
    folder = mud(tmp_path / "p", durability="checkpoint")
    with serving(tmp_path, folder) as server, players(server.address, 2) as (ada, bob):
        for number in range(5):
            ada.command(f"say {number}", "You say")
        server.kill_host()
        for one in (ada, bob):
            one.wait_for("The server lost its last moments")
        ada.command("say after", 'You say, "after"')
        bob.wait_for('Ada says, "after"')
        assert (ada.closed_s, bob.closed_s) == (None, None)


def test_what_is_typed_unseen_is_in_no_file(server: Server) -> None:
    """A new password at its prompts, through a crash and a stop: not in journal, bases, logs or databases (FM-96)."""
    server.start()
    secret = "Xyzzy-unseen-4711"
    client = LineClient("Ada", server.address)
    client.send("Ada")
    client.wait_for("Make a new one of this name?")
    client.send("yes")
    for prompt in ("New password: ", "The same again: "):
        client.wait_for(prompt)
        client.send(secret)
    client.wait_for("Welcome to Underbridge!")
    client.command("say in the open", "You say")
    server.kill_host()
    client.command("say again", "You say")
    assert server.files_with(b"in the open")
    assert server.stop() == 0
    client.close()
    assert server.files_with(secret.encode()) == []
    assert secret not in client.text
