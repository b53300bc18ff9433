"""What an address may do, by a real server's perdure.toml, and that a copyover changes nothing of it."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.e2e.clients import LineClient
from tests.e2e.server import Server, mud, serving, wait_until

LIMITS = """
[limits]
connections = 3
logins = 2
lines_per_s = 20
lines_burst = 5
loopback = true

[mssp]
GENRE = "Fantasy"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests here, which leave it with nobody connected."""
    folder = tmp_path_factory.mktemp("a")
    project = mud(folder / "project")
    with (project / "perdure.toml").open("a") as file:
        file.write(LIMITS)
    with serving(folder, project) as it:
        yield it


def copyover(server: Server) -> None:
    done = server.cli("copyover", "now")
    assert done.code == 0, done


def connections(server: Server) -> int:
    return len(server.ask("sessions"))


def status_said(server: Server) -> str:
    """The answer to a list of games that knows no telnet."""
    with closing(LineClient("crawler", server.address)) as crawler:
        crawler.send("MSSP-REQUEST")
        crawler.wait_for("MSSP-REPLY-END")
        return crawler.text


def test_limits_of_an_address_survive_a_copyover(server: Server) -> None:
    """Its failed logins, its connections and its rate are the gateway's, which stays (FM-82)."""
    server.cli("account", "create", "Bob", "--password-stdin", stdin="secret-of-bob\n")
    with closing(LineClient("Ada", server.address)) as ada:
        ada.log_in()
        wait_until(lambda: server.ask("sessions")[0]["stage"] == "playing", "Ada plays")
        with closing(LineClient("Eve", server.address)) as eve:
            for _ in range(2):
                eve.command("connect Ada wrong-one", "not the password of Ada")
            copyover(server)
            since = len(eve.seen)
            eve.send("connect Bob wrong-one")  # counts, if the copyover took longer than the second that is to wait
            eve.send("connect Bob wrong-one")
            eve.wait_for("Too many failed tries", since)
            third = LineClient("third", server.address)
            third.wait_for("Name: ")
            fourth = LineClient("fourth", server.address)
            fourth.wait_for("There are 3 connections from your address already.")
            fourth.wait_closed()
            for client in (third, fourth):
                client.close()
        wait_until(lambda: connections(server) == 1, "only Ada is left")
        for n in range(30):
            ada.send(f"say line {n}")
        copyover(server)
        ada.wait_for("line 29")
        assert re.findall(r'say, "line (\d+)', ada.text) == [str(n) for n in range(30)]
        ada.send("quit")
        ada.wait_closed()


def test_a_list_of_games_sees_one_uptime_over_copyovers(server: Server) -> None:
    """The server began once, whatever was renewed since; players and the operator's words are there."""
    before = status_said(server)
    copyover(server)
    after = status_said(server)
    (uptime,) = re.findall(r"^UPTIME\t(\d+)$", before, re.MULTILINE)
    assert re.findall(r"^UPTIME\t(\d+)$", after, re.MULTILINE) == [uptime]
    for line in ("NAME\tTest", "PLAYERS\t0", "GENRE\tFantasy", f"PORT\t{server.address[1]}"):
        assert line in after.splitlines()


def test_an_operator_sees_who_is_there_and_how(server: Server) -> None:
    """Where one plays, and each session with transport, address and encoding."""
    ((host, port),) = server.ask("status")["listening"]["web"]
    assert f"http://{host}:{port}/" in server.cli("status").out
    assert f"http://{host}:{port}/" in server.said()
    with closing(LineClient("Ada", server.address)) as ada:
        ada.wait_for("Name: ")
        heading, session = server.cli("sessions").out.splitlines()
        assert heading.split()[:2] == ["SESSION", "STAGE"]
        assert session.split()[1:2] == ["greeting"]
        assert session.split()[2:] == ["telnet", "127.0.0.1", "utf-8", "0", "0"]


def test_an_account_that_is_disabled_leaves_the_game(server: Server) -> None:
    """By the command an operator has: the player is told, the game sees them go, the command says how many (FM-14)."""
    with closing(LineClient("Mallory", server.address)) as mallory:
        mallory.log_in()
        wait_until(lambda: [s["stage"] for s in server.ask("sessions")] == ["playing"], "Mallory plays")
        assert server.cli("account", "disable", "mallory").out.splitlines() == [
            "Mallory may not log in any more.",
            "1 session of it ended.",
        ]
        mallory.wait_for("Your account was disabled")
        mallory.wait_closed()
    wait_until(lambda: connections(server) == 0, "nobody is left")
    with closing(LineClient("Mallory", server.address)) as mallory:
        mallory.log_in("connect")
        mallory.wait_for("may not log in at present")
