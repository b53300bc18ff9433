"""Help, as it is read and as it is heard."""

import pytest

from perdure import Game, Player, command
from perdure.testing import Perdure


class Bar(Game):
    @command("order DRINK", "buy", help="Order a drink.")
    def order(self, player: Player, drink: str) -> None:
        """The barkeeper is deaf.

        Shout."""

    @command("nod")
    def nod(self, player: Player) -> None:
        pass

    @command("width")
    def width(self, player: Player) -> None:
        player.tell(f"{player.columns} x {player.rows}, {player.screenreader}")


class Shop(Bar):
    @command("give THING to SOMEBODY", help="Hand somebody a thing that you carry in your hand.")
    def give(self, player: Player, thing: str, somebody: str) -> None:
        pass


def test_help_is_a_table_to_read(perdure: Perdure) -> None:
    """In columns, with what is the server's own at the end."""
    ada = perdure.room(Bar).join("Ada")
    ada.types("help")
    assert ada.lines == [
        "You can type:",
        "  nod",
        "  order DRINK  Order a drink.",
        "  width",
        "  quit         Leave the game.",
        "  set          Show or change how text is sent to you.",
    ]


def test_help_is_a_list_of_sentences_to_hear(perdure: Perdure) -> None:
    """One item per line, and nothing drawn with blanks."""
    ada = perdure.room(Bar).join("Ada", screenreader=True)
    ada.types("help", "help order")
    assert ada.lines == [
        "You can type:",
        "nod",
        "order DRINK: Order a drink.",
        "width",
        "quit: Leave the game.",
        "set: Show or change how text is sent to you.",
        "order DRINK", "Order a drink.", "Also: buy", "The barkeeper is deaf.", "", "Shout.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("game", "columns", "line"),
    [
        (Bar, 53, "order DRINK: Order a drink."),
        (Bar, 54, "  order DRINK  Order a drink."),
        (Shop, 75, "order DRINK: Order a drink."),
        (Shop, 76, "  order DRINK             Order a drink."),
    ],
)
def test_help_in_a_window_narrower_than_its_longest_row_has_no_columns(
    perdure: Perdure, game: type[Bar], columns: int, line: str
) -> None:
    """Else a row would go on where the usages stand: in the bar that of `set` is the longest, in the shop another."""
    ada = perdure.room(game).join("Ada", columns=columns)
    ada.types("help")
    assert line in ada.lines


def test_a_question_mark_is_help(perdure: Perdure) -> None:
    """As it is before the login."""
    ada = perdure.room(Bar).join("Ada")
    ada.types("help")
    listed = len(ada.lines)
    ada.types("?", "? order")
    assert ada.lines[listed : 2 * listed] == ada.lines[:listed]
    assert ada.lines[2 * listed] == "order DRINK"


@pytest.mark.parametrize("word", ["quit", "set", "help"])
def test_the_servers_words_have_help(perdure: Perdure, word: str) -> None:
    """What the list names exists, and so does what shows it."""
    ada = perdure.room(Bar).join("Ada")
    ada.types(f"help {word}", "help nothing")
    assert ada.lines[0] == word
    assert ada.lines[-1] == "There is no command 'nothing'. Type 'help' for what you can do."


def test_a_game_sees_the_window_and_who_listens(perdure: Perdure) -> None:
    """As it is now, also after a movement."""
    room = perdure.room(Bar)
    ada, bob = room.join("Ada"), room.join("Bob", columns=40, rows=10, screenreader=True)
    room.crash()
    for player in (ada, bob):
        player.types("width")
    ada.resizes(132, 50)
    ada.types("width")
    assert ada.lines == ["80 x 24, False", "132 x 50, False"]
    assert bob.lines == ["40 x 10, True"]
