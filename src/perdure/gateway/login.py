"""The login dialogue as a state machine: lines in, texts and requests out.

A player types a command (`connect NAME PASSWORD`, `create NAME PASSWORD`, `guest`, `who`, `set`, `quit`, `help`)
or only a name, and is then asked for the password with echo off. An unknown name gets the offer to make a
character. Requests (`Find`, `Verify`, `Create`, `ListWho`) are answered by the shell through `answer`;
until then no line may be given to the dialogue: `waiting` says so.

Many clients type for their players: a name and a password by a timer, whether anybody asked or not. So a line that
comes after something went wrong may be a password where a name is asked for; it is looked up, but not repeated on
the screen, and not offered as the name of a new character. Others know GMCP's Char.Login (`credentials`); they are
refused in the middle of a password or of making a character, where nothing but the player's own answer counts (FM-1).

Passwords travel as `Secret`, which has no readable form in logs, reprs and exceptions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Literal

import msgspec

from perdure.gateway.secret import Secret
from perdure.names import RULE as NAME_RULE
from perdure.names import canonical
from perdure.ports import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, AccountRow
from perdure.spelling import meant

SHOWN_NAME_CHARS_MAX = 40
"""Longer names are not even looked up."""

LISTED_MAX = 200
"""Names that `who` lists to somebody who has not logged in."""
COLUMNS_MIN = 40
"""What the help fits, as it is shown before a client says how wide its window is."""
HELP = {
    "connect NAME PASSWORD": ("log in", "play your character"),
    "create NAME PASSWORD": ("new character", "make a new character"),
    "guest": ("just look around", "play without a character"),
    "who": ("who is playing", "see who is playing"),
    "set": ("how text is shown", "how text is shown to you, for instance: set screenreader on"),
    "quit": ("leave", "leave"),
}
"""What may be typed -> what it does, in few words and in more."""
FORMS = {form.partition(" ")[0]: form for form in (*HELP, "help")}
"""Command -> how it is typed."""
HELP_MORE = "Or type only a name: the password is\nthen asked for unseen.\n"
SCREENREADER_HELP = "For a screen reader: set screenreader on\n"

NAME_PROMPT = "Name: "
PASSWORD_PROMPT = "Password: "
NEW_PASSWORD_PROMPT = "New password: "
REPEAT_PROMPT = "The same again: "
OFFER_PROMPT = "Make a new one of this name? (yes or no) "

NOT_MADE = "No character was made.\n"
NO_HTTP = "This port speaks telnet, and that was a browser. The game's page has a port of its own.\n"
NO_PROXY = "This came through a proxy that is none of this server's. Its owner can name it in [server] proxies.\n"
BUSY = "Many are logging in just now, and you were not. Try again in a moment.\n"
BROKEN = "The accounts cannot be reached just now, so nothing happened. Try again in a moment.\n"
ASKED_ALREADY = "The player is asked for something else just now. Nothing was changed: answer that, or connect again."

_http = re.compile(r"[A-Z]+ \S+ HTTP/[0-9.]+")
"""Any site can let its visitors' browsers send lines to ports of their own machine, behind a line like this."""
_proxied = re.compile(r"PROXY (?:TCP4|TCP6|UNKNOWN)(?: .*)?")
"""A header of the PROXY protocol, version 1, that was not taken off: its proxy is not trusted."""
_PROXIED_EMPTY_LINES, _PROXIED_LINE = 3, "QUIT"
"""What is left, as lines, of the signature with which version 2 begins: CR LF CR LF NUL CR LF ``QUIT`` LF."""


# --- what the dialogue wants ---


class Say(msgspec.Struct, frozen=True):
    """Show this to the client, and then a prompt: no newline behind it, but EOR or GA."""

    text: str
    prompt: str = ""


class HideInput(msgspec.Struct, frozen=True):
    """Switch the client's echo off (or on again)."""

    hidden: bool


class Find(msgspec.Struct, frozen=True):
    """Is there an account of this name, and if not, could there be? Answer: `Found`, `Busy`, `Broken`.

    Attributes:
        unsaid: It may be a password: why it cannot be a name is said without it.
    """

    name: str
    unsaid: bool = False


class Verify(msgspec.Struct, frozen=True):
    """Is this the account's password? Answer: `Admitted`, `Wrong`, `Unknown`, `Disabled`, `TryLater`, …"""

    name: str
    password: Secret


class Create(msgspec.Struct, frozen=True):
    """Make this account. Answer: `Admitted`, `Taken`, `Busy`, `Broken`."""

    name: str
    password: Secret


class ListWho(msgspec.Struct, frozen=True):
    """Who is playing? Answer: `Playing`."""


class ShowStatus(msgspec.Struct, frozen=True):
    """Show the server's status as plain text (MSSP for crawlers that speak no telnet)."""


class Set(msgspec.Struct, frozen=True):
    """The player typed this `set` command: see `settings.command`."""

    line: str


class LoggedIn(msgspec.Struct, frozen=True):
    """Tell the client's program what came of its `credentials` (GMCP Char.Login.Result); reason is "" if ok."""

    ok: bool
    reason: str = ""


class Enter(msgspec.Struct, frozen=True):
    """The dialogue is over: this account plays, or a guest if there is none."""

    account: AccountRow | None


class Quit(msgspec.Struct, frozen=True):
    """The dialogue is over: close the connection.

    Attributes:
        refused: Why it is refused, for the log; "" if it is not.
    """

    refused: str = ""


Request = Find | Verify | Create
Action = Say | HideInput | Request | ListWho | ShowStatus | Set | LoggedIn | Enter | Quit

# --- what the shell answers ---


class Found(msgspec.Struct, frozen=True):
    """The account, or none, and then why none could be made of this name; "" if one could."""

    account: AccountRow | None
    problem: str = ""


class Admitted(msgspec.Struct, frozen=True):
    account: AccountRow


class Wrong(msgspec.Struct, frozen=True):
    """Not this account's password."""


class Unknown(msgspec.Struct, frozen=True):
    """No account of this name."""


class Disabled(msgspec.Struct, frozen=True):
    """The password was right, but the account may not log in."""


class Taken(msgspec.Struct, frozen=True):
    """The name could not be had, for this reason."""

    reason: str


class TryLater(msgspec.Struct, frozen=True):
    """Not now, for this reason; the next try counts after this time."""

    wait_s: float
    reason: str = "Too many failed tries."


class Busy(msgspec.Struct, frozen=True):
    """Too many people are logging in at this moment."""


class Broken(msgspec.Struct, frozen=True):
    """The accounts cannot be read or written just now."""


class Playing(msgspec.Struct, frozen=True):
    names: list[str]


Answer = Found | Admitted | Wrong | Unknown | Disabled | Taken | TryLater | Busy | Broken | Playing

Purpose = Literal["log-in", "log-in-only", "create"]
"""What a name is looked up for; log-in-only makes no character if there is none."""
Stage = Literal["name", "password", "offer", "new-password", "repeat", "waiting", "done"]


class Dialogue:
    """One client's way from the greeting to a session.

    Args:
        server: The server's name, greeted with if there is no banner.
        banner: Shown first.
        guests: Whether one may play without an account.
        screenreader: Whether the player listens; asked anew whenever it matters, as clients say it late.
        columns: How wide their window is, 0 if the client did not say; likewise.
    """

    def __init__(
        self,
        server: str,
        banner: str = "",
        *,
        guests: bool = True,
        screenreader: Callable[[], bool] = lambda: False,
        columns: Callable[[], int] = lambda: 0,
    ) -> None:
        self.stage: Stage = "name"
        self._server, self._banner, self._guests = server, banner, guests
        self._screenreader, self._columns = screenreader, columns
        self._name = ""
        self._first: Secret | None = None
        self._purpose: Purpose = "log-in"
        self._refused_before = False
        self._by_program = False
        self._empty_lines: int | None = 0  # with which it began; None: something else has come

    @property
    def waiting(self) -> bool:
        """Whether an answer is due; lines typed ahead must be kept until it came."""
        return self.stage == "waiting"

    @property
    def hidden(self) -> bool:
        """Whether the next line is typed with echo off."""
        return self.stage in ("password", "new-password", "repeat")

    def begin(self) -> list[Action]:
        """The greeting."""
        banner = self._banner.rstrip("\n") or f"Welcome to {self._server}."
        return [Say(f"{banner}\n\n{self._help()}", NAME_PROMPT)]

    def line(self, text: str) -> list[Action]:
        """The client typed a line, cleaned of control characters."""
        assert not self.waiting, "a line while an answer is due"
        if self.stage == "done":
            return []
        text = text.strip()
        if self._is_proxy(text):
            self.stage = "done"
            return [Say(NO_PROXY), Quit("a PROXY header, and the address is none of [server] proxies")]
        return self._LINES[self.stage](self, text)

    def credentials(self, name: str, password: Secret) -> list[Action]:
        """The client's program logs in by itself; what comes of it is told by `LoggedIn`, and to the player."""
        assert not self.waiting, "credentials while an answer is due"
        if self.stage == "done":
            return []
        if self.stage != "name":
            return [LoggedIn(False, ASKED_ALREADY)]
        self._by_program = True
        name = canonical(name.strip())
        if not name or not password.reveal():
            return self._refuse("Your client sent no name and password to log in with.\n")
        if len(name) > SHOWN_NAME_CHARS_MAX or not name.isprintable():
            return self._refuse(f"Your client sent a name that nobody can have. {NAME_RULE}\n")
        return self._ask(Verify(name, password))

    def interrupt(self) -> list[Action]:
        """The client wants out of what it is being asked."""
        if self.stage in ("waiting", "done", "name"):
            return []
        return self._again("")

    def answer(self, answer: Answer) -> list[Action]:
        """The shell answers the last request."""
        assert self.waiting, "an answer that nobody waits for"
        match answer:
            case Found(account=account, problem=problem):
                return self._found(account, problem)
            case Admitted(account=account):
                self.stage = "done"
                told: list[Action] = [LoggedIn(True)] if self._by_program else []
                return [*told, Enter(account)]
            case Playing(names=names):
                return self._again(_playing(names))
            case Wrong():
                return self._refuse(f"That is not the password of {self._name}.\n")
            case Unknown():
                return self._refuse(
                    f"There is no character called {self._name}. To make it: create {self._name} PASSWORD\n"
                )
            case Disabled():
                return self._refuse(f"{self._name} may not log in at present. The staff can tell why.\n")
            case Taken(reason=reason):
                return self._refuse(f"{reason}\n")
            case TryLater(wait_s=wait_s, reason=reason):
                return self._refuse(f"{reason} Wait {_span(wait_s)}, then try again.\n")
            case Busy():
                return self._refuse(BUSY)
            case Broken():
                return self._refuse(BROKEN)

    # --- lines, by stage ---

    def _is_proxy(self, text: str) -> bool:
        """Whether a connection's first lines are a PROXY header: `quit`, to say nothing, would hide what is wrong."""
        before = self._empty_lines
        if before is None:
            return False
        self._empty_lines = None if text else before + 1
        return (before == 0 and _proxied.fullmatch(text) is not None) or (
            before == _PROXIED_EMPTY_LINES and text == _PROXIED_LINE
        )

    def _name_line(self, text: str) -> list[Action]:
        verb, _, rest = text.partition(" ")
        command = self._COMMANDS.get(verb.lower())
        if command is not None:
            return command(self, rest.strip())
        if not text:
            return [Say("", NAME_PROMPT)]
        if _http.fullmatch(text):
            self.stage = "done"
            return [Say(NO_HTTP), Quit()]
        if rest:
            return self._again(f"{_did_you_mean(verb)}\n{self._help()}")
        return self._look_up(text, "log-in")

    def _password_line(self, text: str) -> list[Action]:
        if not text:
            return self._again("No password, so nothing happened.\n")
        return [HideInput(False), *self._ask(Verify(self._name, Secret(text)))]

    def _offer_line(self, text: str) -> list[Action]:
        if text.lower() in ("yes", "y"):
            return self._ask_new_password()
        if text.lower() in ("no", "n", ""):
            return self._again(NOT_MADE)
        if " " in text or text.lower() in self._COMMANDS:
            self.stage = "name"
            return self._name_line(text)
        return self._look_up(text, "log-in-only")

    def _new_password_line(self, text: str) -> list[Action]:
        if not text:
            return self._again(NOT_MADE)
        if problem := password_problem(self._name, text):
            return [Say(f"{problem} Choose another one, or press Enter to give up.\n", NEW_PASSWORD_PROMPT)]
        self.stage, self._first = "repeat", Secret(text)
        return [Say("", REPEAT_PROMPT)]

    def _repeat_line(self, text: str) -> list[Action]:
        assert self._first is not None
        same, self._first = self._first.reveal() == text, None
        if not same:
            self.stage = "new-password"
            again = "The two were not the same, so there is no character yet. Begin again, or press Enter to give up.\n"
            return [Say(again, NEW_PASSWORD_PROMPT)]
        return [HideInput(False), *self._ask(Create(self._name, Secret(text)))]

    # --- commands ---

    def _connect(self, rest: str) -> list[Action]:
        name, _, password = rest.partition(" ")
        if not name:
            return self._again("Who? Type: connect NAME PASSWORD\n")
        if not password.strip():
            return self._look_up(name, "log-in")
        return self._ask(Verify(canonical(name)[:SHOWN_NAME_CHARS_MAX], Secret(password.strip())))

    def _create(self, rest: str) -> list[Action]:
        name, _, password = rest.partition(" ")
        name, password = canonical(name), password.strip()
        if not name:
            return self._again("Who? Type: create NAME PASSWORD\n")
        if not password:
            return self._look_up(name, "create")
        if problem := password_problem(name, password):
            return self._again(f"{problem} {NOT_MADE}")
        return self._ask(Create(name[:SHOWN_NAME_CHARS_MAX], Secret(password)))

    def _guest(self, _rest: str) -> list[Action]:
        if not self._guests:
            return self._again("There are no guests here. To make a character: create NAME PASSWORD\n")
        self.stage = "done"
        return [Enter(None)]

    def _who(self, _rest: str) -> list[Action]:
        self.stage = "waiting"
        return [ListWho()]

    def _quit(self, _rest: str) -> list[Action]:
        self.stage = "done"
        return [Say("Goodbye.\n"), Quit()]

    def _status(self, _rest: str) -> list[Action]:
        return [ShowStatus(), Say("", NAME_PROMPT)]

    def _set(self, rest: str) -> list[Action]:
        return [Set(f"set {rest}".strip()), Say("", NAME_PROMPT)]

    def _show_help(self, _rest: str) -> list[Action]:
        return self._again(self._help())

    _LINES: ClassVar[dict[str, Callable[[Dialogue, str], list[Action]]]] = {
        "name": _name_line,
        "password": _password_line,
        "offer": _offer_line,
        "new-password": _new_password_line,
        "repeat": _repeat_line,
    }
    _COMMANDS: ClassVar[dict[str, Callable[[Dialogue, str], list[Action]]]] = {
        "connect": _connect,
        "login": _connect,
        "create": _create,
        "new": _create,
        "register": _create,
        "guest": _guest,
        "who": _who,
        "mssp-request": _status,
        "set": _set,
        "settings": _set,
        "quit": _quit,
        "exit": _quit,
        "logout": _quit,
        "bye": _quit,
        "help": _show_help,
        "?": _show_help,
    }

    # --- turns of the dialogue ---

    def _again(self, text: str) -> list[Action]:
        """Back to the beginning, with `text` before the prompt and echo on."""
        shown: list[Action] = [HideInput(False)] if self.hidden else []
        self.stage, self._first, self._by_program = "name", None, False
        return [*shown, Say(text, NAME_PROMPT)]

    def _refuse(self, text: str) -> list[Action]:
        """Back to the beginning, since what was wanted cannot be had; the client's program is told if it asked."""
        told: list[Action] = [LoggedIn(False, text.strip())] if self._by_program else []
        self._refused_before = True
        return [*told, *self._again(text)]

    def _look_up(self, name: str, purpose: Purpose) -> list[Action]:
        if len(name) > SHOWN_NAME_CHARS_MAX:
            return self._refuse(f"That is too long for a name. {NAME_RULE}\n")
        self._purpose = purpose
        return self._ask(Find(canonical(name), unsaid=self._refused_before and purpose != "create"))

    def _ask(self, request: Request) -> list[Action]:
        self.stage, self._name = "waiting", request.name
        return [request]

    def _found(self, account: AccountRow | None, problem: str) -> list[Action]:
        if account is None:
            return self._missing(problem)
        if self._purpose == "create":
            return self._refuse(f"{account.name} exists already. If it is yours: connect {account.name} PASSWORD\n")
        self.stage, self._name = "password", account.name
        return [HideInput(True), Say("", PASSWORD_PROMPT)]

    def _missing(self, problem: str) -> list[Action]:
        """There is no such character. What may be a password is not repeated (FM-96)."""
        if self._purpose == "log-in-only":
            return self._refuse(f"That was neither yes nor no, nor the name of a character. {NOT_MADE}")
        if self._purpose == "create":
            return self._refuse(f"{problem}\n") if problem else self._ask_new_password()
        secret = self._refused_before
        missing = "There is no character of this name." if secret else f"There is no character called {self._name}."
        if problem:
            return self._refuse(f"{missing} {problem}\n")
        self.stage, self._refused_before = "offer", True
        near = meant(self._name.lower(), FORMS)
        return [Say(f"{missing}{f' (Did you mean the command {near}?)' if near else ''}\n", OFFER_PROMPT)]

    def _ask_new_password(self) -> list[Action]:
        self.stage = "new-password"
        return [HideInput(True), Say("", NEW_PASSWORD_PROMPT)]

    def _help(self) -> str:
        """In columns; for who listens, or has no room for them, one command to a line, without padding."""
        known = {form: what for form, what in HELP.items() if self._guests or form != "guest"}
        if self._screenreader() or 0 < self._columns() < COLUMNS_MIN:
            return "".join(f"{form}: {what}.\n" for form, (_, what) in known.items()) + HELP_MORE.replace("\n", " ", 1)
        lines = "".join(f"{form:<23}{what}\n" for form, (what, _) in known.items())
        return lines + HELP_MORE + SCREENREADER_HELP


def password_problem(name: str, password: str) -> str:
    """Why this cannot be the password; "" if it can. Says nothing of the password itself."""
    if len(password) < PASSWORD_CHARS_MIN:
        return f"A password has at least {PASSWORD_CHARS_MIN} characters."
    if len(password) > PASSWORD_CHARS_MAX:
        return f"A password has at most {PASSWORD_CHARS_MAX} characters."
    if password.casefold() == name.casefold():
        return "A password must not be the name."
    return ""


def _did_you_mean(verb: str) -> str:
    """An answer to a line that is no command; what followed the verb may be a password and is not repeated."""
    near = meant(verb.lower(), FORMS)
    return f"Did you mean: {FORMS[near]}" if near else "That is neither a command nor a name."


def _span(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{round(seconds / 60)} minutes"


def _playing(names: list[str]) -> str:
    if not names:
        return "Nobody is playing just now.\n"
    count = "One is" if len(names) == 1 else f"{len(names)} are"
    more = f" and {len(names) - LISTED_MAX} more" if len(names) > LISTED_MAX else ""
    return f"{count} playing: {', '.join(names[:LISTED_MAX])}{more}.\n"
