"""The subprotocol `perdure`: one JSON object in each text message, as docs/reference/web-protocol.md has it.

Texts, prompts and GMCP messages carry the session's serial, so that the page can drop what it has and acknowledge
what it has shown; each of them is one message, also where this client sees nothing of it. What the client sends and
this page does not know is answered by a problem, and nothing of it is done.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from perdure.gateway.gmcp import CLIENT_CHARS_MAX
from perdure.gateway.look import Choice, Colours, Look, Settings, Told, look_of
from perdure.gateway.terminal.render import CACHED_CHARS_MAX, Linked, parts
from perdure.gateway.web.speech import Broken, Message
from perdure.gateway.wire import (
    LINE_BYTES_MAX,
    SIZE_MAX,
    Acked,
    Bye,
    ClientEvent,
    Confirmed,
    Held,
    Interrupt,
    Line,
    LineTooLong,
    Misnumbered,
    Note,
    Opened,
    Refused,
    Resumed,
    SettingsWanted,
    Token,
    ToldMore,
    Took,
)
from perdure.room.record import Text

SUBPROTOCOL = "perdure"
PROTOCOL = 1
PROBLEMS_MAX = 16
"""A client that is not understood so often is not one of this protocol."""
TEXTS_CACHED_MAX = 256

Number = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
"""What a JavaScript number holds exactly."""
Size = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
_unprintable = re.compile("[^ -~]+")


class _Hello(msgspec.Struct, tag_field="type", tag="hello"):
    columns: Size = 0
    rows: Size = 0
    screenreader: bool = False
    client: str = ""
    token: Annotated[str, msgspec.Meta(max_length=64)] = ""
    last: Size = 0


class _Line(msgspec.Struct, tag_field="type", tag="line"):
    n: Number
    text: str

    def __repr__(self) -> str:
        return f"_Line({len(self.text)} characters, n={self.n})"


class _Ack(msgspec.Struct, tag_field="type", tag="ack"):
    serial: Number


class _Confirm(msgspec.Struct, tag_field="type", tag="confirm"):
    n: Number


class _Resize(msgspec.Struct, tag_field="type", tag="resize"):
    columns: Size
    rows: Size


class _Interrupt(msgspec.Struct, tag_field="type", tag="interrupt"):
    pass


class _Settings(msgspec.Struct, tag_field="type", tag="settings"):
    """null is a choice, too: as the client says."""

    screenreader: Choice[bool] = UNSET
    prompt: Choice[bool] = UNSET
    links: Choice[bool] = UNSET
    colours: Choice[Colours] = UNSET


_decoder = msgspec.json.Decoder(_Hello | _Line | _Ack | _Confirm | _Resize | _Interrupt | _Settings)
_encoder = msgspec.json.Encoder()


class PerdureSpeech:
    """One client's messages.

    Args:
        server: The server's name, for the client's title.
        forwarded: The address that a trusted proxy named.
    """

    def __init__(self, server: str, forwarded: str) -> None:
        self.told = Told(charset="utf-8", links=True, web=True)
        self.playing = False
        self._server, self._forwarded = server, forwarded
        self._settings = Settings()
        self._look = look_of(self.told, self._settings)
        self._out: list[Message] = []
        self._greeted = False
        self._had = self._given = self._problems = 0
        self._said: dict[str, Any] = {}

    def begin(self) -> list[ClientEvent]:
        """The server's hello; the client is opened by its own."""
        self._say("hello", protocol=PROTOCOL, server=self._server)
        return []

    def receive(self, message: Message) -> list[ClientEvent]:
        """What one message means."""
        if isinstance(message, bytes):
            raise Broken(1003, "the subprotocol perdure has text messages only")
        try:
            said = _decoder.decode(message)
        except (msgspec.DecodeError, RecursionError) as error:
            return self._problem(f"That message was not understood: {error}.")
        if isinstance(said, _Hello) is self._greeted:
            return self._problem("The client says hello once, and first.")
        return self._does(said)

    def _does(self, said: _Hello | _Line | _Ack | _Confirm | _Resize | _Interrupt | _Settings) -> list[ClientEvent]:
        match said:
            case _Line(n=n, text=text):
                return self._line(n, text)
            case _Ack(serial=serial):
                if serial > self._given:
                    return self._problem("You acknowledged what you were not given yet.")
                return [Acked(serial)]
            case _Confirm(n=n):
                return [Confirmed(n)]
            case _Resize(columns=columns, rows=rows):
                return self._tells(columns=min(columns, SIZE_MAX), rows=min(rows, SIZE_MAX))
            case _Interrupt():
                return [Interrupt()]
            case _Settings(screenreader=screenreader, prompt=prompt, links=links, colours=colours):
                return self._chose(Settings(screenreader=screenreader, prompt=prompt, links=links, colours=colours))
            case _Hello():
                return self._hello(said)

    def set(self, settings: Settings) -> None:
        """The player chose these; the client is told what holds, if that is news."""
        self._settings, self._look = settings, look_of(self.told, settings)
        if self._greeted:
            self._tell_settings()

    def show(self, held: Held) -> None:
        """One message, whatever of it this client sees. What has no serial is said by a note."""
        if held.serial == 0:
            return
        self._given = max(self._given, held.serial)
        text = held.text
        is_short = len(text.text) <= CACHED_CHARS_MAX and (text.gmcp is None or len(text.gmcp[1]) <= CACHED_CHARS_MAX)
        type, body = (_cached if is_short else _body)(text, self._look, self.playing)
        again = ',"again":true' if held.again else ""
        self._out.append(f'{{"type":"{type}","serial":{held.serial},{body}{again}}}')

    def end_burst(self) -> None:
        """A prompt is its own message and stands where the client puts it."""

    def note(self, note: Note) -> None:
        """Tell the client's program."""
        match note:
            case Took(n=n):
                self._say("took", n=n)
            case Token(n=n, token=token, name=name):
                self._say("token", n=n, token=token, name=name)
            case Resumed(missed=missed, took=took):
                self._given = max(self._given, self._had)
                self._say("resumed", missed=missed, took=took)
            case Refused(reason=reason):
                self._say("refused", reason=reason)
            case Misnumbered(n=n, due=due):
                why = f"Line {n} came before line {due}, so it was not taken. Lines are sent in order."
                self._say("problem", reason=why, n=n, due=due)
            case Bye(reason=reason):
                self._say("bye", reason=reason)

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to show what is typed, or not to."""
        self._say("echo", on=not hidden)

    def rest(self) -> str:
        """Nothing waits: the page scrolls by itself."""
        return ""

    def take(self) -> list[Message]:
        """The messages for the client."""
        out, self._out = self._out, []
        return out

    def _hello(self, hello: _Hello) -> list[ClientEvent]:
        self._greeted, self._had = True, hello.last
        self._tells(
            columns=min(hello.columns, SIZE_MAX),
            rows=min(hello.rows, SIZE_MAX),
            screenreader=hello.screenreader,
            client=_unprintable.sub("", hello.client)[:CLIENT_CHARS_MAX],
        )
        self._tell_settings()
        return [Opened(self._forwarded, hello.token, hello.last)]

    def _line(self, n: int, text: str) -> list[ClientEvent]:
        if "\n" in text or "\r" in text:
            self._problem("A line has no line end in it.", n=n)
            return [LineTooLong(n)]
        if len(text.encode()) > LINE_BYTES_MAX:
            self._problem(f"That line is longer than {LINE_BYTES_MAX} bytes, so nothing of it was taken.", n=n)
            return [LineTooLong(n)]
        return [Line(text, n)]

    def _chose(self, chosen: Settings) -> list[ClientEvent]:
        """The gateway sets what comes of it, which answers; a client that chose nothing asks for an answer at once."""
        self._said = {}
        if chosen != Settings():
            return [SettingsWanted(chosen)]
        self._tell_settings()
        return []

    def _tells(self, **news: Any) -> list[ClientEvent]:
        before, self.told = self.told, msgspec.structs.replace(self.told, **news)
        self._look = look_of(self.told, self._settings)
        return [ToldMore()] if self.told != before else []

    def _problem(self, reason: str, **more: Any) -> list[ClientEvent]:
        self._problems += 1
        if self._problems > PROBLEMS_MAX or not self._greeted:
            raise Broken(1008, reason)
        self._say("problem", reason=reason, **more)
        return []

    def _tell_settings(self) -> None:
        look = self._look
        holds = {
            "screenreader": look.screenreader,
            "prompt": look.prompts,
            "links": look.links,
            "colours": look.colours,
        }
        if holds != self._said:
            self._said = holds
            self._say("settings", **holds)

    def _say(self, type: str, **more: Any) -> None:
        self._out.append(_json({"type": type, **more}))


def _body(text: Text, look: Look, playing: bool) -> tuple[str, str]:
    """The message's type, and what stands behind its serial: what many are told is rendered and encoded once."""
    if text.gmcp is not None:
        package, data = text.gmcp
        return "gmcp", f'"package":{_json(package)},"data":{data.decode() or "null"}'
    if text.prompt is not None:
        prompt = text.prompt if look.prompts or not playing else ""
        shown = "".join(part.text if isinstance(part, Linked) else part for part in parts(prompt, look))
        return "prompt", f'"text":{_json(shown)}'
    return "text", f'"parts":{_json(parts(text.text, look))}'


_cached = functools.lru_cache(maxsize=TEXTS_CACHED_MAX)(_body)


def _json(value: Any) -> str:
    return _encoder.encode(value).decode()
