"""Names: who may be called what, and which names look alike."""

import hashlib
import subprocess
import sys
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import names

DATA_SHA256 = {
    "confusables.json": "2d8b4774cd9dc6f233a18681bc00423ae270037437f276fc6a8b80630941fe7d",
    "categories.json": "804570f15edd97f7cd15f4458cea45bd7df2c1a0d179a7975ed7edb32b1cc9c9",
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paypal", "\u0440\u0430\u0443\u0440\u0430l"),  # Cyrillic р а у р а
        ("Hope", "\u041d\u043e\u0440\u0435"),  # Cyrillic Н о р е: one script, and nothing of it is Latin
        ("scope", "\u0455\u0441\u043e\u0440\u0435"),
        ("Alan", "\u0391lan"),  # Greek capital alpha
        ("Nora", "\u039dora"),  # Greek capital nu
        ("Volo", "V\u03bfl\u03bf"),  # Greek omicron
        ("Oo", "\u0555\u0585"),  # Armenian
        ("Hill", "Hi11"),
        ("Ian", "lan"),
        ("Ian", "1an"),
        ("I1l", "lll"),
        ("Bob", "B0b"),
        ("Oscar", "0scar"),
        ("Tom", "Torn"),
        ("Emma", "Ernrna"),
        ("Alo", "\uff21\uff4c\uff4f"),  # fullwidth
        ("Ada", "\U0001d400\U0001d41d\U0001d41a"),  # mathematical bold
        ("Zoe\u0308", "Zo\u00eb"),  # a combining mark, and the same letter with its own code point
        ("Lukasz\u0337", "Lukasz\u0338"),  # two overlays that look alike
        ("O'Neil", "O\u2019Neil"),
        ("l\u05d5", "\u05df\u05d5"),  # Hebrew final nun
        ("\u0627\u0647\u06c1", "\u0627\u0647\u0647"),  # Arabic: two forms of heh
        ("\u4e00\u4e28", "\u30fc\u4e28"),  # Han one, Japanese sound mark
    ],
)
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    """Other scripts, digits, pairs of letters, fullwidth, mathematical, combining, right-to-left (FM-84)."""
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ada", "Bob"), ("ian", "lan"), ("Zoe", "Zo\u00eb"), ("Anna", "Ana"), ("Marta", "Maria"), ("Ada1", "Ada2")],
)
def test_names_that_differ_for_the_eye_have_two_skeletons(one: str, other: str) -> None:
    """Nobody is refused a name for nothing: an accent, another letter, a small i instead of an l."""
    assert names.skeleton(one) != names.skeleton(other)


@pytest.mark.parametrize(
    "name",
    [
        *("Ada", "ab", "x" * 20, "A-b_9", "O'Brien", "Jean-Luc", "R2D2", "d'Artagnan"),
        *("Zo\u00eb", "Nguy\u1ec5n", "\u0141ukasz", "Stra\u00dfe", "\u1ecc\u0300\u1e63un"),
        *(
            "\u0412\u0430\u0441\u044f",
            "\u039d\u03af\u03ba\u03bf\u03c2",
            "\u10e5\u10d4\u10d7\u10d8",
            "\u0531\u0576\u056b",
        ),
        *(
            "\u0639\u0645\u0631",
            "\u05e9\u05e8\u05d4",
            "\u0906\u0926\u093f\u0924\u094d\u092f",
            "\u0e19\u0e33\u0e0a\u0e31\u0e22",
        ),
        *(
            "\u6771\u4eac",
            "\u7530\u4e2d\u3055\u3093",
            "\u30de\u30ea\u30fc",
            "\uae40\ucca0\uc218",
            "\u1019\u103c\u102d\u102f\u1037",
        ),
    ],
)
def test_people_may_be_called_what_they_are_called(name: str) -> None:
    """Every script in everyday use, with its own marks, and Japanese with all three of its scripts."""
    assert names.problem(names.canonical(name)) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "x" * 21, "1ada", "-ada", "'ada", "_ada", "a da", "ada\n", "ada-", "a--b", "a.b", "a@b", "a\x1b[1m"),
        *("ada\u200b", "ad\u202ea", "a\u00adda", "a\ufe0fda", "ada\u034f", "\u1160\u1160", "\u3164\u3164"),  # unseen
        *("\uff21\uff44\uff41", "\U0001d400\U0001d41d\U0001d41a", "\ufb01ona", "Ad\u00aa", "\u2160\u2160"),  # NFKC
        *("Ada\u2603", "\U0001f600\U0001f600", "\u0660\u0661", "Ada\u0663", "\u0639\u0640\u0645"),  # no letters
        *("a\u0301\u0301", "a\u0316\u0317\u0318", "\u0301ada", "1\u0301ada", "a-\u0301b"),  # marks that climb
        *("Zoe\u0308", "O\u2019Neil"),  # not canonical
        *("\u13a0\u13a1\u13a2", "\U00010400\U00010401", "\ua4d0\ua4d1"),  # scripts of few
        *("\u0430da", "Ad\u0430", "A\u03bdd", "\u0555da", "\u30ab\u043d\u043d", "\uae40ada", "\uae40\u30ab"),  # mixed
    ],
)
def test_names_that_nobody_could_read_or_tell_apart_are_refused(name: str) -> None:
    """No mixed scripts, nothing unseen, no second spelling of plain letters, no towers of marks (FM-84, FM-83)."""
    assert names.problem(name) != ""


@pytest.mark.parametrize(
    "name",
    [
        *("connect", "WHO", "Quit", "he1p", "qu\u0131t", "Set", "guest", "Guest7", "GUEST10", "guestl", "yes"),
        *("\u043d\u0435lp", "mssp-request", "new", "Exit", "log0ut", "bye", "Settings", "Login", "register"),
    ],
)
def test_no_name_is_a_word_for_the_server_or_looks_like_one(name: str) -> None:
    """Who is called so could not log in by name; guests are numbered, and nobody else is (FM-84)."""
    assert names.problem(name) != ""
    assert names.problem(name, by_operator=True) != ""


@pytest.mark.parametrize("name", ["Admin", "Ad\u0430", "guest7", "a\u0301\u0316\u0317x", "hunter 2", "{name}"])
def test_what_is_wrong_with_a_name_can_be_said_without_it(name: str) -> None:
    """It may be a password that was typed at the wrong moment (FM-96)."""
    said, unsaid = names.problem(name), names.problem(name, unsaid=True)
    assert name not in unsaid
    assert unsaid[0].isupper()
    assert unsaid.lower() == said.replace(name, "it").lower()


@pytest.mark.parametrize("name", ["Admin", "adm\u0131n", "adrnin", "STAFF", "Server", "everyone", "Me"])
def test_only_an_operator_gives_a_title(name: str) -> None:
    """Nobody speaks with the server's voice but by the leave of who runs it (FM-84)."""
    assert "server needs itself" in names.problem(name)
    assert names.problem(name, by_operator=True) == ""


def test_one_name_in_any_case_and_any_form_of_unicode() -> None:
    """Folding is canonical caseless matching."""
    spellings = ("Zo\u00eb", "ZOE\u0308", "zO\u00cb", "zoe\u0308")
    assert {names.folded(spelling) for spelling in spellings} == {"zo\u00eb"}
    assert names.folded("Ada") == "ada"
    assert names.folded("O\u2019Neil") == "o'neil"
    assert names.folded("Stra\u00dfe") == names.folded("STRASSE")


TEXT = st.one_of(
    st.text(max_size=24),
    st.text("aAoO0lI1rnmM\u0430\u041d\u03bf\u0131\u0301\u0308\u00eb'-_\u30ab\u30fc", max_size=24),
)


@given(TEXT)
def test_any_text_at_all_has_an_answer(text: str) -> None:
    """Nothing that is typed raises; a name that may be had is canonical, folds to itself, and fits the column."""
    canonical = names.canonical(text)
    assert names.canonical(canonical) == canonical
    assert names.folded(names.folded(text)) == names.folded(text)
    assert names.skeleton(text) == names.skeleton(canonical)
    if names.problem(text) == "":
        assert text == canonical
        assert text.isprintable()
        assert " " not in text
        assert names.CHARS_MIN <= len(text) <= names.CHARS_MAX
        assert len(names.folded(text)) <= names.CHARS_MAX


def test_a_prototype_stands_for_itself() -> None:
    """The map is settled: what a character is mapped to is mapped no further, and is in NFD (UTS #39, 4)."""
    prototypes = names._prototypes()
    for char, plain in prototypes.items():
        assert unicodedata.is_normalized("NFD", plain), char
        assert not any(further in prototypes for further in plain), char
    assert len(prototypes) > 6000


@pytest.mark.parametrize("name", DATA_SHA256)
def test_the_data_are_those_that_accounts_were_made_with(name: str) -> None:
    """Skeletons are stored. Whoever changes the data writes a migration that sets them to NULL: they are made anew."""
    data = files("confusable_homoglyphs").joinpath(name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == DATA_SHA256[name]


def test_the_data_are_loaded_when_a_name_is_looked_at() -> None:
    """Importing costs every process nothing (50 ms, 4 MiB)."""
    code = (
        "import sys\nfrom perdure import names\nprint(names._prototypes.cache_info().currsize)\n"
        "names.problem('Ada')\nprint(names._prototypes.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n1\n"


KEEPS = """
import perdure.gateway.serving
from perdure import names
def kib():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous:"))
before = kib()
names.skeleton("Ada")
print(kib() - before)
"""


def test_the_gateway_keeps_little_of_the_memory_in_which_the_data_were_worked_out() -> None:
    """Of a MiB of data and five that it takes to get them, not all: it did, while the two lay strewn."""
    done = subprocess.run([sys.executable, "-c", KEEPS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 5.4 * 1024
