"""The players of a gateway: how a session begins to play, goes on with another connection, and ends.

A player has one session, whatever becomes of its connections: a login to an account that plays, and a page that
comes back with its token, go on with it. A dropped player is link-dead for a while. `Gateway` decides what comes
in; here is what it means for whom.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable

import msgspec
import structlog

from perdure.config import Config
from perdure.gateway import settings
from perdure.gateway.client import Client
from perdure.gateway.desk import Desk, Keep
from perdure.gateway.limits import Limits
from perdure.gateway.look import Settings
from perdure.gateway.places import Places
from perdure.gateway.sessions import Session
from perdure.gateway.turn import Turn, fill
from perdure.gateway.web.tokens import Replayed, Tokens, Use
from perdure.gateway.wire import Bye, Held, Opened, Refused, Resumed, Token
from perdure.link.gateway import GatewayEnd
from perdure.ports import AccountRow
from perdure.room.record import Join, Resize, Text, Who

HELD_BYTES_MAX = 4 * 1024 * 1024
"""Text that waits for one player, over all their seats; a room's outbox bounds only its own."""
TOO_SLOW = "Your connection takes text too slowly. You left the game.\n"
TAKEN_OVER = "\nYour character is now played from another connection. This one is closed.\n"
DEFERRED = "Your last visit is just ending. One moment, please.\n"
GONE = "Your last visit is over. Log in to go on."
REPLAYED = "A used token came again, so this visit was ended: somebody else may have a copy of it. Log in to go on."

CHAR_LOGIN = Text("", gmcp=("Char.Login.Default", b'{"type":["password-credentials"]}'))
"""Clients that can log in by themselves answer with Char.Login.Credentials."""

DISABLED = "Your account was disabled, so this visit is over. The staff can tell why.\n"
BYES = {"stop": "", "token": REPLAYED, "disabled": DISABLED.strip()}
"""Why a session left -> why its page should not connect again by itself; after a stop it may."""
NOTHING_CHOSEN = Settings()

log = structlog.get_logger()


class Players:
    """All sessions of one gateway.

    Args:
        may_go_on: Called with a client that waited and whose input can be taken now.
        lost: Called with a session that ends, or loses its connection, by no doing of its player.

    Attributes:
        sessions: All there are, by id.
        clients: Connections, with their sessions while they have one.
        playing: Those who have a player, here or link-dead, by the stable identity of who plays.
        changed: Set whenever a session is over, or a client has its last words.
    """

    def __init__(
        self,
        config: Config,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        end: GatewayEnd,
        turn: Turn,
        desk: Desk,
        tokens: Tokens,
        *,
        may_go_on: Callable[[Client], None],
        lost: Callable[[Session], None],
    ) -> None:
        self._config, self._limits, self._loop = config, limits, loop
        self._end, self._turn, self._desk, self._tokens = end, turn, desk, tokens
        self._may_go_on, self._lost = may_go_on, lost
        self.sessions: dict[str, Session] = {}
        self.clients: dict[Client, Session | None] = {}
        self.playing: dict[str, Session] = {}
        self.changed = asyncio.Event()
        self._deferred: dict[str, tuple[Session, AccountRow]] = {}
        self._names: list[str] = []  # of those who play, in order
        self._places = Places(limits, limits.per_address_max)  # of those who play
        offered = {"Client.GUI": config.gmcp.gui, "Client.Map": config.gmcp.map}
        self._offers = [Text("", gmcp=(p, msgspec.json.encode(offer))) for p, offer in offered.items() if offer]

    def names(self) -> list[str]:
        """Who is playing, by name; strangers may ask for it as often as they may type."""
        return list(self._names)

    # --- beginning, and going on ---

    def enter(self, session: Session, account: AccountRow | None) -> None:
        """The dialogue is over: begin to play, or go on with the account's session."""
        if account is None and self._too_many(session):
            return
        if account is None:
            self._play(session, Who(f"guest:{session.id}", self._guest_name(), "player"))
            return
        older = self.playing.get(account.id)
        if older is None and self._too_many(session):
            return
        if older is None:
            self._play(session, Who(account.id, account.name, account.role), settings.kept(account.settings))
        elif older.stage == "leaving":
            self._defer(session, account)
        else:
            self._take_over(older, session)

    def _too_many(self, session: Session) -> bool:
        """Whether the address has its share of players, those who are away among them; then this one is let go."""
        client = session.client
        assert client is not None
        full = self._places.full(client.address)
        if full is None:
            return False
        text = full.text("player", "Try again when {} has left.\n")
        self.dismiss(client, text, bye=text)
        return True

    def resume(self, client: Client, opened: Opened) -> bool:
        """A page comes back with its token: go on with its session (rule G7). Whether it did."""
        use = self._tokens.used(opened.token)
        session = self.sessions.get(use.session) if use is not None else None
        if isinstance(use, Replayed) and session is not None and session.stage in ("playing", "link-dead"):
            log.warning("a used token came again", session=session.id, address=client.address)
            self._tokens.forget(session.id)
            self._lost(session)
            self.say(session, f"{REPLAYED}\n")
            self.leave(session, "token")
        if not isinstance(use, Use) or session is None or session.stage not in ("playing", "link-dead"):
            client.note(Refused(REPLAYED if isinstance(use, Replayed) else GONE))
            return False
        self._part(session)
        session.attach(client)
        for held in session.received(opened.last):
            session.shown(held)
            self._end.shown(session.id, held.j, held.m)
        assert session.who is not None
        client.note(Resumed(sum(bool(held.text.text) for held in session.held), session.taken))
        client.note(Token(*use.next, session.who.name))
        for held in session.history():  # a page that lost its texts, or the network within these
            if held.serial > opened.last:
                client.queue(held)
        if not opened.last:
            self.stand(session)
        self._go_on(session, client)
        return True

    def _play(self, session: Session, who: Who, kept: Settings = NOTHING_CHOSEN) -> None:
        assert session.client is not None
        session.happened("entered")
        session.set_deadline(None)
        session.who = who
        self._prefer(session, settings.merged(kept, session.settings), kept=kept)
        self.playing[who.id] = session
        bisect.insort(self._names, who.name)
        session.address = session.client.address
        self._places.take(session.address)
        self.hold(session, Text("", prompt=""))
        for offer in self._offers:
            self.hold(session, offer)
        self._end.enter(session.id, self._config.login.room, Join(who, *self._window(session)))
        self._give_token(session)
        log.info("entered", session=session.id, account=who.id, name=who.name, address=session.client.address)

    def _guest_name(self) -> str:
        taken = set(self._names)
        return next(name for n in range(1, len(taken) + 2) if (name := f"Guest{n}") not in taken)

    def _defer(self, session: Session, account: AccountRow) -> None:
        """Wait until the account's last session is over, so that a room never sees two of it."""
        self.say(session, DEFERRED)
        waiting, _ = self._deferred.get(account.id, (None, None))
        if waiting is not None and waiting.client is not None:
            self.dismiss(waiting.client, TAKEN_OVER, bye=TAKEN_OVER)
        self._deferred[account.id] = session, account

    def _take_over(self, older: Session, newer: Session) -> None:
        """The newer connection goes on with the older session: its seat, tail and outbox stay."""
        client = newer.client
        assert client is not None
        assert older.who is not None
        fill(client, newer)
        newer.happened("handed-over")
        newer.client = None
        self._forget(newer)
        self._part(older)
        self._prefer(older, settings.merged(older.settings, newer.settings), kept=older.settings)
        older.put_first(Text(f"Welcome back, {older.who.name}.\n"))
        older.follow(newer)
        older.anew = older.awaits = True
        self._go_on(older, client)
        self.stand(older)
        self._give_token(older)

    def _part(self, session: Session) -> None:
        """The session's connection, if it has one, is closed: another one goes on."""
        previous = session.client
        if previous is not None:
            session.put_back(previous.unsent(), previous.wire.rest())
            self.clients[previous] = None
            previous.queue(Held(0, 0, 0, Text(TAKEN_OVER)))
            previous.note(Bye(TAKEN_OVER.strip()))
            previous.close()

    def _go_on(self, session: Session, client: Client) -> None:
        """The session goes on with this connection."""
        assert session.who is not None
        session.happened("taken-over")
        session.set_deadline(None)
        self.clients[client] = session
        session.attach(client)
        client.burst = True
        self._turn.client(client)
        log.info("taken over", session=session.id, account=session.who.id, address=client.address)
        self.resized(session)

    def _give_token(self, session: Session) -> None:
        """A page can go on with this session from here; the tokens of an earlier page mean nothing any more."""
        self._tokens.forget(session.id)
        client = session.client
        session.resumable = client is not None and client.wire.acknowledges
        session.forget_history()
        if client is not None and session.who is not None and session.resumable:
            client.note(Token(*self._tokens.issue(session.id), session.who.name))

    # --- how a player likes it ---

    def choose(self, session: Session, chosen: Settings) -> None:
        """The player chose: it holds from here, and on their account from now on.

        A page that shows other prompts from here, or none, is sent the one that stands: it was sent that before.
        """
        prompts = session.look.prompts
        self._prefer(session, chosen, kept=session.settings)
        if session.look.prompts != prompts and session.stage == "playing":
            self.hold(session, Text("", prompt=session.prompt))
        self.resized(session)

    def set(self, session: Session, line: str) -> bool:
        """Whether the line was a `set` of the gateway's; then it is done."""
        reply = settings.command(line, session.settings, session.told, playing=session.stage == "playing")
        if reply is None:
            return False
        if reply.encoding and session.client is not None:
            session.client.wire.expect_utf8()
        if reply.settings != session.settings:
            self.choose(session, reply.settings)
        self.say(session, reply.text)
        return True

    def _prefer(self, session: Session, chosen: Settings, *, kept: Settings) -> None:
        """From here these settings hold; `kept` is what the account has."""
        session.settings = chosen
        session.dress()
        if session.who is not None and not session.guest and chosen != kept:
            self._desk.keep(Keep(session.who.id, chosen))

    def resized(self, session: Session) -> None:
        """Let the room know of another window or client, or that the player listens; but not of what it knows."""
        presence = self._end.sessions.get(session.id)
        if presence is None or session.stage != "playing":
            return
        body = Resize(*self._window(session), session.anew)
        session.resize_due = body != Resize(presence.join.columns, presence.join.rows, presence.join.screenreader)
        # One at a time, whatever the client sends: who drags a window's corner makes hundreds of sizes.
        if session.resize_due and not self._is_told_of_a_window(session) and not self._end.full(session.id):
            self._end.submit(session.id, body)
            session.resize_due = session.anew = False

    def answered(self, session: Session) -> None:
        """The room is done with what the player typed: whatever it said, their prompt is due again."""
        if session.resize_due:
            self.resized(session)
        if session.awaits:
            session.awaits = session.anew or self._is_told_of_a_window(session)
        if session.client is not None:
            session.client.burst = True
            self._turn.client(session.client)

    def _is_told_of_a_window(self, session: Session) -> bool:
        """Whether the room has yet to take one."""
        presence = self._end.sessions.get(session.id)
        return presence is not None and any(type(waiting) is Resize for _, waiting in presence.tail)

    def _window(self, session: Session) -> tuple[int, int, bool]:
        """Columns, rows, and whether the player listens; 80 x 24 if the client does not say.

        Where the player chose to wrap narrower than the window, a game has no more room than that: what it lays out for
        the window would be wrapped. A page wraps by itself, whatever was chosen.
        """
        told = session.told
        wrap = 0 if told.web else session.look.columns
        columns = told.columns or wrap or 80
        return min(columns, wrap or columns), told.rows or 24, session.screenreader

    def stand(self, session: Session, *, login: bool = False) -> None:
        """Tell a client how things stand, which it could not hear of before; `login`: that it may log in by itself."""
        if session.stage not in ("greeting", "login"):
            for text in (*self._offers, *session.stand()):
                self.hold(session, text)
        elif login:
            self.hold(session, CHAR_LOGIN)

    # --- leaving ---

    def leave(self, session: Session, reason: str, *, farewell: str = "") -> None:
        """Tell the room; the client stays for the room's last words, but not for ever.

        Args:
            farewell: What the player is told behind those: nothing that happens in the room comes after it.
        """
        if session.stage == "leaving":
            return  # to be told why was more than may wait for them: `show` ended it
        session.happened("left")
        session.bye, session.farewell = BYES.get(reason, "Goodbye."), farewell
        self._ends(session)
        self._end.leave(session.id, reason)
        self.deadline(session, self._limits.goodbye_s, self._enough)
        log.info("leaves", session=session.id, reason=reason)

    def disabled(self, account: str) -> int:
        """The account was disabled: what plays it ends, and so do logins that were let in already; how many."""
        found = [it for it in self.sessions.values() if account == (it.who.id if it.who is not None else it.entering)]
        ended = 0
        for session in found:
            if session.stage in ("playing", "link-dead"):
                self._lost(session)
                self.say(session, DISABLED)
                self.leave(session, "disabled")
            elif session.stage == "login" and session.client is not None:
                self.dismiss(session.client, DISABLED, bye=DISABLED)
            else:
                continue  # it is ending
            ended += 1
        return ended

    def _ends(self, session: Session) -> None:
        """Only last words come: at once, for nobody could turn their pages, and with nothing asked behind them."""
        session.dress()
        if session.client is not None:
            session.put_back([], session.client.wire.rest())
        self.hold(session, Text("", prompt=""))

    def _say_farewell(self, session: Session) -> None:
        """The room has said its last words, or took too long over them."""
        if session.farewell:
            self.say(session, session.farewell)
            session.farewell = ""

    def _link_dead(self, session: Session) -> None:
        assert session.who is not None
        if session.guest and not session.resumable:
            self.leave(session, "link-dead")  # nobody can log in to a guest again
        else:
            self.deadline(session, self._config.login.link_dead_s, self._waited)

    def _waited(self, session: Session) -> None:
        self.leave(session, "link-dead")

    def over(self, id: str, reason: str) -> None:
        """The room has taken the Leave, or ended the session."""
        session = self.sessions[id]
        leaves = session.stage == "leaving"
        session.happened("ended")
        if not leaves:
            self._lost(session)
            self._ends(session)
        if reason:
            self.say(session, f"{reason}\n")
            session.bye = reason
        self._say_farewell(session)
        client = session.client
        self._forget(session)
        if client is not None:
            self.deadline(session, self._limits.goodbye_s, self._enough)
            self._turn.client(client)
        log.info("over", session=id, reason=reason)

    def dismiss(self, client: Client, text: str = "", *, bye: str = "") -> None:
        """End a connection after its last words; a session that goes on keeps what was not shown.

        Args:
            bye: Why the client's program should not connect again by itself, "" if it may.
        """
        session = self.clients.get(client)
        if session is not None:
            if text:
                self.say(session, text)
            self._say_farewell(session)
            fill(client, session)
            if bye:
                client.note(Bye(bye.strip()))
            client.flush()
            if session.client is client:  # flushing may have found it lost
                if session.stage not in ("leaving", "over"):
                    session.put_back(client.unsent(), client.wire.rest())
                self.detach(session, client)
        client.close()

    def cut(self, client: Client, text: str) -> None:
        """End a connection that takes no more but these words; a session that goes on keeps all that was not shown."""
        session = self.clients.get(client)
        if session is not None:
            session.put_back(client.unsent(), client.wire.rest())
            self.detach(session, client)
        if text:
            client.queue(Held(0, 0, 0, Text(text)))
        client.close()

    def detach(self, session: Session, client: Client) -> None:
        """The session is without a connection from here."""
        _ = session.told  # what this client told holds until another one comes
        session.client = None
        self.clients[client] = None
        if session.stage == "over":
            session.set_deadline(None)
            return
        stage = session.happened("dropped")
        if stage == "over":
            self._forget(session)
        elif stage == "link-dead":
            self._link_dead(session)

    def _enough(self, session: Session) -> None:
        if session.client is not None:
            self.dismiss(session.client, bye=session.bye)

    def _forget(self, session: Session) -> None:
        """The session is over: nothing refers to it but a client that still gets its last words."""
        session.set_deadline(None)
        del self.sessions[session.id]
        self._tokens.forget(session.id)
        self.changed.set()
        for account, (waiting, _) in list(self._deferred.items()):
            if waiting is session:
                del self._deferred[account]
        if session.who is None or self.playing.get(session.who.id) is not session:
            return
        del self.playing[session.who.id]
        del self._names[bisect.bisect_left(self._names, session.who.name)]
        self._places.leave(session.address)
        if found := self._deferred.pop(session.who.id, None):
            self.enter(*found)
            if found[0].client is not None:
                self._may_go_on(found[0].client)

    # --- text for players ---

    def say(self, session: Session, text: str) -> None:
        """Text outside the numbering of any seat."""
        self.hold(session, Text(text))

    def hold(self, session: Session, text: Text) -> None:
        """Anything outside the numbering of any seat."""
        self.show(session, 0, 0, text)

    def show(self, session: Session, j: int, m: int, text: Text) -> None:
        """Output m of seat j. Who takes text too slowly leaves."""
        session.hold(j, m, text)
        client = session.client
        kept = session.held_bytes
        if client is not None:
            self._turn.client(client)
            kept += client.unshown_bytes
        if kept > HELD_BYTES_MAX and session.stage in ("playing", "link-dead"):
            self.leave(session, "slow")
            session.hold(0, 0, Text(TOO_SLOW))

    def deadline(self, session: Session, after_s: float, then: Callable[[Session], None]) -> None:
        session.set_deadline(self._loop.call_later(after_s, then, session))
