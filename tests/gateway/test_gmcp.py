"""Which GMCP messages a client takes, and what its own mean."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway import gmcp
from perdure.gateway.gmcp import Packages, PackagesState, Reply, join_message, split_message
from perdure.gateway.wire import Credentials, PackagesWanted, ToldMore

PASSWORD = "correct horse"


def supporting(*modules: str) -> Packages:
    """Packages of a client that listed these modules."""
    packages = Packages()
    [outcome] = packages.receive("Core.Supports.Set", msgspec.json.encode(modules))
    assert isinstance(outcome, PackagesWanted)
    return packages


# --- what goes out ---


def test_a_client_that_listed_nothing_is_sent_core_alone() -> None:
    """GMCP was negotiated and Core.Supports has not come: what the client wants is not known."""
    packages = Packages()
    assert packages.takes("Core.Goodbye")
    assert not any(packages.takes(each) for each in ("Char.Vitals", "Char.Login.Default", "Client.GUI", "Corellia.X"))


def test_a_listed_module_takes_every_message_below_its_name() -> None:
    """ "Char 1" takes Char.Vitals, and "Comm.Channel 1" Comm.Channel.Text; a name ends at its dot."""
    packages = supporting("Char 1", "Comm.Channel 1")
    assert [packages.takes(each) for each in ("Char.Vitals", "Char.Status", "Char", "Comm.Channel.Text")] == [True] * 4
    assert not any(packages.takes(each) for each in ("Character.X", "Comm.Tell", "Comm", "Room.Info"))


@pytest.mark.parametrize("listed", ["CHAR 1", "char 1", "Char", " Char  1 "])
def test_names_are_compared_without_case_and_a_version_may_be_missing(listed: str) -> None:
    """Clients spell them in every way."""
    assert supporting(listed).takes("char.VITALS")


def test_set_replaces_add_adds_and_remove_removes() -> None:
    """Core.Supports as the Core package defines it; Remove may leave out versions."""
    packages = supporting("Char 1", "Room 1")
    assert packages.receive("core.supports.add", b'["Comm.Channel 1"]') == [PackagesWanted()]
    assert packages.receive("Core.Supports.Remove", b'["Room"]') == []
    assert [packages.takes(each) for each in ("Char.Vitals", "Comm.Channel.Text", "Room.Info")] == [True, True, False]
    assert packages.receive("Core.Supports.Set", b'["Room 1"]') == [PackagesWanted()]
    assert [packages.takes(each) for each in ("Char.Vitals", "Comm.Channel.Text", "Room.Info")] == [False, False, True]


def test_add_before_any_set_counts_as_set() -> None:
    """The Core package says so."""
    packages = Packages()
    packages.receive("Core.Supports.Add", b'["Room 1"]')
    assert packages.takes("Room.Info")


def test_remove_before_any_set_lists_nothing() -> None:
    """It does not turn an unknown client into one that listed something."""
    packages = Packages()
    assert packages.receive("Core.Supports.Remove", b'["Room 1"]') == []
    assert not packages.takes("Client.GUI")


def test_a_module_taken_back_stays_away_though_the_one_above_it_is_listed() -> None:
    """Of two listed modules the longer name decides."""
    packages = supporting("Char 1", "Char.Skills 1")
    packages.receive("Core.Supports.Remove", b'["Char.Skills"]')
    assert packages.takes("Char.Vitals")
    assert not packages.takes("Char.Skills.List")
    packages.receive("Core.Supports.Add", b'["Char.Skills 1"]')
    assert packages.takes("Char.Skills.List")


def test_version_0_is_a_module_that_is_not_taken() -> None:
    """Some clients switch a module off so."""
    assert not supporting("Char 0").takes("Char.Vitals")


def test_login_by_gmcp_is_only_for_clients_that_list_it_by_name() -> None:
    """ "Char" is older than Char.Login, and clients that list it would not know what to do."""
    assert not supporting("Char 1").takes("Char.Login.Default")
    assert supporting("Char 1", "Char.Login 1").takes("Char.Login.Result")


def test_a_client_is_asked_to_log_in_once_for_all_its_lists() -> None:
    """Each time it were asked it would answer, and a wrong password would count each time."""
    packages = Packages()
    assert packages.receive("Core.Supports.Set", b'["Char 1"]') == [PackagesWanted(login=False)]
    assert packages.receive("Core.Supports.Add", b'["Char.Login 1"]') == [PackagesWanted(login=True)]
    assert packages.receive("Core.Supports.Add", b'["Room 1"]') == [PackagesWanted(login=False)]


def test_client_gui_and_map_are_sent_unlisted_to_a_client_that_listed_anything() -> None:
    """Mudlet takes them and never lists them."""
    packages = supporting("Char 1")
    assert packages.takes("Client.GUI")
    assert packages.takes("Client.Map")
    assert not packages.takes("Client.Media.Play")


def test_a_list_without_end_is_kept_only_up_to_its_bound() -> None:
    """A client cannot make us remember more (FM-80)."""
    packages = supporting(*(f"M{number} 1" for number in range(5000)))
    for number in range(5000):
        packages.receive("Core.Supports.Add", msgspec.json.encode([f"N{number} 1"]))
        packages.receive("Core.Supports.Remove", msgspec.json.encode([f"M1.{number} 1"]))
    assert len(packages.state().modules or {}) <= gmcp.MODULES_MAX


# --- what comes in ---


@pytest.mark.parametrize("members", ['"client":"Mudlet","version":"4.17.2"', '"version":"4.17.2", "client":"Mudlet"'])
def test_hello_names_the_client(members: str) -> None:
    """Told once; the same again is no news."""
    packages = Packages()
    hello = b"{" + members.encode() + b"}"
    assert packages.receive("Core.Hello", hello) == [ToldMore()]
    assert packages.receive("Core.Hello", hello) == []
    assert packages.client == "Mudlet 4.17.2"


def test_a_clients_name_cannot_carry_escapes_and_is_cut() -> None:
    """It is shown to operators (FM-83)."""
    packages = Packages()
    packages.receive("Core.Hello", msgspec.json.encode({"client": "\x1b[2J\u202eevil" + "x" * 200}))
    assert packages.client == ("[2Jevil" + "x" * 200)[: gmcp.CLIENT_CHARS_MAX]


def test_ping_is_answered_without_a_body() -> None:
    """The client's measure of the last round trip is its own business."""
    assert Packages().receive("Core.Ping", b"120") == [Reply("Core.Ping", b"")]


@pytest.mark.parametrize("member", ["account", "character", "name"])
def test_credentials_are_a_name_and_a_secret(member: str) -> None:
    """Char.Login.Credentials, by each name that clients have given the member. No repr shows it (FM-96)."""
    packages = Packages()
    (event,) = packages.receive("Char.Login.Credentials", msgspec.json.encode({member: "Ada", "password": PASSWORD}))
    assert isinstance(event, Credentials)
    assert (event.name, event.password.reveal()) == ("Ada", PASSWORD)
    assert PASSWORD not in repr(event) + repr(packages.state()) + repr(vars(packages))


@pytest.mark.parametrize("body", [b"{}", b'{"account":"Ada"}', b'{"password":"x"}', b'{"account":1,"password":"x"}'])
def test_credentials_that_lack_something_are_ignored(body: bytes) -> None:
    """Mudlet sends {} when it has no password stored; the player logs in by hand."""
    assert Packages().receive("Char.Login.Credentials", body) == []


@pytest.mark.parametrize("package", ["Core.KeepAlive", "Core.Nonsense", "External.Discord.Hello", "Char.Items.Inv", ""])
def test_all_other_messages_are_ignored(package: str) -> None:
    """They have no meaning for the gateway, and never reach a game."""
    assert Packages().receive(package, b"{}") == []


NONSENSE = [
    b"",
    b"{",
    b"[1]",
    b'["Char 1"',
    b'{"client":1}',
    b'"\\ud800"',
    b"\xff",
    b'{"a":' + b"[" * 8000,
    b"[" * 8000,
]


@pytest.mark.parametrize(
    "package", ["Core.Hello", "Core.Supports.Set", "Core.Supports.Remove", "Char.Login.Credentials"]
)
@pytest.mark.parametrize("body", [*NONSENSE, b'{"client":"\xff"}', b'["\\ud800"]'])
def test_no_body_makes_it_raise(package: str, body: bytes) -> None:
    """Strangers send anything; nesting without end is one of it (FM-80)."""
    assert Packages().receive(package, body) == []


@pytest.mark.parametrize("entry", ["", " ", "1", "Char x", "Char -1", "Ch\u00e4r 1", "a" * 65, "Char 1 2"])
def test_what_is_no_module_is_passed_over(entry: str) -> None:
    """The rest of its list counts."""
    packages = supporting(entry, "Room 1")
    assert packages.takes("Room.Info")
    assert not packages.takes("Char.Vitals")


# --- as it travels ---


@pytest.mark.parametrize(
    ("message", "split"),
    [
        (b"Core.Ping", ("Core.Ping", b"")),
        (b"Core.Ping 120", ("Core.Ping", b"120")),
        (b'Core.Hello   {"client": "x y"} ', ("Core.Hello", b'{"client": "x y"}')),
        (b"", None),
        (b"{}", None),
        (b"a" * 65, None),
        (b"Ch\xc3\xa4r {}", None),
    ],
)
def test_a_message_is_a_name_a_space_and_json(message: bytes, split: tuple[str, bytes] | None) -> None:
    """What names no package is none."""
    assert split_message(message) == split


@given(st.binary(max_size=200))
def test_a_message_that_was_understood_travels_on_unchanged(message: bytes) -> None:
    """Joining is the way back."""
    split = split_message(message)
    assert split is None or split_message(join_message(*split)) == split


# --- moving ---

MESSAGES = st.tuples(
    st.sampled_from(["Core.Hello", "Core.Supports.Set", "Core.Supports.Add", "Core.Supports.Remove", "Core.Ping"]),
    st.one_of(
        st.lists(st.sampled_from(["Char 1", "Char.Skills 1", "Room 1", "Char.Login 1", "Char 0", "?"])).map(
            msgspec.json.encode
        ),
        st.sampled_from([b'{"client":"Mudlet","version":"1"}', b"", *NONSENSE]),
    ),
)


@given(st.lists(MESSAGES, max_size=12), st.integers(min_value=0, max_value=12))
def test_exporting_and_importing_between_any_messages_changes_nothing(
    messages: list[tuple[str, bytes]], cut: int
) -> None:
    """What a client takes is kept over a move, through JSON and msgpack (FM-5)."""
    alone, carried = Packages(), Packages()
    expected = [alone.receive(*message) for message in messages]
    outcomes = [carried.receive(*message) for message in messages[:cut]]
    state = carried.state()
    by_json = msgspec.json.decode(msgspec.json.encode(state), type=PackagesState)
    carried = Packages.from_state(msgspec.msgpack.decode(msgspec.msgpack.encode(by_json), type=PackagesState))
    outcomes += [carried.receive(*message) for message in messages[cut:]]
    assert outcomes == expected
    assert carried.state() == alone.state()
