"""What a text terminal shows: prompts behind bursts, and pages."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from perdure.gateway.look import Look
from perdure.gateway.terminal.screen import (
    GOING_ON,
    MORE_PROMPT,
    PAGES_BYTES_MAX,
    ROWS_MIN,
    Screen,
    ScreenState,
    Typed,
    cut,
)
from perdure.room.record import Text

ROWS = 6


def playing(look: Look = Look(), prompt: str = "") -> Screen:  # noqa: B008, a Look never changes
    """The screen of somebody who plays, with the cursor behind this prompt."""
    screen = Screen(look)
    screen.playing = True
    if prompt:
        screen.show(Text("", prompt=prompt))
        screen.end_burst()
    return screen


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last + 1))


def sent(text: str) -> str:
    return text.replace("\n", "\r\n")


# --- prompts ---


def test_a_prompt_stands_behind_the_burst_and_the_next_text_on_a_new_line() -> None:
    """What comes while the cursor stands behind a prompt does not run on from it."""
    screen = playing()
    shown = screen.show(Text("You are here.\n", prompt="> "))
    assert (shown, screen.end_burst()) == ("You are here.\r\n", ("> ", True))
    assert screen.show(Text("Ada arrives.\n")) == "\r\nAda arrives.\r\n"
    assert screen.show(Text("Ada waves.\n")) == "Ada waves.\r\n"
    assert screen.end_burst() == ("> ", True)


def test_a_line_that_was_typed_has_ended_the_prompts_line() -> None:
    """The client's own echo moved the cursor; an answer begins there, and then the prompt comes again."""
    screen = playing(prompt="> ")
    assert screen.typed("look") == Typed("look", "")
    assert screen.show(Text("Nothing.\n")) == "Nothing.\r\n"
    assert screen.end_burst() == ("> ", True)
    screen.typed("")
    assert screen.end_burst() == ("> ", True)


def test_a_hidden_line_leaves_the_cursor_where_it_was() -> None:
    """The client shows nothing of it, not even its end: the next text, or question, begins on a new line, once."""
    screen = Screen()
    screen.show(Text("", prompt="Password: "))
    screen.end_burst()
    assert screen.typed("secret", hidden=True) == Typed("secret", "")
    screen.show(Text("", prompt="Once more: "))
    assert screen.end_burst() == ("\r\nOnce more: ", True)
    screen.typed("secret", hidden=True)
    assert screen.show(Text("Welcome.\n")) == "\r\nWelcome.\r\n"
    screen.typed("", hidden=True)
    assert screen.show(Text("Rain")) == "Rain"
    screen.typed("secret", hidden=True)
    assert screen.show(Text("Snow falls.\n")) == "\r\nSnow falls.\r\n"


def test_a_prompt_is_not_drawn_again_for_nothing() -> None:
    """Neither for a burst without text, nor for the same prompt once more, nor for GMCP."""
    screen = playing(prompt="> ")
    assert screen.end_burst() == ("", False)
    assert screen.show(Text("", prompt="> ")) == ""
    assert screen.show(Text("", gmcp=("Char.Vitals", b"{}"))) == ""
    assert screen.show(Text("\x1b[0m")) == ""
    assert screen.end_burst() == ("", False)


def test_a_prompt_that_changed_is_drawn_on_a_new_line_and_only_the_last_of_a_burst() -> None:
    """Hit points that fall thrice in one fight are shown once."""
    screen = playing(prompt="20 hp> ")
    for prompt in ("19 hp> ", "12 hp> ", "7 hp> "):
        assert screen.show(Text("", prompt=prompt)) == ""
    assert screen.end_burst() == ("\r\n7 hp> ", True)


@pytest.mark.parametrize("follows", ["<20hp> ", "20 hp "])
def test_a_prompt_that_was_made_to_be_listened_to_waits_one_burst_for_the_games_next(follows: str) -> None:
    """It is drawn only where the game makes no other."""
    screen = playing(Look(screenreader=True, prompts=False), "20 hp ")
    screen.typed("set screenreader off")
    screen.show_as(Look())
    assert screen.show(Text("screenreader is off.\n")) == "screenreader is off.\r\n"
    assert screen.end_burst() == ("", False)
    screen.show(Text("", prompt=follows))
    assert screen.end_burst() == (follows, True)


def test_what_was_typed_is_shown_by_no_repr() -> None:
    """It may be a password (FM-96)."""
    assert "hunter2" not in repr(Screen().typed("hunter2"))


def test_the_logins_prompt_never_waits() -> None:
    """No game makes another."""
    screen = Screen(Look())
    screen.show(Text("", prompt="Name: "))
    screen.show_as(Look(screenreader=True))
    assert screen.end_burst() == ("Name: ", True)


def test_no_prompt_is_wanted_any_more() -> None:
    """An empty prompt is none; text behind the old one still begins on a new line."""
    screen = playing(prompt="> ")
    screen.show(Text("", prompt=""))
    assert screen.end_burst() == ("", False)
    assert screen.show(Text("Hi.\n")) == "\r\nHi.\r\n"
    assert screen.end_burst() == ("", False)


def test_an_unfinished_line_is_a_prompt_of_its_own() -> None:
    """A client that waits for whole lines must be told to show a question; a prompt goes below it."""
    screen = playing()
    assert screen.show(Text("Your name? ")) == "Your name? "
    assert screen.end_burst() == ("", True)
    assert screen.end_burst() == ("", False)
    assert screen.show(Text("(quick)", prompt="> ")) == "(quick)"
    assert screen.end_burst() == ("\r\n> ", True)


def test_colours_and_line_ends_of_a_prompt_stay_in_it() -> None:
    """A prompt is text like any, but it never ends its line."""
    screen = playing()
    screen.show(Text("Hi.\n", prompt="\x1b[31m3 hp> \n"))
    assert screen.end_burst() == ("\x1b[31m3 hp> \x1b[0m", True)
    assert screen.show(Text("\x1b[32mgreen\n\x1b[39m")).startswith("\r\n")
    assert screen.end_burst()[0].startswith("\x1b[31m")


def test_who_switched_prompts_off_sees_the_logins_all_the_same() -> None:
    """`set prompt off` is about the game's."""
    screen = Screen(Look(prompts=False))
    screen.show(Text("Welcome.\n", prompt="Name: "))
    assert screen.end_burst() == ("Name: ", True)
    screen.typed("ada")
    screen.playing = True
    screen.show(Text("Here.\n", prompt="> "))
    assert screen.end_burst() == ("", False)


def test_who_listens_hears_a_prompt_only_when_it_changes() -> None:
    """Nothing is repeated to a screen reader; the login's questions are, for each is an answer."""
    screen = Screen(Look(screenreader=True, prompts=True))
    for _ in range(2):
        screen.show(Text("", prompt="Password: "))
        screen.typed("")
        assert screen.end_burst()[0] == "Password: "
    screen.playing = True
    screen.show(Text("Here.\n", prompt="20 hp "))
    assert screen.end_burst() == ("20 hp ", True)
    screen.typed("look")
    screen.show(Text("Nothing.\n"))
    assert screen.end_burst() == ("", False)
    screen.show(Text("Ow.\n", prompt="19 hp "))
    assert screen.end_burst() == ("19 hp ", True)


# --- pages ---


def test_a_long_text_stops_at_each_page_and_enter_goes_on() -> None:
    """Every line is shown once, in order; the prompt of the game comes behind the last page."""
    screen = playing(Look(rows=ROWS), prompt="> ")
    screen.typed("help")
    assert screen.show(Text(numbered(1, 12))) == sent(numbered(1, 5))
    assert screen.end_burst() == (MORE_PROMPT, True)
    assert screen.typed("") == Typed(None, sent(numbered(6, 10)))
    assert screen.end_burst() == (MORE_PROMPT, True)
    assert screen.typed("  ") == Typed(None, sent(numbered(11, 12)))
    assert screen.end_burst() == ("> ", True)
    assert screen.typed("") == Typed("", "")


def test_q_stops_the_pages() -> None:
    """The rest is gone, and the game never sees the q."""
    screen = playing(Look(rows=ROWS), prompt="> ")
    screen.show(Text(numbered(1, 30)))
    screen.end_burst()
    assert screen.typed("q") == Typed(None, "")
    assert screen.end_burst() == ("> ", True)
    assert screen.typed("q") == Typed("q", "")


@pytest.mark.parametrize("line", ["look", "quit", "say q"])
def test_any_other_line_is_for_the_game(line: str) -> None:
    """Who does not care for the rest need not stop the pager first."""
    screen = playing(Look(rows=ROWS), prompt="> ")
    screen.show(Text(numbered(1, 30)))
    screen.end_burst()
    assert screen.typed(line) == Typed(line, "")
    assert screen.show(Text("You look.\n")) == "You look.\r\n"
    assert screen.end_burst() == ("> ", True)


@pytest.mark.parametrize("lines", [1, ROWS - 1, ROWS])
def test_one_line_more_than_a_page_is_no_reason_to_stop(lines: int) -> None:
    """The pager's own prompt would take its place."""
    screen = playing(Look(rows=ROWS))
    assert screen.show(Text(numbered(1, lines))) == sent(numbered(1, lines))
    assert screen.end_burst() == ("", False)


def test_what_comes_while_paging_is_shown_before_the_pagers_prompt() -> None:
    """Nobody misses a warning because they read; only another long text waits behind the first."""
    screen = playing(Look(rows=ROWS))
    screen.show(Text(numbered(1, 8), prompt="> "))
    screen.end_burst()
    assert screen.show(Text("A wolf!\n")) == "\r\nA wolf!\r\n"
    assert screen.show(Text(numbered(9, 16))) == ""
    assert screen.end_burst() == (MORE_PROMPT, True)
    assert screen.typed("") == Typed(None, GOING_ON + sent(numbered(6, 9)))  # it stands below the wolf
    assert screen.end_burst() == (MORE_PROMPT, True)
    assert screen.typed("") == Typed(None, sent(numbered(10, 14)))
    assert screen.end_burst() == (MORE_PROMPT, True)
    assert screen.typed("") == Typed(None, sent(numbered(15, 16)))
    assert screen.end_burst() == ("> ", True)


def test_who_stops_the_pages_is_not_told_that_they_go_on() -> None:
    """Neither in that text nor in the next one."""
    screen = playing(Look(rows=ROWS), prompt="> ")
    screen.show(Text(numbered(1, 30)))
    screen.show(Text("A wolf!\n"))
    assert screen.typed("flee") == Typed("flee", "")
    screen.show(Text(numbered(1, 9)))
    assert screen.typed("") == Typed(None, sent(numbered(6, 9)))


def test_a_page_ends_its_colours_and_the_next_begins_them_again() -> None:
    """The pager's prompt is not red, and who stops there does not go on in red."""
    assert cut("\x1b[31;1ma\r\nb\r\nc\x1b[0m\r\n", 2) == ("\x1b[31;1ma\r\nb\x1b[0m\r\n", "\x1b[31;1mc\x1b[0m\r\n")
    assert cut("\x1b[31ma\x1b[39m\r\nb\r\n", 1) == ("\x1b[31ma\x1b[39m\r\n", "b\r\n")


def test_more_than_can_wait_is_shown_at_once() -> None:
    """The pages are bounded, and only the player drops lines."""
    screen = playing(Look(rows=ROWS))
    long = f"{'猫' * 50}\n" * (PAGES_BYTES_MAX // 160)
    assert screen.show(Text(long * 2)) == sent(long * 2)
    assert screen.end_burst() == ("", False)
    screen.show(Text(long))
    assert screen.show(Text(long)) == sent(long)
    assert screen.end_burst()[0] == MORE_PROMPT


@pytest.mark.parametrize("rows", [0, ROWS_MIN - 1])
def test_without_a_window_or_with_a_tiny_one_nothing_stops(rows: int) -> None:
    """Nor for a player who switched the pager off, which is the same look."""
    screen = playing(Look(rows=rows))
    assert screen.show(Text(numbered(1, 100))) == sent(numbered(1, 100))


def test_the_login_is_not_paged() -> None:
    """A name typed after a long banner would be taken for an answer to the pager."""
    screen = Screen(Look(rows=ROWS))
    assert screen.show(Text(numbered(1, 100), prompt="Name: ")) == sent(numbered(1, 100))
    assert screen.end_burst() == ("Name: ", True)


def test_lines_count_as_they_are_wrapped() -> None:
    """A page is what fits the window."""
    screen = playing(Look(rows=ROWS, columns=20))
    assert screen.show(Text("word " * 40)).count("\r\n") == ROWS - 1


# --- what it remembers ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("show"), st.sampled_from(["a\n", "b", "\x1b[31mred\n", numbered(1, 8), numbered(1, 20), ""])),
        st.tuples(st.just("prompt"), st.sampled_from(["> ", "2> ", ""])),
        st.tuples(st.just("end"), st.just("")),
        st.tuples(st.just("typed"), st.sampled_from(["", "q", "look"])),
    ),
    max_size=25,
)


def done(screen: Screen, step: tuple[str, str]) -> object:
    match step:
        case "show", text:
            return screen.show(Text(text))
        case "prompt", prompt:
            return screen.show(Text("", prompt=prompt))
        case "typed", line:
            return screen.typed(line)
    return screen.end_burst()


@given(STEPS, st.builds(Look, rows=st.sampled_from([0, ROWS]), screenreader=st.booleans()))
def test_a_screen_goes_on_from_its_state_between_any_two_calls(steps: list[tuple[str, str]], look: Look) -> None:
    """Exported as JSON and restored after each call, it sends the same (FM-28)."""
    whole, moved = playing(look), playing(look)
    for step in steps:
        data = msgspec.json.encode(moved.state())
        moved = Screen.from_state(msgspec.json.decode(data, type=ScreenState))
        moved.look, moved.playing = look, True
        assert done(moved, step) == done(whole, step)
    assert moved.state() == whole.state()


def test_an_exported_state_is_a_copy() -> None:
    """What the screen does later is not in it."""
    screen = playing()
    before = screen.state()
    screen.show(Text("Hi.\n", prompt="> "))
    assert before == ScreenState()


class Terminal(RuleBasedStateMachine):
    """A person who reads every page: they see each line once, and every prompt on a line of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.screen = playing(Look(rows=ROWS), prompt="> ")
        self.seen = "> "
        self.told: list[str] = []
        self.more = False

    def end(self) -> None:
        prompt, _ = self.screen.end_burst()
        self.seen += prompt
        self.more = prompt.endswith(MORE_PROMPT) or (self.more and not prompt)

    @rule(lines=st.integers(1, 20))
    def say(self, lines: int) -> None:
        new = [f"text {len(self.told) + number}" for number in range(lines)]
        self.told += new
        self.seen += self.screen.show(Text("".join(f"{line}\n" for line in new)))

    @rule()
    def end_burst(self) -> None:
        self.end()

    @rule(prompt=st.sampled_from(["> ", "2> "]))
    def change(self, prompt: str) -> None:
        self.screen.show(Text("", prompt=prompt))

    @precondition(lambda self: self.more)
    @rule()
    def read_on(self) -> None:
        typed = self.screen.typed("")
        assert typed.line is None
        self.seen += ("" if self.seen.endswith("\r\n") else "\r\n") + typed.shown  # the client's own echo
        self.end()

    @invariant()
    def prompts_and_texts_are_on_lines_of_their_own(self) -> None:
        lines = self.seen.split("\r\n")
        assert all(
            line.startswith("text ") or line in ("> ", "2> ", MORE_PROMPT, GOING_ON.strip(), "") for line in lines
        )
        assert "" not in lines[:-1]

    @invariant()
    def no_line_is_shown_twice(self) -> None:
        shown = [line for line in self.seen.split("\r\n") if line.startswith("text ")]
        assert len(set(shown)) == len(shown)

    def teardown(self) -> None:
        self.end()
        while self.more:
            self.read_on()
        shown = [line for line in self.seen.split("\r\n") if line.startswith("text ")]
        assert sorted(shown) == sorted(self.told)


TestTerminal = Terminal.TestCase
TestTerminal.settings = settings(max_examples=50, stateful_step_count=20)
