"""The text: as the game meant it, never as markup, and always legible."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.page import PHONE, Browser, Friend

CONTRASTS = """async () => {
  const { contrast } = await import("/colour.js");
  const parts = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const paper = parts(getComputedStyle(document.body).backgroundColor);
  const spans = [...document.querySelectorAll("#lines span")];
  return spans.map((span) => {
    const look = getComputedStyle(span);
    const own = look.backgroundColor === "rgba(0, 0, 0, 0)" ? paper : parts(look.backgroundColor);
    return [span.textContent, contrast(parts(look.color), own)];
  });
}"""


def test_styles_are_those_of_the_game(ada: Browser) -> None:
    """Sixteen colours by class, others by value; bold and underline switch on and off by themselves."""
    ada.types("rainbow")
    ada.sees("plain")
    spans = ada.page.locator("#lines .line:last-child span, #lines .line:nth-last-child(2) span")
    classes = dict(
        zip(spans.all_text_contents(), spans.evaluate_all("(all) => all.map((e) => e.className)"), strict=True)
    )
    assert [classes[f"named {n}"] for n in range(16)] == [f"c{n}" for n in range(16)]
    assert classes["bold "] == "bold"
    assert classes["and under"] == "bold underline"
    assert classes["lined"] == "underline"
    assert classes["inverse"] == "inverse"
    colour = ada.page.get_by_text("indexed", exact=True).evaluate("(e) => e.style.getPropertyValue('--on-dark')")
    assert colour == "rgb(255 135 0)"  # 208 of xterm's palette
    assert " plain" not in classes


def test_every_colour_can_be_read_in_every_look(ada: Browser) -> None:
    """WCAG 2.2, 1.4.3 and 1.4.6: 4.5 : 1 on dark and on light, and 7 : 1 for the sixteen with more contrast."""
    ada.types("rainbow")
    ada.sees("plain")
    for scheme in ("dark", "light"):
        for contrast, least in (("no-preference", 4.5), ("more", 7.0)):
            ada.page.emulate_media(color_scheme=scheme, contrast=contrast)  # type: ignore[arg-type]
            expect(ada.page.locator("html")).to_have_attribute("data-contrast", "more" if least > 5 else "normal")
            for text, found in ada.page.evaluate(CONTRASTS):
                wanted = least if text.startswith("named") else 4.5
                assert found >= wanted, (scheme, contrast, text, found)


def test_any_colour_is_made_legible(ada: Browser) -> None:
    """A game may send any of sixteen million; on either paper each is moved as far as it must, and no further."""
    worst, moved = ada.page.evaluate("""async () => {
      const { contrast, readable, PAPER } = await import("/colour.js");
      let worst = 21, moved = 0;
      for (const paper of Object.values(PAPER))
        for (let red = 0; red < 256; red += 51)
          for (let green = 0; green < 256; green += 51)
            for (let blue = 0; blue < 256; blue += 51) {
              const colour = [red, green, blue], made = readable(colour, paper);
              worst = Math.min(worst, contrast(made, paper));
              if (contrast(colour, paper) >= 4.5 && String(made) !== String(colour)) moved += 1;
            }
      return [worst, moved];
    }""")
    assert worst >= 4.5
    assert moved == 0


def test_sequences_are_parsed_as_terminals_do(ada: Browser) -> None:
    """SGR in every spelling; everything else that controls is not shown."""
    ada.page.evaluate("async () => { window.sgr = await import('/sgr.js'); }")

    def runs(text: str) -> list[tuple[str, dict[str, object]]]:
        found = ada.page.evaluate("(text) => sgr.parse(text).runs.map(({ text, style }) => [text, style])", text)
        return [
            (run, {key: value for key, value in style.items() if value not in (None, False)}) for run, style in found
        ]

    assert runs("a\x1b[1;31mb\x1b[mc") == [("a", {}), ("b", {"bold": True, "fg": 1}), ("c", {})]
    assert runs("\x1b[38;5;196mx") == [("x", {"fg": [255, 0, 0]})]
    assert runs("\x1b[38:2::1:2:3mx\x1b[48:5:15my") == [("x", {"fg": [1, 2, 3]}), ("y", {"fg": [1, 2, 3], "bg": 15})]
    assert runs("\x1b[38;2;1;2;3;4mx") == [("x", {"fg": [1, 2, 3], "underline": True})]
    assert runs("\x1b[38;2;1;2;300mx") == [("x", {})]
    assert runs("\x1b[2Jx\x1b[38;5m\x07y\x1b") == [("x", {}), ("y", {})]
    assert ada.page.evaluate("() => [...sgr.plain('\\x1b[1mbold\\x1b[m')].join('')") == "bold"


def test_text_of_players_is_never_markup(ada: Browser, friend: Friend, name: str) -> None:
    """What looks like HTML is shown as it was typed (FM-83)."""
    attack = '<img src=x onerror="document.title=1"><b>bold</b> &amp; <script>alert(1)</script>'
    friend(f"{name}bob").types(f"say {attack}")
    ada.sees(attack)
    ada.types(f"say {attack}")
    expect(ada.page.locator(".typed", has_text=attack)).to_be_visible()
    assert ada.page.locator("#lines img, #lines b, #lines script").count() == 0
    assert attack in " ".join(ada.heard)


def test_a_link_sends_what_it_says(ada: Browser) -> None:
    """By the mouse, and by Enter or Space for whoever has none; it is as if the line had been typed."""
    link = ada.page.get_by_role("button", name="lantern").last
    assert link.get_attribute("title") == "examine lantern"
    link.click()
    expect(ada.page.locator(".typed").last).to_have_text("examine lantern")
    ada.sees("You look at the lantern.")
    for key in ("Enter", "Space"):
        link.press(key)
    expect(ada.page.locator(".typed", has_text="examine lantern")).to_have_count(3)


def test_a_burst_arrives_whole_and_in_order(ada: Browser) -> None:
    """Two thousand lines, while the player types: the page stays at its end, and the input keeps what is typed."""
    ada.types("burst 2000")
    ada.page.locator("#input").press_sequentially("say still here")
    ada.presses("Enter")
    ada.sees('You say, "still here"')
    assert [line for line in ada.lines if line.startswith("line ")] == [f"line {n} of 2000" for n in range(1, 2001)]
    assert ada.page.locator("#lines .line").last.is_visible()
    expect(ada.page.locator("#newest")).to_be_hidden()


def test_a_burst_is_written_once_per_frame(ada: Browser) -> None:
    """Between two frames the document changes in one go, by a bounded number of lines, and is laid out once."""
    ada.page.evaluate("""() => {
      window.batches = [];
      const added = (records) => records.reduce((sum, record) => sum + record.addedNodes.length, 0);
      new MutationObserver((records) => batches.push(added(records)))
        .observe(document.getElementById("lines"), { childList: true });
      const scrollback = document.getElementById("scrollback");
      const { get } = Object.getOwnPropertyDescriptor(Element.prototype, "scrollHeight");
      window.layouts = 0;
      Object.defineProperty(scrollback, "scrollHeight", { get() { layouts += 1; return get.call(this); } });
    }""")
    ada.types("burst 2000")
    ada.sees("line 2000 of 2000")
    batches = ada.page.evaluate("() => batches")
    assert sum(batches) >= 2000
    assert max(batches) <= 200
    assert ada.page.evaluate("() => layouts") < 8 * len(batches) + 20 < 500


def test_the_oldest_lines_go(ada: Browser) -> None:
    """Five thousand lines are kept."""
    ada.types("burst 5100")
    ada.sees("line 5100 of 5100")
    lines = ada.lines
    assert len(lines) == 5000
    assert lines[0] == "line 101 of 5100"


def test_a_link_has_the_colour_that_the_author_gave_it(ada: Browser) -> None:
    """Inside of the link or around it; without one it has the page's."""
    ada.types("costume", "rainbow")
    ada.sees("named 1")
    colour = "(e) => getComputedStyle(e).color"
    red = ada.page.locator(".c1", has_text="named").evaluate(colour)
    hat = ada.page.locator("a.send", has_text="hat")
    assert hat.locator("span").last.evaluate(colour) == red
    assert ada.page.locator("a.send", has_text="coat").evaluate(colour) != red
    assert "underline" in hat.evaluate("(e) => getComputedStyle(e).textDecorationLine")


def test_columns_hang_together_on_a_phone(tab: Callable[..., Browser], name: str) -> None:
    """What does not fit into a line goes on below its second column, or further in than the line begins."""
    ada = tab(**PHONE).opens().logs_in(name)
    ada.types("costume")
    ada.sees("short")
    starts = """(line) => {
      const range = document.createRange();
      range.selectNodeContents(line);
      const rows = Map.groupBy(range.getClientRects(), (rect) => Math.round(rect.top));
      return [...rows.values()].map((rects) => Math.round(Math.min(...rects.map((rect) => rect.left))));
    }"""
    columns, indented, short = (
        ada.page.locator(".line", has_text=text).last.evaluate(starts)
        for text in ("wear HAT", "an indented line", "short")
    )
    assert columns[0] == indented[0] == short[0]
    assert len({*columns[1:]}) == len({*indented[1:]}) == 1
    assert columns[1] > indented[1] > short[0]
    assert ada.page.locator("#scrollback").evaluate("(e) => e.scrollWidth - e.clientWidth") == 0


def test_who_reads_further_up_is_left_there(ada: Browser) -> None:
    """A button leads back to the end, and so does sending a line."""
    ada.types("burst 100")
    ada.sees("line 100 of 100")
    ada.presses("PageUp")
    expect(ada.page.locator("#newest")).to_be_visible()
    ada.types("say hello")
    expect(ada.page.locator("#newest")).to_be_hidden()
    expect(ada.page.locator("#lines").get_by_text('You say, "hello"')).to_be_in_viewport()


def test_lines_of_others_do_not_move_who_reads(ada: Browser, friend: Friend, name: str) -> None:
    """The button says how many came."""
    bob = friend(f"{name}bob")
    ada.types("burst 100")
    ada.sees("line 100 of 100")
    ada.presses("PageUp")
    expect(ada.page.locator("#newest")).to_be_visible()
    top = ada.page.locator("#scrollback").evaluate("(e) => e.scrollTop")
    bob.types("say one", "say two")
    expect(ada.page.locator("#newest")).to_have_text("2 new lines ↓")
    assert ada.page.locator("#scrollback").evaluate("(e) => e.scrollTop") == top
    ada.page.locator("#newest").click()
    expect(ada.page.locator("#newest")).to_be_hidden()
