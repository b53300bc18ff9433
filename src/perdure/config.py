"""perdure.toml: what it may say, and what to tell the one who wrote it when it says something else.

Every value is typed, every key is known: a key that is not in the structs below is refused with its line
and the nearest one that is. Each process of a server reads the file itself (docs/reference/perdure-toml.md).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from perdure.announcements import COLOURS, PLACEHOLDERS, TEXT_CHARS_MAX, Phase, parts
from perdure.errors import ConfigError
from perdure.tomlfile import TomlFile, nearest

FILE_NAME = "perdure.toml"
STATE_FOLDER = ".perdure"
"""Name of the state folder that belongs to a project, unless another one is named."""
TELNET_PORT, WEB_PORT = 4000, 8080
PORT_MAX = 65535
"""TCP has no higher one."""
BANNER_BYTES_MAX = 64 * 1024

Durability = Literal["power", "process", "checkpoint", "none"]
Watch = bool | Literal["poll"]
Update = Literal["now", "idle", "match"]
SECTIONS = ("server", "games", "rooms", "login", "host", "copyover", "web", "text", "limits", "gmcp", "mssp")
MSSP_VARIABLES_MAX, MSSP_CHARS_MAX = 64, 200
MSSP_OURS = ("PLAYERS", "UPTIME")
"""What lists of games ask of a server, and nobody may invent."""
URL_CHARS_MAX = 500
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MSSP_NAME = re.compile(r"[A-Z0-9][A-Z0-9 _-]{0,39}")
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
_URL = re.compile(r"https?://[!-~]+")

Word = Annotated[str, Meta(pattern=r"^[^\0]*\Z")]
Argv = Annotated[list[Word], Meta(max_length=256)]
"""A program and its arguments, started without a shell."""
MsspValue = str | int | bool
EXAMPLES = {
    ("host", "command"): '["venv/bin/python", "-P", "-m", "perdure.host"]',
    ("copyover", "build"): '["make", "-C", "native"]',
}


class Server(msgspec.Struct, frozen=True):
    """[server].

    Attributes:
        name: What players see as the server's name.
        telnet: HOST:PORT on which players connect.
        web: HOST:PORT of the web page; "" = there is none.
        proxies: Addresses and networks of which it is believed who somebody is that connects through them.
        banner: Text shown on connecting; in the file it may be the path of a text file instead.
    """

    name: Annotated[str, Meta(min_length=1, max_length=80)] = "Perdure"
    telnet: str = f"127.0.0.1:{TELNET_PORT}"
    web: str = f"127.0.0.1:{WEB_PORT}"
    proxies: list[str] = []
    banner: str = ""


class Game(msgspec.Struct, frozen=True):
    """[games.ID].

    Attributes:
        path: The game's file or folder, relative to the project.
        durability: What a record survives before its outputs are released.
        base_every_s: Seconds between two stored bases of a room that changed.
        base_every_records: Records after which a base is stored earlier.
        watch: Whether a saved file is reloaded at once; "poll" looks for changes where the kernel tells of none.
        update: When a running room takes new code: now, when it is idle, or when its match is over.
    """

    path: str
    durability: Durability = "process"
    base_every_s: Annotated[float, Meta(gt=0)] = 30.0
    base_every_records: Annotated[int, Meta(ge=1)] = 2000
    watch: Watch = False
    update: Update = "now"


class Login(msgspec.Struct, frozen=True):
    """[login].

    Attributes:
        room: Where players enter, and where they are brought when a room refuses them.
        guests: Whether one may play without an account.
        link_dead_s: How long a session waits for its player to come back.
    """

    room: str = ""
    guests: bool = True
    link_dead_s: Annotated[float, Meta(ge=0)] = 60.0


class Host(msgspec.Struct, frozen=True):
    """[host].

    Attributes:
        command: What starts a host process: a program and its arguments. Empty: the interpreter and the Perdure
            that the supervisor runs on. A program with a "/" that is not absolute is the project's; links are kept,
            because a virtual environment is found by its link.
    """

    command: Argv = []


class Copyover(msgspec.Struct, frozen=True):
    """[copyover].

    Attributes:
        build: What is run in the project's folder before anything else; empty: nothing. Its program as in `Host`.
        quiet: Whether players are told nothing.
        locks: Feature of a game -> how many seconds before the rooms move it is locked.
        messages: Phase -> what players read instead of the usual text; "" says nothing.
    """

    build: Argv = []
    quiet: bool = False
    locks: dict[Annotated[str, Meta(min_length=1, max_length=64)], Annotated[float, Meta(gt=0, le=86400)]] = {}
    messages: dict[Phase, Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]] = {}


class Web(msgspec.Struct, frozen=True):
    """[web].

    Attributes:
        origins: SCHEME://HOST[:PORT] at which the server's own page is found, and of other sites whose pages may
            play here.
    """

    origins: list[str] = []


class Text(msgspec.Struct, frozen=True):
    """[text].

    Attributes:
        colours_from_players: Whether colours in what players type are kept.
    """

    colours_from_players: bool = False


class Limits(msgspec.Struct, frozen=True):
    """[limits], each for one address; an IPv6 user has a whole /64.

    Attributes:
        connections: At once.
        logins: That may fail in a row before the next try has to wait.
        characters: That may be made in a day before the next one has to wait.
        lines_per_s, lines_burst: Lines in the long run, and at once after a silence; more are read later.
        loopback: Whether this machine's own addresses are limited, too.
    """

    connections: Annotated[int, Meta(ge=1, le=100_000)] = 64
    logins: Annotated[int, Meta(ge=1, le=100_000)] = 10
    characters: Annotated[int, Meta(ge=1, le=100_000)] = 10
    lines_per_s: Annotated[float, Meta(gt=0, le=1000)] = 20.0
    lines_burst: Annotated[int, Meta(ge=1, le=100_000)] = 100
    loopback: bool = False


class Gui(msgspec.Struct, frozen=True):
    """[gmcp] gui: what clients are offered with Client.GUI.

    Attributes:
        version: Clients fetch it again when this has changed.
        url: Where it lies.
    """

    version: Annotated[str, Meta(min_length=1, max_length=40)]
    url: str


class Map(msgspec.Struct, frozen=True):
    """[gmcp] map: what clients are offered with Client.Map."""

    url: str


class Gmcp(msgspec.Struct, frozen=True):
    """[gmcp]; None = nothing is offered."""

    gui: Gui | None = None
    map: Map | None = None


class Config(msgspec.Struct, frozen=True):
    """A whole perdure.toml.

    Attributes:
        project: The folder that holds the file; paths in it are relative to this folder.
        games: By game id.
        rooms: Room id -> game id.
        mssp: Variable -> values, told to lists of games besides what the gateway says itself.
    """

    project: Path
    server: Server
    games: dict[str, Game]
    rooms: dict[str, str]
    login: Login
    host: Host = Host()
    copyover: Copyover = Copyover()
    web: Web = Web()
    text: Text = Text()
    limits: Limits = Limits()
    gmcp: Gmcp = Gmcp()
    mssp: dict[str, list[str]] = {}

    @property
    def file(self) -> Path:
        return self.project / FILE_NAME

    @property
    def state(self) -> Path:
        """The state folder, unless the command line names another one."""
        return self.project / STATE_FOLDER

    def game_path(self, game: str) -> Path:
        """Where the game's code lies."""
        return self.project / self.games[game].path


class Address(NamedTuple):
    """A TCP address to listen on; `host` may be a name, port 0 takes any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """HOST:PORT, [IPV6]:PORT, or only a PORT of 127.0.0.1.

    Raises:
        ConfigError: It is none of these.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    is_port = port.isascii() and port.isdigit() and len(port) <= len(str(PORT_MAX)) and int(port) <= PORT_MAX
    if not is_port or (":" in host and "[" not in text):
        raise ConfigError(
            f"{text!r} is not an address. Expected HOST:PORT with a port up to {PORT_MAX}, "
            f"like 127.0.0.1:{TELNET_PORT} or [::1]:4000."
        )
    return Address(host or "127.0.0.1", int(port))


def find_project(start: Path) -> Path | None:
    """The nearest folder with a perdure.toml, from `start` upwards; None when there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / FILE_NAME).is_file()), None)


def load(project: str | Path) -> Config:
    """The configuration of the project in folder `project` (or whose perdure.toml is `project`).

    Raises:
        ConfigError: There is none, or it is not as it must be; the message names file, line and key.
    """
    path = Path(project).absolute()
    file = path if path.name == FILE_NAME else path / FILE_NAME
    return _Reader(file, _read(file)).config()


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        folder = file.parent
        what = f"no {FILE_NAME} in {folder}" if folder.is_dir() else f"no folder {folder}"
        above = find_project(folder)
        near = f" The nearest one is {above / FILE_NAME}." if above else ""
        raise ConfigError(
            f"There is {what}, and a server needs one.{near} Name a folder that has one "
            "(perdure run FOLDER), or make a game to begin with: perdure new NAME"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 at byte {error.start}. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error


class _Reader:
    """One file on its way to a Config; knows where each key stands."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self.toml = TomlFile(text, lambda line, message: ConfigError(f"{file}:{line}: {message}"))
        self.error = self.toml.error

    def config(self) -> Config:
        self.toml.check_keys((), self.toml.tables, SECTIONS)
        config = Config(
            project=self.file.parent,
            server=self.toml.convert(Server, ("server",)),
            games=self.games(),
            rooms=self.toml.convert(dict[str, str], ("rooms",)),
            login=self.toml.convert(Login, ("login",)),
            host=self.toml.convert(Host, ("host",)),
            copyover=self.toml.convert(Copyover, ("copyover",)),
            web=self.toml.convert(Web, ("web",)),
            text=self.toml.convert(Text, ("text",)),
            limits=self.toml.convert(Limits, ("limits",)),
            gmcp=self.toml.convert(Gmcp, ("gmcp",)),
            mssp=self.mssp(self.toml.convert(dict[str, MsspValue | list[MsspValue]], ("mssp",))),
        )
        return self.checked(config)

    def games(self) -> dict[str, Game]:
        """[games.ID], each; what is one game's is easily written under [games] itself."""
        table = self.toml.tables.get("games")
        for key, value in table.items() if isinstance(table, dict) else ():
            if key in Game.__struct_fields__ and not isinstance(value, dict):
                example = "expected it under [games.ID], where ID is the game's name, like [games.mud]"
                raise self.error(("games", key), "each game has this of its own", example)
        games: dict[str, Game] = self.toml.convert(dict[str, Game], ("games",))
        return games

    def checked(self, config: Config) -> Config:
        """What types alone cannot say."""
        self.check_ids(config)
        for id, game in config.games.items():
            self.check_path(config, id, game)
        for room, id in config.rooms.items():
            if id not in config.games:
                raise self.error(("rooms", room), f"no game {id!r}", nearest("a game of [games]", id, config.games))
        self.check_clients(config)
        login = msgspec.structs.replace(config.login, room=self.login_room(config))
        server = msgspec.structs.replace(config.server, banner=self.banner(config))
        host = msgspec.structs.replace(config.host, command=self.argv(("host", "command"), config.host.command))
        build = self.argv(("copyover", "build"), config.copyover.build)
        for phase, text in config.copyover.messages.items():
            self.check_message(phase, text)
        copyover = msgspec.structs.replace(config.copyover, build=build)
        return msgspec.structs.replace(config, login=login, server=server, host=host, copyover=copyover)

    def check_clients(self, config: Config) -> None:
        """What says how players connect."""
        for key, address in (("telnet", config.server.telnet), ("web", config.server.web)):
            try:
                parse_address(address if address or key == "telnet" else str(WEB_PORT))
            except ConfigError as error:
                raise self.error(("server", key), str(error)) from None
        for index, network in enumerate(config.server.proxies):
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                hint = "expected an address or a network, like 127.0.0.1 or 10.0.0.0/8"
                raise self.error(("server", "proxies", index), str(error), hint) from None
        for index, origin in enumerate(config.web.origins):
            if not _ORIGIN.fullmatch(origin):
                hint = "expected SCHEME://HOST or SCHEME://HOST:PORT in lower case, like https://mud.example"
                raise self.error(("web", "origins", index), f"{origin!r} is not an origin", hint)
        for name, offered in (("gui", config.gmcp.gui), ("map", config.gmcp.map)):
            if offered is not None and not (_URL.fullmatch(offered.url) and len(offered.url) <= URL_CHARS_MAX):
                raise self.error(("gmcp", name, "url"), f"{offered.url!r} is not an address of the web")

    def mssp(self, table: Mapping[str, MsspValue | list[MsspValue]]) -> dict[str, list[str]]:
        """Each variable's values as they are told; MSSP spells true 1 and false 0."""
        if len(table) > MSSP_VARIABLES_MAX:
            raise self.error(("mssp",), f"there are {len(table)} variables", f"expected at most {MSSP_VARIABLES_MAX}")
        variables = {}
        for name, given in table.items():
            if not _MSSP_NAME.fullmatch(name):
                hint = 'expected up to 40 capital letters, digits and spaces, like GENRE or "MINIMUM AGE"'
                raise self.error(("mssp", name), f"{name!r} is not a variable", hint)
            if name in MSSP_OURS:
                raise self.error(("mssp", name), "the server itself says this, as it is", "leave it out")
            values = given if isinstance(given, list) else [given]
            variables[name] = [str(int(value)) if isinstance(value, bool) else str(value) for value in values]
            if not values or any(len(text) > MSSP_CHARS_MAX or not text.isprintable() for text in variables[name]):
                hint = (
                    f"expected a text of at most {MSSP_CHARS_MAX} characters, a number, true, false, or a list of them"
                )
                raise self.error(("mssp", name), "there is a value that cannot be told", hint)
        return variables

    def check_ids(self, config: Config) -> None:
        for section, ids in (("games", config.games), ("rooms", config.rooms)):
            if not ids:
                example = '[games.mud] path = "mud"' if section == "games" else '[rooms] world = "mud"'
                raise self.error(
                    (section,),
                    f"there are no {section}, so nobody could play",
                    f"add, for example, {example}",
                )
            for id in ids:
                if not _ID.fullmatch(id):
                    raise self.error(
                        (section, id), f"{id!r} cannot be an id", "expected up to 64 letters, digits, . _ -"
                    )

    def check_path(self, config: Config, id: str, game: Game) -> None:
        if not config.game_path(id).exists():
            near = [entry.name for entry in self.file.parent.iterdir() if not entry.name.startswith((".", FILE_NAME))]
            hint = nearest("a file or folder of the project", game.path, near)
            raise self.error(("games", id, "path"), f"there is no {config.game_path(id)}", hint)

    def argv(self, key: tuple[str, str], argv: list[str]) -> list[str]:
        """A command whose program can be started from anywhere; [] where there is none."""
        if not argv:
            return []
        if not argv[0]:
            raise self.error(key, "there is no program in it", f"expected, for example, {EXAMPLES[key]}")
        program = argv[0]
        if "/" in program and not program.startswith("/"):
            program = str(self.file.parent / program)
        return [program, *argv[1:]]

    def check_message(self, phase: str, text: str) -> None:
        path = ("copyover", "messages", phase)
        known = (*PLACEHOLDERS, *COLOURS)
        if not text.replace("\n", "").isprintable():
            raise self.error(path, "there are control characters in it", "colours are written {yellow} … {reset}")
        try:
            names = [name for _, name in parts(text) if name is not None]
        except ValueError as error:
            raise self.error(path, f"a brace without its other half ({error})", "a brace itself is {{ or }}") from None
        for name in names:
            if name not in known:
                raise self.error(path, f"{{{name}}} stands for nothing", nearest(None, name, known))

    def login_room(self, config: Config) -> str:
        room = config.login.room
        if not room and len(config.rooms) == 1:
            return next(iter(config.rooms))
        if room not in config.rooms:
            what = f"no room {room!r}" if room else "with several rooms, [login] must say where players enter"
            raise self.error(("login", "room"), what, nearest("a room of [rooms]", room, config.rooms))
        return room

    def banner(self, config: Config) -> str:
        text = config.server.banner
        if "\n" in text or len(text) > 255 or not (self.file.parent / text).is_file():
            return text
        data = (self.file.parent / text).read_bytes()
        if len(data) > BANNER_BYTES_MAX:
            raise self.error(
                ("server", "banner"), f"{text} has {len(data)} bytes", f"expected at most {BANNER_BYTES_MAX}"
            )
        return data.decode(errors="replace")
