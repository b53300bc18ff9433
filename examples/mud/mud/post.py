"""Mail between players, also to those who are away.

A letter waits in its reader's box, which is a row and so outlives everything. One that was begun with `mail NAME` is
a question, which is kept just as well: the server may be replaced between the first line and the second.
"""

from perdure import Module, Player, Row, Table, color, command, on, unaccented

from .guests import is_guest
from .places import HOME_ROOM, Forgotten

LETTERS_MAX = 20
"""Letters in a box. What was read makes room for what is new; nothing unread is ever thrown away."""
CHARACTERS_MAX = 1000


class Address(Row):
    """Whose a name is. Keyed by the name in lower case."""

    id: str
    name: str


class Letter(Row):
    """A letter in a box. `sent` is in seconds on the room's clock."""

    sender: str
    text: str
    sent: float
    read: bool = False


class Box(Row):
    """The letters to a player, the oldest first. Keyed by the player's id."""

    letters: list[Letter]


class Post(Module):
    addresses: Table[Address]
    boxes: Table[Box]

    def start(self) -> None:
        """Those who were here before there was a post have an address, too."""
        for player in self.room.players:
            self.register(player)

    def join(self, player: Player) -> None:
        self.register(player)
        if count := self.unread(player.id):
            player.tell(f"You have {in_letters(count)} to read. Type: mail")

    def register(self, player: Player) -> None:
        """Let a player be written to. A name that was somebody else's, as guests' are, brings no old letters along."""
        before = self.addresses.get(player.name.casefold())
        if before and before.id != player.id:
            self.boxes.pop(before.id, None)
        self.addresses[player.name.casefold()] = Address(player.id, player.name)

    @command("mail [WHOM] [TEXT]", help="Read your mail; write some: mail ada Hello!")
    def mail(self, player: Player, whom: str = "", text: str = "") -> None:
        """Letters reach those who are away, too. Without TEXT you are asked for it."""
        if self.room.id != HOME_ROOM:
            self.refuse("The post does not come down here. It waits for you in the town.")
        if not whom:
            self.read(player)
            return
        address = self.address(whom)
        if text:
            self.written(player, text, address.id, address.name)
            return
        question = f"What do you write to {address.name}? (One line. A dot alone: nothing.)"
        player.ask(question, self.written, address.id, address.name)

    def address(self, name: str) -> Address:
        """Whose a name is, or a refusal. Without its accents it will do, if that is one person's name."""
        if exact := self.addresses.peek(name.casefold()):
            return exact
        near = [address for key, address in self.addresses.scan() if unaccented(key) == unaccented(name)]
        if len(near) > 1:
            self.refuse(f"Whom do you mean: {', '.join(address.name for address in near)}?")
        return (
            near[0]
            if near
            else self.refuse(f"There is no {name} to write to. A guest can be written to until they go.")
        )

    def written(self, player: Player, text: str, reader_id: str, reader_name: str) -> None:
        """Send a letter, or tell why not.

        It answers a question, so it never refuses: a refusal would undo the answer, too, and the question would wait
        for another one.
        """
        if text.strip() in ("", "."):
            player.tell("You write nothing.")
        elif is_guest(reader_id) and self.addresses.peek(reader_name.casefold()) != Address(reader_id, reader_name):
            player.tell(f"{reader_name} was a guest, and has gone for good. Your letter was not sent.")
        elif len(text) > CHARACTERS_MAX:
            player.tell(f"A letter has {CHARACTERS_MAX} characters at most, and this has {len(text)}. It was not sent.")
        elif self.unread(reader_id) >= LETTERS_MAX:
            player.tell(f"The box of {reader_name} is full: there are {LETTERS_MAX} letters to read in it.")
        else:
            self.deliver(player, text.strip(), reader_id)
            player.tell(f"Your letter to {reader_name} is on its way.")

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        """A guest's name may be another guest's tomorrow, who is not to read these letters."""
        self.boxes.pop(event.player, None)
        for name in [name for name, address in self.addresses.scan() if address.id == event.player]:
            del self.addresses[name]

    def deliver(self, player: Player, text: str, reader_id: str) -> None:
        """Put a letter into a box, and tell its reader if they are about."""
        letters = self.box(reader_id).letters
        if len(letters) >= LETTERS_MAX:
            letters.remove(next(letter for letter in letters if letter.read))
        letters.append(Letter(player.name, text, self.room.now))
        if reader := self.room.players.get(reader_id):
            reader.tell(color(f"A pigeon brings you a letter from {player}. Type: mail", "yellow"))

    def read(self, player: Player) -> None:
        """Show a player the letters that are new."""
        letters = [letter for letter in self.box(player.id).letters if not letter.read]
        if not letters:
            player.tell("You have no new mail. To read the old again, type: letters")
        for letter in letters:
            self.show(player, letter)
            letter.read = True

    @command("letters", help="Read the letters again that you have kept.")
    def letters(self, player: Player) -> None:
        old = [letter for letter in self.box(player.id).letters if letter.read]
        player.tell(f"You have kept {in_letters(len(old))}.")
        for letter in old:
            self.show(player, letter)

    def show(self, player: Player, letter: Letter) -> None:
        """Show a letter."""
        player.tell(f"{letter.sender} wrote {ago(self.room.now - letter.sent)}: {letter.text}")

    def unread(self, player_id: str) -> int:
        """How many letters a player has not read."""
        box = self.boxes.peek(player_id)
        return sum(not letter.read for letter in box.letters) if box else 0

    def box(self, player_id: str) -> Box:
        """A player's box."""
        return self.boxes.setdefault(player_id, Box([]))


def in_letters(count: int) -> str:
    """So many letters, in words."""
    return "1 letter" if count == 1 else f"{count or 'no'} letters"


def ago(seconds: float) -> str:
    """How long ago something was, roughly."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if count := int(seconds // length):
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
