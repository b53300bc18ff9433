"""The login dialogue, without a socket."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.login import (
    LISTED_MAX,
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
    LoggedIn,
    Playing,
    Quit,
    Say,
    Set,
    ShowStatus,
    Taken,
    TryLater,
    Unknown,
    Verify,
    Wrong,
)
from perdure.gateway.secret import Secret
from perdure.ports import AccountRow

ADA = AccountRow("a1", "Ada", "player", False)


def said(actions) -> str:
    return "".join(action.text + action.prompt for action in actions if isinstance(action, Say))


def prompt_of(actions) -> str:
    """What the cursor stands behind after these actions."""
    return next((action.prompt for action in reversed(actions) if isinstance(action, Say)), "")


def requests(actions) -> list[Action]:
    return [action for action in actions if not isinstance(action, Say | HideInput | LoggedIn)]


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


def test_help_is_short_and_without_columns_for_who_listens() -> None:
    """One command to a line, and no padding to be read aloud; a client may say late that its player listens."""
    listens = False
    dialogue = Dialogue("Test", screenreader=lambda: listens)
    assert "connect NAME PASSWORD  log in\n" in said(dialogue.begin())
    listens = True
    text = said(dialogue.line("help"))
    assert "connect NAME PASSWORD: play your character.\n" in text
    assert "guest: play without a character.\n" in text
    assert "  " not in text


def test_the_greeting_and_the_help_fit_any_window() -> None:
    """Nothing is wrapped before a client says how wide its window is; the narrowest get one command to a line."""
    window = [0]
    dialogue = Dialogue("Test", columns=lambda: window[0])
    for window[0] in (0, 40, 132):
        text = said(dialogue.begin()).removesuffix("Name: ")
        assert max(map(len, text.splitlines())) == 40
        assert said(dialogue.line("help")).removesuffix("Name: ") in text
    window[0] = 25
    assert "  " not in said(dialogue.line("help"))


@pytest.mark.parametrize("line", ["quit", "exit", "logout", "Bye"])
def test_who_wants_to_leave_may_say_it_in_other_words(line: str) -> None:
    """Nobody is offered a character called Logout."""
    assert requests(begun().line(line)) == [Quit()]


def test_other_servers_words_for_what_is_done_here_are_understood() -> None:
    """They take the same words behind them."""
    for word in ("new", "register"):
        assert requests(begun().line(f"{word} Bob")) == [Find("Bob")]
        assert "create NAME PASSWORD" in said(begun().line(word))
    (verify,) = begun().line("login Bob secret")
    assert isinstance(verify, Verify)
    assert verify.name == "Bob"
    assert begun().line("settings wrap 40")[0] == Set("set wrap 40")


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


def test_two_different_new_passwords_are_asked_for_again() -> None:
    """A slip of the finger must not lock its owner out; echo stays off (FM-96)."""
    dialogue = creating("Bob")
    dialogue.line("tr0ub4dor")
    actions = dialogue.line("tr0ub4dro")
    assert requests(actions) == []
    assert "not the same" in said(actions)
    assert dialogue.hidden
    dialogue.line("tr0ub4dor")
    (create,) = requests(dialogue.line("tr0ub4dor"))
    assert isinstance(create, Create)


@pytest.mark.parametrize(
    ("password", "reply"),
    [("short", "at least 6"), ("x" * 129, "at most 128"), ("ADALOVELACE", "must not be the name")],
)
def test_a_password_that_will_not_do_is_asked_for_again(password: str, reply: str) -> None:
    """Why, and what to do; nothing of it is shown, and echo stays off (FM-96)."""
    dialogue = creating("Adalovelace")
    actions = dialogue.line(password)
    assert reply in said(actions)
    assert password not in said(actions)
    assert prompt_of(actions) == "New password: "
    assert dialogue.hidden


def test_an_empty_password_gives_up_making_a_character() -> None:
    """There is a way out of every question, and echo is on again behind it."""
    dialogue = creating("Bob")
    actions = dialogue.line("")
    assert "No character was made" in said(actions)
    assert not hidden_after(actions, True)
    assert dialogue.stage == "name"


def creating(name: str) -> Dialogue:
    """A dialogue that asks for the password of a new character."""
    dialogue = begun()
    dialogue.line(f"create {name}")
    dialogue.answer(Found(None))
    assert dialogue.stage == "new-password"
    return dialogue


def test_a_name_that_cannot_be_had_is_refused_before_a_password_is_typed() -> None:
    """Nobody types a password twice for a name that looks like another (FM-84)."""
    for line in ("create lan", "lan"):
        dialogue = begun()
        assert requests(dialogue.line(line)) == [Find("lan")]
        actions = dialogue.answer(Found(None, "lan looks like Ian, who is somebody else. Choose another name."))
        assert "looks like Ian" in said(actions)
        assert dialogue.stage == "name"


def test_a_refusal_says_why_also_to_who_was_refused_before() -> None:
    """Not the name, which may be a password by then; but what is wrong with it (FM-96)."""
    dialogue = begun()
    assert requests(dialogue.line("Admin")) == [Find("Admin")]
    dialogue.answer(Found(None, "Admin is a word that the server needs itself."))
    assert requests(dialogue.line("Root")) == [Find("Root", unsaid=True)]
    text = said(dialogue.answer(Found(None, "It is a word that the server needs itself.")))
    assert "There is no character of this name. It is a word that the server needs itself.\n" in text
    assert requests(dialogue.line("create Root")) == [Find("Root")]


def test_making_a_character_that_exists_says_how_to_play_it() -> None:
    """What is true now, and what to do."""
    dialogue = begun()
    dialogue.line("create ada")
    assert "Ada exists already. If it is yours: connect Ada PASSWORD" in said(dialogue.answer(Found(ADA)))


def test_names_are_looked_up_in_canonical_form() -> None:
    """A Mac decomposes letters, a phone types ’: it is one name."""
    assert requests(begun().line("Zoe\u0308")) == [Find("Zo\u00eb")]
    assert requests(begun().line("O\u2019Neil")) == [Find("O'Neil")]


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
    assert requests(dialogue.line("Ada")) == [Find("Ada", unsaid=True)]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("conect ada secret1", "Did you mean: connect NAME PASSWORD"),
        ("craete ada secret1", "Did you mean: create NAME PASSWORD"),
        ("open sesame", "neither a command nor a name"),
        ("connect", "connect NAME PASSWORD"),
        ("create", "create NAME PASSWORD"),
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
    assert prompt_of(actions) == "Name: "


def test_a_mistyped_command_that_could_be_a_name_is_recognized() -> None:
    """`gest` is a possible name and a probable mistake."""
    dialogue = begun()
    dialogue.line("gest")
    assert "guest" in said(dialogue.answer(Found(None)))


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (Wrong(), "not the password of ada"),
        (Unknown(), "no character called ada"),
        (Disabled(), "may not log in"),
        (Taken("The name ada is taken."), "is taken"),
        (TryLater(7.6), "Too many failed tries. Wait 8 s, then"),
        (TryLater(3590.0, "Many were made."), "Many were made. Wait 60 minutes, then"),
        (Busy(), "Try again in a moment"),
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


@pytest.mark.parametrize("request_line", ["POST / HTTP/1.1", "GET /x?y=guest HTTP/1.0", "OPTIONS * HTTP/1.1"])
def test_a_browser_that_is_sent_here_by_another_site_does_nothing(request_line: str) -> None:
    """The body of its request would be lines: whoever visits a site would play here without a word of it (FM-79)."""
    dialogue = begun()
    actions = dialogue.line(request_line)
    assert actions[-1] == Quit()
    assert "speaks telnet" in said(actions)
    for line in ("Host: 127.0.0.1:4000", "", "guest", "create Eve longpassword"):
        assert dialogue.line(line) == []


@pytest.mark.parametrize(
    "lines",
    [
        ["PROXY TCP4 192.0.2.7 192.0.2.1 50000 4000"],
        ["PROXY TCP6 2001:db8::7 2001:db8::1 50000 4000"],
        ["PROXY UNKNOWN"],
        ["", "", "", "QUIT"],  # what the telnet machine leaves of CR LF CR LF NUL CR LF QUIT LF
    ],
)
def test_a_proxy_that_nobody_named_is_told_what_is_missing(lines: list[str]) -> None:
    """Its header comes as lines; of version 2 one is "QUIT", and a goodbye would not say what is wrong."""
    dialogue = begun()
    *first, last = lines
    for line in first:
        assert requests(dialogue.line(line)) == []
    actions = dialogue.line(last)
    assert isinstance(actions[-1], Quit)
    assert "[server] proxies" in actions[-1].refused
    assert "[server] proxies" in said(actions)
    assert dialogue.line("guest") == []


@pytest.mark.parametrize("before", [[""], ["", "", "who"], ["", "", "", ""]])
def test_only_what_a_connection_begins_with_can_be_a_proxy_header(before: list[str]) -> None:
    """Players leave by the same word."""
    dialogue = begun()
    for line in before:
        if requests(dialogue.line(line)) == [ListWho()]:
            dialogue.answer(Playing([]))
    assert "Goodbye" in said(dialogue.line("QUIT"))


def test_who_lists_no_more_names_than_a_stranger_may_cost() -> None:
    """The answer is kept for each who asks, and grows with the players (FM-17)."""
    dialogue = begun()
    dialogue.line("who")
    answer = said(dialogue.answer(Playing([f"Ada{n}" for n in range(10_000)])))
    assert answer.startswith("10000 are playing: Ada0, Ada1, ")
    assert f", Ada{LISTED_MAX - 1} and {10_000 - LISTED_MAX} more.\n" in answer


def test_an_interrupt_gives_the_prompt_back_with_echo_on() -> None:
    """Control-C at the password must not leave the terminal blind."""
    dialogue = begun()
    dialogue.line("ada")
    dialogue.answer(Found(ADA))
    assert not hidden_after(dialogue.interrupt(), True)
    assert dialogue.stage == "name"


# --- clients that type for their players ---


def test_a_name_and_a_password_by_timer_log_in() -> None:
    """Mudlet types both lines when its time has come, whatever was asked by then."""
    dialogue = begun()
    assert requests(dialogue.line("Ada")) == [Find("Ada")]
    dialogue.answer(Found(ADA))  # the shell keeps the next line until here
    (verify,) = requests(dialogue.line("secret1"))
    assert isinstance(verify, Verify)
    assert dialogue.answer(Admitted(ADA)) == [Enter(ADA)]


@pytest.mark.parametrize(
    "answer",
    [Found(None), Found(None, "Ada mixes Latin and Cyrillic."), Busy(), Broken(), TryLater(3.0)],
)
@pytest.mark.parametrize(
    "second", [Found(None), Found(None, "It is a word that the server needs itself."), Busy(), Broken(), Wrong()]
)
def test_a_password_that_comes_where_a_name_is_asked_for_is_not_repeated(answer, second) -> None:
    """The name was refused, and the client's timer runs on: its password is shown to nobody (FM-96)."""
    dialogue = begun()
    dialogue.line("Ada")
    dialogue.answer(answer)
    shown = said(asked := dialogue.line("hunter2x"))
    assert all(request.unsaid for request in asked if isinstance(request, Find))
    if dialogue.waiting and not isinstance(second, Wrong):
        shown += said(dialogue.answer(second))
    assert "hunter2x" not in shown


def test_a_password_that_answers_the_offer_makes_no_character_of_that_name() -> None:
    """It was neither yes nor no: who then types yes must not be called like their password (FM-96)."""
    dialogue = begun()
    dialogue.line("Ada")
    dialogue.answer(Found(None))
    dialogue.line("hunter2x")
    actions = dialogue.answer(Found(None))
    assert "neither yes nor no" in said(actions)
    assert dialogue.stage == "name"


def test_credentials_log_in_and_the_program_is_told() -> None:
    """GMCP Char.Login: one message in, one result out, and the person enters."""
    dialogue = begun()
    (verify,) = dialogue.credentials(" ada ", Secret("secret1"))
    assert isinstance(verify, Verify)
    assert (verify.name, verify.password.reveal()) == ("ada", "secret1")
    assert dialogue.answer(Admitted(ADA)) == [LoggedIn(True), Enter(ADA)]


@pytest.mark.parametrize("answer", [Wrong(), Unknown(), Disabled(), TryLater(5.0), Busy(), Broken()])
def test_refused_credentials_are_told_to_program_and_person(answer) -> None:
    """Once; a login that the person types afterwards is no business of the program's."""
    dialogue = begun()
    dialogue.credentials("ada", Secret("secret1"))
    actions = dialogue.answer(answer)
    (told,) = [action for action in actions if isinstance(action, LoggedIn)]
    assert not told.ok
    assert told.reason.strip() in said(actions)
    assert prompt_of(actions) == "Name: "
    dialogue.line("connect ada secret1")
    assert not any(isinstance(action, LoggedIn) for action in dialogue.answer(answer))


@pytest.mark.parametrize(
    ("name", "password"), [("", "x"), ("ada", ""), ("x" * 41, "x"), ("a\x1bda", "x"), ("a\nb", "x")]
)
def test_credentials_that_cannot_be_are_refused_at_once(name: str, password: str) -> None:
    """Nothing is asked of the accounts, and nothing of it is shown."""
    dialogue = begun()
    actions = dialogue.credentials(name, Secret(password))
    assert requests(actions) == []
    assert isinstance(actions[0], LoggedIn)
    assert "\x1b" not in said(actions)


@pytest.mark.parametrize("stage", ["password", "offer", "new-password", "repeat"])
def test_nothing_but_their_own_answer_logs_in_who_is_being_asked(stage: str) -> None:
    """At the password, and anywhere on the way to a character, credentials change nothing (FM-1)."""
    dialogue = at_stage(stage)
    (told,) = dialogue.credentials("ada", Secret("secret1"))
    assert isinstance(told, LoggedIn)
    assert not told.ok
    assert dialogue.stage == stage


@pytest.mark.parametrize("stage", ["password", "new-password", "repeat"])
def test_commands_where_a_password_is_asked_for_are_passwords(stage: str) -> None:
    """Neither `guest` nor `connect NAME PASSWORD` enters from there (FM-1)."""
    for line in ("guest", "connect ada secret1", "mssp-request"):
        dialogue = at_stage(stage)
        asked = requests(dialogue.line(line))
        assert not any(isinstance(action, Enter | ShowStatus | Quit) for action in asked)
        assert not any(isinstance(action, Verify) and action.password.reveal() != line for action in asked)


def at_stage(stage: str) -> Dialogue:
    """A dialogue that was brought there as a player does; stages have names, which no version renumbers (FM-2)."""
    if stage == "password":
        dialogue = begun()
        dialogue.line("ada")
        dialogue.answer(Found(ADA))
    elif stage == "offer":
        dialogue = begun()
        dialogue.line("bob")
        dialogue.answer(Found(None))
    else:
        dialogue = creating("Bob")
        if stage == "repeat":
            dialogue.line("tr0ub4dor")
    assert dialogue.stage == stage
    return dialogue


def test_a_crawler_gets_the_status_as_text() -> None:
    """MSSP without telnet: the line MSSP-REQUEST, and the login is where it was."""
    dialogue = begun()
    assert dialogue.line("MSSP-REQUEST") == [ShowStatus(), Say("", "Name: ")]
    assert dialogue.stage == "name"


def test_settings_can_be_changed_before_logging_in() -> None:
    """Who listens to the screen need not find the way in first."""
    dialogue = begun()
    assert dialogue.line("set screenreader on") == [Set("set screenreader on"), Say("", "Name: ")]
    assert dialogue.line("SET") == [Set("set"), Say("", "Name: ")]


def test_every_question_ends_in_a_prompt_without_a_newline() -> None:
    """Strict clients show it only since EOR or GA follows, which follow prompts alone (FM-6)."""
    dialogue = begun()
    assert prompt_of(dialogue.line("")) == "Name: "
    dialogue.line("bob")
    shown = [dialogue.answer(Found(None)), dialogue.line("yes"), dialogue.line("tr0ub4dor")]
    assert [prompt_of(actions) for actions in shown] == [
        "Make a new one of this name? (yes or no) ",
        "New password: ",
        "The same again: ",
    ]


def test_a_secret_shows_nothing_of_itself() -> None:
    """Passwords are in no repr, log or pickle (FM-96)."""
    secret = Secret("hunter2x")
    assert "hunter2x" not in f"{secret!r} {secret} {Verify('ada', secret)!r} {Create('ada', secret)}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)


ANSWERS = st.sampled_from(
    [
        Found(None),
        Found(None, "No."),
        Found(ADA),
        Admitted(ADA),
        Wrong(),
        Unknown(),
        Disabled(),
        TryLater(1),
        Busy(),
        Broken(),
        Playing([]),
    ]
)
LINES = st.one_of(
    st.sampled_from(
        ["ada", "connect ada pw", "create bob secret1", "create bob", "who", "yes", "no", "", "help", "credentials"]
    ),
    st.text(max_size=60),
)


@given(st.lists(st.tuples(LINES, ANSWERS, st.booleans()), max_size=30))
def test_echo_is_off_exactly_while_a_password_is_typed(steps) -> None:
    """Whatever is typed and answered, the dialogue never raises and never leaves the echo wrong (FM-96)."""
    dialogue = begun()
    hidden = False
    for line, answer, interrupt in steps:
        if interrupt and not dialogue.waiting:
            actions = dialogue.interrupt()
        elif line == "credentials":
            actions = dialogue.credentials("ada", Secret("secret1"))
        else:
            actions = dialogue.line(line)
        hidden = hidden_after(actions, hidden)
        if dialogue.waiting:
            assert len(requests(actions)) == 1
            hidden = hidden_after(more := dialogue.answer(answer), hidden)
            assert not any(isinstance(action, Find | Verify | Create) for action in more)
        assert hidden == dialogue.hidden
        if dialogue.stage == "done":
            break
