"""What a text terminal shows, without input or output: texts as they fit it, the prompt behind them, pages.

`show` and `typed` give what is to be sent at once, `end_burst` what stands behind a burst of texts. All of it has
CR LF line ends and leaves no colour on; `render.encode` makes bytes of it.

- A prompt is drawn once per burst, if since it was last drawn something was shown, or a line was typed, or it
  changed. What comes while the cursor stands behind a prompt begins on a new line.
- A text of more lines than the window stops at each page: Enter goes on, q stops, and any other line is meant for
  the game and ends the paging. Texts that come meanwhile are shown, and the next page says that it goes on above
  them; but those that are themselves longer than the window wait behind. What can't be kept waiting is shown at
  once; only the player drops lines.
- Who listens is not told a prompt again that they have heard.

Known flaw: a text that goes on with an unfinished line wraps as if it began at the window's edge.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from perdure.gateway.look import Look
from perdure.gateway.terminal.render import render
from perdure.gateway.terminal.sgr import SGR, Style
from perdure.room.record import Text

MORE_PROMPT = "[more: Enter, or q to stop] "
GOING_ON = "[the text above goes on]\r\n"
PAGES_BYTES_MAX = 256 * 1024
"""What waits for its page, in UTF-8. Whoever asked for more than this gets it without pages."""
ROWS_MIN = 5
"""A window with fewer rows is not paged: the pager's own prompts would be most of what is seen."""


class ScreenState(msgspec.Struct):
    """Everything that a `Screen` remembers, as plain data. Its look and `playing` are the wire's to remember.

    Attributes:
        prompt: What the game or the login wants behind its texts.
        drawn: The last prompt that was drawn, as it was drawn.
        cursor: Where the cursor is: at a line's start, inside one that is not finished, or behind a prompt.
        stale: The prompt was made for somebody who reads, and now listens, or the other way round. The game hears of
            it, and is given the time of one burst to make another.
        due: Whether something happened since the last end of a burst that a prompt has to stand behind.
        pages: What waits for its page, rendered; "" = no text is being paged.
        parted: Whether something else was shown since the last page.
    """

    prompt: str = ""
    drawn: str = ""
    cursor: Literal["start", "inside", "prompt"] = "start"
    stale: bool = False
    due: bool = False
    pages: str = ""
    parted: bool = False


class Typed(msgspec.Struct, frozen=True):
    """What becomes of a line that was typed.

    Attributes:
        line: The line; None if the pager took it. Then the burst is to be ended, for the prompt that follows.
        shown: The next page.
    """

    line: str | None
    shown: str

    def __repr__(self) -> str:
        return "Typed(…)"  # it may be a password


class Screen:
    """One client's terminal.

    Attributes:
        look: How it shows text; `show_as` changes it.
        playing: Whether the prompts are a game's, which a player may switch off, and long texts stop at pages.
    """

    def __init__(self, look: Look = Look()) -> None:  # noqa: B008, a Look never changes
        self.look = look
        self.playing = False
        self._now = ScreenState()

    def show_as(self, look: Look) -> None:
        """From here it shows text so."""
        self._now.stale = self._now.stale or (self.playing and look.screenreader != self.look.screenreader)
        self.look = look

    def state(self) -> ScreenState:
        """A copy of what it remembers."""
        return msgspec.structs.replace(self._now)

    @classmethod
    def from_state(cls, state: ScreenState) -> Screen:
        """A screen that goes on from `state`, once its look and `playing` are set again."""
        screen = cls()
        screen._now = msgspec.structs.replace(state)
        return screen

    def show(self, text: Text) -> str:
        """What to send for this: its text, or its first page. Its prompt is drawn when the burst ends."""
        now = self._now
        if text.prompt is not None and text.prompt != now.prompt:
            now.prompt, now.stale, now.due = text.prompt, False, True
        shown = render(text.text, self.look) if text.text else ""
        if not shown:
            return ""
        paging = bool(now.pages)
        put = self._put(shown)
        now.parted = now.parted or (paging and bool(put))
        return put

    def end_burst(self) -> tuple[str, bool]:
        """The prompt to send, "" for none; and whether a client that waits for whole lines must be told to show it.

        That is so behind an unfinished line, too: it may be a question.
        """
        now = self._now
        if not now.due:
            return "", False
        if now.stale:
            now.stale = False
            return "", False
        now.due = False
        prompt = MORE_PROMPT if now.pages else self._due_prompt()
        if not prompt:
            return "", now.cursor == "inside"
        before = "" if now.cursor == "start" else "\r\n"
        now.cursor = "prompt"
        return before + prompt, True

    def typed(self, line: str, *, hidden: bool = False) -> Typed:
        """The client sent a line, so its cursor is at the start of one; but behind a hidden one it stays."""
        now = self._now
        now.due = True
        if not hidden:
            now.cursor = "start"
        elif now.cursor == "inside":
            now.cursor = "prompt"  # what comes next does not go on with that line
        if not now.pages:
            return Typed(line, "")
        pages, now.pages = GOING_ON * now.parted + now.pages, ""
        now.parted = False
        answer = line.strip().lower()
        if not answer:
            return Typed(None, self._put(pages, turned=True))
        return Typed(None if answer == "q" else line, "")

    def rest(self) -> str:
        """Take what waits for its page: the client will not see it here any more."""
        pages, self._now.pages, self._now.parted = self._now.pages, "", False
        return pages

    def _due_prompt(self) -> str:
        now = self._now
        if not now.prompt:
            now.drawn = ""
            return ""
        if self.playing and not self.look.prompts:
            return ""
        prompt = render(now.prompt.rstrip("\r\n"), self.look)
        if self.playing and self.look.screenreader and prompt == now.drawn:
            return ""
        now.drawn = prompt
        return prompt

    def _put(self, shown: str, *, turned: bool = False) -> str:
        """Rendered text to send now; what does not fit the window waits. `turned`: it has waited for its page."""
        now = self._now
        if self.playing and self.look.rows >= ROWS_MIN:
            shown = self._page(shown, turned=turned)
        if not shown:
            return ""
        before = "\r\n" if now.cursor == "prompt" else ""
        now.cursor, now.due = "start" if _ends_line(shown) else "inside", True
        return before + shown

    def _page(self, shown: str, *, turned: bool) -> str:
        """The part of `shown` that is shown now. A line more than a page is no reason to stop.

        A page may be turned thousands of times in a row: nothing here but a copy depends on how much waits.
        """
        now, lines = self._now, self.look.rows - 1
        if not _has_more(shown, lines):
            return shown
        page, rest = ("", shown) if now.pages else cut(shown, lines)
        if not turned and len(now.pages.encode()) + len(rest.encode()) > PAGES_BYTES_MAX:
            return shown
        now.pages += rest
        return page


def cut(shown: str, lines: int) -> tuple[str, str]:
    """Rendered text after so many lines: what is on at the cut is ended before it and begun again behind it."""
    end = 0
    for _ in range(lines):
        end = shown.index("\r\n", end) + 2
    style = Style()
    for sequence in SGR.finditer(shown, 0, end):
        style.turn(sequence[1])
    return f"{shown[: end - 2]}{style.end}\r\n", style.begin + shown[end:]


def _has_more(shown: str, lines: int) -> bool:
    """Whether rendered text has more than one line beyond so many."""
    end = 0
    for _ in range(lines + 1):
        end = shown.find("\r\n", end, -2) + 2
        if end < 2:
            return False
    return True


def _ends_line(shown: str) -> bool:
    return shown.endswith("\r\n") or SGR.sub("", shown[shown.rfind("\r\n") :]) == "\r\n"
