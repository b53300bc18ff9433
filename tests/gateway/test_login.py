"""The login dialogue, without a socket."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ContractError
from perdure.gateway.login import (
    Action,
    Admitted,
    Broken,
    Busy,
    Create,
    Dialogue,
    Disabled,
    Enter,
    Find,
    Found,
    HideInput,
    ListWho,
    Playing,
    Quit,
    Say,
    Secret,
    Taken,
    TryLater,
    Unknown,
    Verify,
    Wrong,
    name_problem,
)
from perdure.ports import AccountRow
from perdure.store.accounts import check_name

ADA = AccountRow("a1", "Ada", "player", False)


def said(actions) -> str:
    return "".join(action.text for action in actions if isinstance(action, Say))


def requests(actions) -> list[Action]:
    return [action for action in actions if not isinstance(action, Say | HideInput)]


def hidden_after(actions, before: bool = False) -> bool:
    """Whether the client's echo is off after these actions."""
    return next((a.hidden for a in reversed(actions) if isinstance(a, HideInput)), before)


def begun(**options) -> Dialogue:
    dialogue = Dialogue("Test", **options)
    dialogue.begin()
    return dialogue


def test_the_greeting_says_every_way_in() -> None:
    """A newcomer needs no manual."""
    text = said(Dialogue("The Tavern").begin())
    assert "Welcome to The Tavern." in text
    for word in ("connect NAME PASSWORD", "create NAME PASSWORD", "guest", "who", "quit"):
        assert word in text


def test_the_banner_replaces_the_welcome_and_guests_are_offered_only_where_allowed() -> None:
    """What cannot be done is not offered."""
    text = said(Dialogue("X", "*** HELLO ***\n", guests=False).begin())
    assert text.startswith("*** HELLO ***\n\n")
    assert "guest" not in text


def test_connect_verifies_and_enters() -> None:
    """One line logs in; the password may hold spaces."""
    dialogue = begun()
    (verify,) = dialogue.line("connect ada  my pass word ")
    assert isinstance(verify, Verify)
    assert (verify.name, verify.password.reveal()) == ("ada", "my pass word")
    assert dialogue.waiting
    assert dialogue.answer(Admitted(ADA)) == [Enter(ADA)]


def test_a_name_then_a_password_unseen() -> None:
    """The password's prompt switches echo off, its line switches it on again (FM-96)."""
    dialogue = begun()
    assert requests(dialogue.line("ada")) == [Find("ada")]
    asked = dialogue.answer(Found(ADA))
    assert hidden_after(asked)
    answered = dialogue.line("secret1")
    assert not hidden_after(answered, True)
    (verify,) = requests(answered)
    assert isinstance(verify, Verify)
    assert (verify.name, verify.password.reveal()) == ("Ada", "secret1")


def test_connect_without_a_password_asks_for_it_unseen() -> None:
    """`connect NAME` is a name line."""
    dialogue = begun()
    dialogue.line("connect Ada")
    assert hidden_after(dialogue.answer(Found(ADA)))


def test_an_unknown_name_is_offered_and_its_password_asked_twice() -> None:
    """Both lines are typed with echo off (FM-96)."""
    dialogue = begun()
    dialogue.line("Bob")
    assert "Make a new one" in said(dialogue.answer(Found(None)))
    asked = dialogue.line("yes")
    assert hidden_after(asked)
    again = dialogue.line("tr0ub4dor")
    assert hidden_after(again, True)
    done = dialogue.line("tr0ub4dor")
    assert not hidden_after(done, True)
    (create,) = requests(done)
    assert isinstance(create, Create)
    assert (create.name, create.password.reveal()) == ("Bob", "tr0ub4dor")


def test_two_different_new_passwords_make_no_character() -> None:
    """A slip of the finger must not lock its owner out."""
    dialogue = begun()
    dialogue.line("create Bob")
    dialogue.line("tr0ub4dor")
    actions = dialogue.line("tr0ub4dro")
    assert requests(actions) == []
    assert "not the same" in said(actions)
    assert not hidden_after(actions, True)


@pytest.mark.parametrize("answer", ["no", "n", ""])
def test_declining_the_offer_goes_back(answer: str) -> None:
    """Nothing was made, and the prompt is there again."""
    dialogue = begun()
    dialogue.line("Bob")
    dialogue.answer(Found(None))
    assert "No character was made" in said(dialogue.line(answer))
    assert dialogue.stage == "name"


def test_a_command_at_the_offer_is_taken() -> None:
    """Who mistyped a name may just type the right line."""
    dialogue = begun()
    dialogue.line("Adda")
    dialogue.answer(Found(None))
    assert requests(dialogue.line("Ada")) == [Find("Ada")]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("conect ada secret1", "Did you mean: connect NAME PASSWORD"),
        ("craete ada secret1", "Did you mean: create NAME PASSWORD"),
        ("open sesame", "neither a command nor a name"),
        ("connect", "connect NAME PASSWORD"),
        ("create", "create NAME PASSWORD"),
        ("create a secret1", "2 to 20 characters"),
        ("create Guest7 secret1", "server needs itself"),
        ("create Ada short", "at least 6"),
        ("create Adalovelace adaLOVElace", "must not be the name"),
        ("create Ada " + "x" * 129, "at most 128"),
        ("y" * 41, "too long for a name"),
        ("help", "connect NAME PASSWORD"),
        ("?", "connect NAME PASSWORD"),
    ],
)
def test_typos_and_mistakes_get_a_reply_that_helps(line: str, reply: str) -> None:
    """The reply says what to type, and never repeats a password (FM-96)."""
    dialogue = begun()
    actions = dialogue.line(line)
    assert reply in said(actions)
    assert requests(actions) == []
    assert "secret1" not in said(actions)
    assert said(actions).endswith("Name: ")


def test_a_mistyped_command_that_could_be_a_name_is_recognized() -> None:
    """`gest` is a possible name and a probable mistake."""
    dialogue = begun()
    dialogue.line("gest")
    assert "guest" in said(dialogue.answer(Found(None)))


@pytest.mark.parametrize("name", ["Ünlü", "ada bella", "x", "ad/a", "1st", "adа"])
def test_an_impossible_unknown_name_is_not_offered(name: str) -> None:
    """Look-alikes and punctuation make no characters."""
    dialogue = begun()
    dialogue.line(name)
    if dialogue.waiting:
        assert "A name has" in said(dialogue.answer(Found(None)))
    assert dialogue.stage == "name"


@given(st.one_of(st.text(max_size=24), st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{1,19}", fullmatch=True)))
def test_a_name_that_is_offered_is_one_that_accounts_accept(name: str) -> None:
    """Nobody types a password twice for a name that cannot be had; only the dialogue's own words are refused too."""
    reserved = "server needs itself" in name_problem(name)
    try:
        check_name(name)
    except ContractError:
        assert name_problem(name) != ""
    else:
        assert name_problem(name) == "" or reserved


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (Wrong(), "not the password of ada"),
        (Unknown(), "no character called ada"),
        (Disabled(), "may not log in"),
        (Taken("The name ada is taken."), "is taken"),
        (TryLater(7.6), "Wait 8 s"),
        (Busy(), "busy, try again"),
        (Broken(), "cannot be reached"),
    ],
)
def test_every_refusal_says_why_and_asks_again(answer, reply: str) -> None:
    """Disabled accounts, wrong passwords, throttling and overload are told apart (FM-82)."""
    dialogue = begun()
    dialogue.line("connect ada secret1")
    actions = dialogue.answer(answer)
    assert reply in said(actions)
    assert dialogue.stage == "name"


def test_guests_enter_at_once_unless_there_are_none() -> None:
    """No account, no request."""
    assert begun().line("guest") == [Enter(None)]
    refused = begun(guests=False).line("guest")
    assert requests(refused) == []
    assert "no guests here" in said(refused)


def test_who_lists_and_quit_ends() -> None:
    """Both work before logging in."""
    dialogue = begun()
    assert dialogue.line("WHO") == [ListWho()]
    assert "2 are playing: Ada, Bob." in said(dialogue.answer(Playing(["Ada", "Bob"])))
    assert requests(dialogue.line("quit")) == [Quit()]
    assert dialogue.line("anything") == []


def test_an_interrupt_gives_the_prompt_back_with_echo_on() -> None:
    """Control-C at the password must not leave the terminal blind."""
    dialogue = begun()
    dialogue.line("ada")
    dialogue.answer(Found(ADA))
    assert not hidden_after(dialogue.interrupt(), True)
    assert dialogue.stage == "name"


def test_a_secret_shows_nothing_of_itself() -> None:
    """Passwords are in no repr, log or pickle (FM-96)."""
    secret = Secret("hunter2x")
    assert "hunter2x" not in f"{secret!r} {secret} {Verify('ada', secret)!r} {Create('ada', secret)}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


ANSWERS = st.sampled_from(
    [Found(None), Found(ADA), Wrong(), Unknown(), Disabled(), TryLater(1), Busy(), Broken(), Playing([])]
)
LINES = st.one_of(
    st.sampled_from(["ada", "connect ada pw", "create bob secret1", "create bob", "who", "yes", "no", "", "help"]),
    st.text(max_size=60),
)


@given(st.lists(st.tuples(LINES, ANSWERS, st.booleans()), max_size=30))
def test_echo_is_off_exactly_while_a_password_is_typed(steps) -> None:
    """Whatever is typed and answered, the dialogue never raises and never leaves the echo wrong (FM-96)."""
    dialogue = begun()
    hidden = False
    for line, answer, interrupt in steps:
        actions = dialogue.interrupt() if interrupt and not dialogue.waiting else dialogue.line(line)
        hidden = hidden_after(actions, hidden)
        if dialogue.waiting:
            assert len(requests(actions)) == 1
            hidden = hidden_after(more := dialogue.answer(answer), hidden)
            assert requests(more) == []
        assert hidden == dialogue.hidden
        if dialogue.stage == "done":
            break
