"""perdure.toml: what is read, and what somebody is told who wrote it wrongly."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import config
from perdure.announcements import Phase
from perdure.errors import ConfigError
from perdure.movement import announce

WORDS = ["{when}", "{yellow}x{reset}", "{{}}", "{seconds!r}", "{build:3}", "{server", "{}", "{0}", "a}"]
WORLD = '[games.mud]\npath = "mud"\n\n[rooms]\nworld = "mud"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "mud").mkdir()
    return tmp_path


def write(project: Path, text: str) -> Path:
    (project / config.FILE_NAME).write_text(text)
    return project


def refusal(project: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(write(project, text))
    return str(caught.value).replace(str(project), "PROJECT")


def test_the_least_that_a_server_needs_is_one_game_and_one_room(project: Path) -> None:
    """Everything else has a default; the only room is where players enter."""
    read = config.load(write(project, WORLD))
    assert read.server.telnet == "127.0.0.1:4000"
    assert read.server.web == "127.0.0.1:8080"
    assert read.games["mud"].durability == "process"
    assert read.rooms == {"world": "mud"}
    assert read.login.room == "world"
    assert read.game_path("mud") == project / "mud"
    assert read.state == project / ".perdure"


def test_the_file_itself_may_be_named_instead_of_its_folder(project: Path) -> None:
    """`perdure run examples/mud/perdure.toml` means the same as `perdure run examples/mud`."""
    assert config.load(write(project, WORLD) / config.FILE_NAME) == config.load(project)


def test_a_banner_is_a_text_or_the_name_of_a_text_file(project: Path) -> None:
    """A file of that name is read, anything else is shown as it stands."""
    (project / "hello.txt").write_text("Welcome!\n")
    assert config.load(write(project, WORLD + '[server]\nbanner = "hello.txt"\n')).server.banner == "Welcome!\n"
    assert config.load(write(project, WORLD + '[server]\nbanner = "Hello."\n')).server.banner == "Hello."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            WORLD + '[server]\ntelnt = "x"\n',
            "PROJECT/perdure.toml:7: server.telnt: no such key; did you mean telnet?",
        ),
        (
            WORLD + "[server]\ntelnet = 4000\n",
            "perdure.toml:7: server.telnet: 4000 does not fit; expected a text in quotes.",
        ),
        (
            WORLD + '[server]\ntelnet = "host"\n',
            "perdure.toml:7: server.telnet: 'host' is not an address. Expected HOST:PORT",
        ),
        (
            WORLD + "[login]\nguests = 1\n",
            "perdure.toml:7: login.guests: 1 does not fit; expected true or false.",
        ),
        (
            WORLD + "[login]\nlink_dead_s = -1\n",
            "perdure.toml:7: login.link_dead_s: -1 does not fit; expected a number >= 0.0.",
        ),
        (
            WORLD + '[login]\nroom = "wrld"\n',
            "perdure.toml:7: login.room: no room 'wrld'; did you mean world?",
        ),
        (WORLD + 'arena = "mud"\n', "login.room: with several rooms, [login] must say where players enter"),
        (WORLD + "[serve]\n", "perdure.toml:6: serve: no such key; did you mean server?"),
        (
            WORLD.replace('world = "mud"', 'world = "mad"'),
            "perdure.toml:5: rooms.world: no game 'mad'; did you mean mud?",
        ),
        (
            WORLD.replace('path = "mud"', 'path = "mod"'),
            "perdure.toml:2: games.mud.path: there is no PROJECT/mod; did you mean mud?",
        ),
        (WORLD.replace('path = "mud"', ""), "perdure.toml:1: games.mud: the key path is missing"),
        (
            WORLD.replace('"mud"\n', '"mud"\ndurability = "proces"\n', 1),
            "perdure.toml:3: games.mud.durability: 'proces' does not fit; did you mean process?",
        ),
        (WORLD.replace("world", '"a room"'), "perdure.toml:5: rooms.a room: 'a room' cannot be an id"),
        ("[rooms]\n", "games: there are no games, so nobody could play"),
        (
            '[games]\npath = "mud"\n',
            "perdure.toml:2: games.path: each game has this of its own; expected it under [games.ID], where ID is",
        ),
        ('[games]\nmud = "mud"\n', "perdure.toml:2: games.mud: 'mud' is not a table; expected [games.mud]."),
        ("games = 3\n", "perdure.toml:1: games: 3 is not a table; expected [games]."),
        (
            'games = {mud = {path = "mud", durabilty = "x"}}\n',
            "perdure.toml:1: games.mud.durabilty: no such key; did you mean durability?",
        ),
        ("a = 1\n[rooms\n", "PROJECT/perdure.toml:2: not TOML: Expected ']'"),
    ],
)
def test_an_error_names_file_line_key_and_what_was_expected(project: Path, text: str, message: str) -> None:
    """One look at the message is enough to find and fix the line."""
    assert message in refusal(project, text)


def test_how_players_connect_is_configured(project: Path) -> None:
    """Everything has a default: a page, no proxies, no foreign pages, no limits on the machine's own addresses."""
    read = config.load(write(project, WORLD))
    assert (read.web, read.text, read.limits, read.gmcp) == (
        config.Web(),
        config.Text(),
        config.Limits(),
        config.Gmcp(),
    )
    text = (
        '[server]\nweb = ""\nproxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]\n'
        '[web]\norigins = ["https://mud.example", "http://[::1]:8080"]\n'
        "[text]\ncolours_from_players = true\n"
        "[limits]\nconnections = 3\nlogins = 2\ncharacters = 3\nlines_per_s = 0.5\nlines_burst = 7\nloopback = true\n"
        '[gmcp]\ngui = {version = "3", url = "https://mud.example/gui.mpackage"}\nmap = {url = "http://mud.example/map"}\n'
    )
    read = config.load(write(project, text + WORLD))
    assert read.server.web == ""
    assert read.server.proxies == ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]
    assert read.web.origins == ["https://mud.example", "http://[::1]:8080"]
    assert read.text.colours_from_players
    assert read.limits == config.Limits(3, 2, 3, 0.5, 7, loopback=True)
    assert read.gmcp == config.Gmcp(
        gui=config.Gui("3", "https://mud.example/gui.mpackage"), map=config.Map("http://mud.example/map")
    )


def test_what_lists_of_games_are_told_is_a_free_table(project: Path) -> None:
    """Texts, numbers, true and false, and lists of them, as MSSP spells them."""
    text = '[mssp]\nGENRE = "Fantasy"\n"MINIMUM AGE" = 0\nANSI = true\nPORT = [4000, 4001]\nICON = false\n'
    assert config.load(write(project, text + WORLD)).mssp == {
        "GENRE": ["Fantasy"],
        "MINIMUM AGE": ["0"],
        "ANSI": ["1"],
        "PORT": ["4000", "4001"],
        "ICON": ["0"],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[server]\nweb = "host"', "2: server.web: 'host' is not an address. Expected HOST:PORT"),
        (
            '[server]\nweb = "0.0.0.0:99999"',
            "2: server.web: '0.0.0.0:99999' is not an address. Expected HOST:PORT with a port up to 65535, like 127.",
        ),
        ('[server]\ntelnet = ""', "2: server.telnet: '' is not an address."),
        ('[server]\nproxies = [\n"127.0.0.1",\n"10.1.0.0/8"]', "4: server.proxies[1]: 10.1.0.0/8 has host bits set; "),
        ('[server]\nproxies = ["proxy"]', "2: server.proxies[0]: 'proxy' does not appear to be an IPv4 or IPv6"),
        ('[server]\nproxies = "127.0.0.1"', "2: server.proxies: '127.0.0.1' does not fit; expected a list"),
        ('[web]\norigins = ["mud.example"]', "2: web.origins[0]: 'mud.example' is not an origin; expected SCHEME://"),
        ('[web]\norigins = ["https://mud.example/"]', "2: web.origins[0]: 'https://mud.example/' is not an origin"),
        ('[web]\norigins = ["https://Mud.example"]', "2: web.origins[0]: 'https://Mud.example' is not an origin"),
        ('[web]\norigins = ["*"]', "2: web.origins[0]: '*' is not an origin"),
        ("[web]\norigin = []", "2: web.origin: no such key; did you mean origins?"),
        ("[text]\ncolors_from_players = true", "2: text.colors_from_players: no such key; did you mean colours_from"),
        ("[limits]\nconnections = 0", "2: limits.connections: 0 does not fit; expected a whole number >= 1"),
        ("[limits]\nlines_per_s = 0", "2: limits.lines_per_s: 0 does not fit; expected a number > 0"),
        ("[limits]\nlines_per_s = inf", "2: limits.lines_per_s: inf does not fit; expected a number <= 1000"),
        ("[limits]\nloopback = 1", "2: limits.loopback: 1 does not fit; expected true or false"),
        ('[gmcp]\ngui = {version = "1"}', "2: gmcp.gui: the key url is missing"),
        ('[gmcp]\ngui = "https://x"', "2: gmcp.gui: 'https://x' is not a table; expected [gmcp.gui]."),
        ('[gmcp]\nmap = {url = "ftp://x"}', "2: gmcp.map.url: 'ftp://x' is not an address of the web"),
        ('[mssp]\ngenre = "x"', "2: mssp.genre: 'genre' is not a variable; expected up to 40 capital letters"),
        ("[mssp]\nPLAYERS = 900", "2: mssp.PLAYERS: the server itself says this, as it is; leave it out"),
        ('[mssp]\nGENRE = "a\\u0001"', "2: mssp.GENRE: there is a value that cannot be told; expected a text of at"),
        ("[mssp]\nGENRE = []", "2: mssp.GENRE: there is a value that cannot be told"),
        (f'[mssp]\nGENRE = "{"x" * 201}"', "2: mssp.GENRE: there is a value that cannot be told"),
        ("[mssp]\nGENRE = 1.5", "2: mssp.GENRE: 1.5 does not fit"),
        (
            "[mssp]\n" + "\n".join(f"A{n} = 1" for n in range(65)),
            "1: mssp: there are 65 variables; expected at most 64",
        ),
    ],
)
def test_how_players_connect_is_checked(project: Path, text: str, message: str) -> None:
    """With the key, the line and what would be right."""
    assert refusal(project, f"{text}\n{WORLD}").startswith(f"PROJECT/perdure.toml:{message}")


@pytest.mark.parametrize(
    ("line", "watch", "update"),
    [
        ("", False, "now"),
        ("watch = true", True, "now"),
        ('watch = "poll"', "poll", "now"),
        ('update = "idle"', False, "idle"),
        ('watch = false\nupdate = "match"', False, "match"),
    ],
)
def test_how_new_code_comes_in_is_the_games_own_setting(project: Path, line: str, watch: object, update: str) -> None:
    """Files are watched where the file says so, and rooms take new code at once unless it says otherwise."""
    game = config.load(write(project, WORLD.replace('path = "mud"', f'path = "mud"\n{line}'))).games["mud"]
    assert (game.watch, game.update) == (watch, update)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('watch = "pol"', "games.mud.watch: 'pol' does not fit; did you mean poll? expected one of false, poll, true."),
        ("watch = 1", "games.mud.watch: 1 does not fit; expected one of false, poll, true."),
        ('update = "matches"', "games.mud.update: 'matches' does not fit; did you mean match? expected one of idle,"),
        ("watched = true", "games.mud.watched: no such key; did you mean watch?"),
    ],
)
def test_how_new_code_comes_in_is_checked(project: Path, line: str, message: str) -> None:
    """With the values that there are."""
    text = WORLD.replace('path = "mud"', f'path = "mud"\n{line}')
    assert refusal(project, text).startswith(f"PROJECT/perdure.toml:3: {message}")


def test_a_host_is_started_as_the_file_says_or_as_the_supervisor_was(project: Path) -> None:
    """A program of the project is found from anywhere; one without a slash is left to the search path."""

    def command(text: str) -> list[str]:
        return config.load(write(project, f"[host]\ncommand = {text}\n{WORLD}")).host.command

    assert config.load(write(project, WORLD)).host.command == []
    assert command('["../new venv/bin/python", "-m", "perdure.host"]') == [
        f"{project}/../new venv/bin/python",
        *("-m", "perdure.host"),
    ]
    assert command('["python3.13", "-m", "perdure.host"]')[0] == "python3.13"
    assert command('["/opt/new/bin/python"]') == ["/opt/new/bin/python"]


def test_a_link_to_an_interpreter_is_not_followed(project: Path) -> None:
    """Python finds its virtual environment by the name with which it was started."""
    (project / "venv").symlink_to("/nowhere")
    text = f'[host]\ncommand = ["venv/python"]\n{WORLD}'
    assert config.load(write(project, text)).host.command == [f"{project}/venv/python"]


def test_what_a_copyover_does_and_says_is_configured(project: Path) -> None:
    """Nothing is built, locked or kept quiet unless the file says so; texts replace the usual ones."""
    assert config.load(write(project, WORLD)).copyover == config.Copyover()
    said = config.load(write(project, f"[host]\ncommand = []\n[copyover]\nbuild = []\n{WORLD}"))
    assert (said.host, said.copyover) == (config.Host(), config.Copyover())
    text = (
        '[copyover]\nbuild = ["make", "-C", "native"]\nquiet = true\nlocks = {auctions = 120}\n'
        '[copyover.messages]\nminute = "{yellow}{server} {{new}} in {seconds} s.{reset}"\nbuilding = ""\n'
    )
    assert config.load(write(project, text + WORLD)).copyover == config.Copyover(
        build=["make", "-C", "native"],
        quiet=True,
        locks={"auctions": 120},
        messages={"minute": "{yellow}{server} {{new}} in {seconds} s.{reset}", "building": ""},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[host]\ncommand = [""]',
            '2: host.command: there is no program in it; expected, for example, ["venv/bin/python", "-P", "-m", "perd',
        ),
        ('[copyover]\nbuild = [""]', '2: copyover.build: there is no program in it; expected, for example, ["make"'),
        ('[host]\ncommand = "python"', "2: host.command: 'python' does not fit; expected a list in brackets."),
        ('[host]\ncomand = ["python"]', "2: host.comand: no such key; did you mean command?"),
        ("[copyover]\nbuild = [1]", "2: copyover.build[0]: 1 does not fit; expected a text in quotes."),
        ('[copyover]\nbuild = ["make", "a\\u0000"]', "2: copyover.build[1]: "),
        ("[copyover]\nlocks = {auctions = 0}", "2: copyover.locks.auctions: 0 does not fit; expected a number > 0"),
        (
            '[copyover.messages]\nminut = ""',
            "2: copyover.messages.minut: 'minut' does not fit; did you mean minute? expected one of announce,",
        ),
        (
            '[copyover.messages]\ndone = "In {second}"',
            "2: copyover.messages.done: {second} stands for nothing; did you mean seconds? expected one of",
        ),
        ('[copyover.messages]\ndone = "{server!r}"', "2: copyover.messages.done: {server!r} stands for nothing"),
        ('[copyover.messages]\ndone = "{seconds:3}"', "2: copyover.messages.done: {seconds:3} stands for nothing"),
        ('[copyover.messages]\ndone = "\\u001b[2J"', "2: copyover.messages.done: there are control characters in it"),
        ('[copyover.messages]\ndone = "{"', "2: copyover.messages.done: a brace without its other half"),
    ],
)
def test_how_a_copyover_is_configured_is_checked(project: Path, text: str, message: str) -> None:
    """Before it is needed: a typing error in a text must not be found by the players."""
    assert refusal(project, f"{text}\n{WORLD}").startswith(f"PROJECT/perdure.toml:{message}")


@pytest.mark.parametrize("phase", get_args(Phase))
def test_the_usual_text_of_a_phase_is_one_that_a_file_may_have(phase: Phase) -> None:
    """Who writes a text of their own begins with a copy of it."""
    config._Reader(Path("perdure.toml"), "").check_message(phase, announce.TEMPLATES[phase])


@given(
    text=st.text(st.sampled_from("{}!:ab \n\x1b") | st.characters(), max_size=30) | st.sampled_from(WORDS),
    reason=st.text(),
)
def test_a_text_that_is_taken_can_be_told(text: str, reason: str) -> None:
    """What the file's reader lets through never fails when players are to read it, whatever it is filled in with."""
    try:
        config._Reader(Path("perdure.toml"), "").check_message("vetoed", text)
    except ConfigError:
        return
    announce.render(text, {"seconds": 300, "reason": reason, "build": 7, "server": "Underbridge"})


def test_a_text_over_several_lines_is_not_searched_for_keys(project: Path) -> None:
    """What looks like a key inside a banner is not taken for one."""
    text = '[server]\nbanner = """\n[login]\nroom = 5\n"""\n' + WORLD + "[login]\nroom = 5\n"
    assert "perdure.toml:12: login.room: 5 does not fit" in refusal(project, text)


def test_a_missing_file_says_where_it_was_looked_for_and_what_to_do(project: Path) -> None:
    """A stranger's first mistake has an answer."""
    with pytest.raises(ConfigError, match=rf"no perdure\.toml in {project}.*perdure new NAME"):
        config.load(project)
    with pytest.raises(ConfigError, match=rf"no folder {project}/nowhere"):
        config.load(project / "nowhere")
    write(project, WORLD)
    with pytest.raises(ConfigError, match=rf"nearest one is {project}/perdure\.toml"):
        config.load(project / "mud")


def test_a_project_is_found_from_the_folders_below_it(project: Path) -> None:
    """Commands work wherever in the project their user stands."""
    write(project, WORLD)
    assert config.find_project(project / "mud") == project
    assert config.find_project(project.parent) is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4000", "127.0.0.1", 4000),
        ("[::1]:4000", "::1", 4000),
        ("localhost:0", "localhost", 0),
        ("4001", "127.0.0.1", 4001),
        (":4001", "127.0.0.1", 4001),
    ],
)
def test_addresses_are_host_and_port(text: str, host: str, port: int) -> None:
    """A bare port listens on the loopback only: nothing is opened to the world by accident."""
    assert config.parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "host:x", "host:65536", f"host:{'9' * 5000}", "::1:4000", "host:٣"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """The error shows what an address looks like."""
    with pytest.raises(ConfigError, match="HOST:PORT"):
        config.parse_address(text)


@given(st.text(max_size=300))
def test_any_text_is_refused_in_words(text: str) -> None:
    """No file makes the reader raise anything but a ConfigError."""
    with pytest.raises(ConfigError, match=r"perdure\.toml:"):
        config._Reader(Path("perdure.toml"), text).config()
