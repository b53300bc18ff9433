"""Reconnect tokens: one at a time, never after they were replaced, and never kept in the clear."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.web.tokens import OPEN_MAX, RETIRED_MAX, TOKEN_BYTES, Issued, Replayed, Tokens, Use


def counting() -> Tokens:
    """Tokens whose entropy is a seeded generator's."""
    return Tokens(random.Random(7).randbytes)


def test_a_token_is_128_bits_of_the_given_entropy() -> None:
    """Number and 32 hexadecimal digits; the entropy is asked for nothing else."""
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    assert Tokens(entropy).issue("g.1.1") == Issued(1, "000102030405060708090a0b0c0d0e0f")
    assert asked == [TOKEN_BYTES] == [16]


def test_a_token_leads_to_its_session_and_to_the_next_token() -> None:
    """Whoever shows token 1 goes on with the session and is given token 2."""
    tokens = counting()
    first = tokens.issue("g.1.1")
    other = tokens.issue("g.1.2")
    use = tokens.used(first.token)
    assert isinstance(use, Use)
    assert (use.session, use.n, use.next.n) == ("g.1.1", 1, 2)
    assert len({first.token, other.token, use.next.token}) == 3
    of_other = tokens.used(other.token)
    assert isinstance(of_other, Use)
    assert of_other.session == "g.1.2"


def test_a_token_may_be_used_again_while_the_answer_to_it_may_be_lost() -> None:
    """The next token did not arrive: the client has only this one (FM-13)."""
    tokens = counting()
    first = tokens.issue("s")
    assert isinstance(tokens.used(first.token), Use)
    again = tokens.used(first.token)
    assert isinstance(again, Use)
    assert (again.n, again.next.n) == (1, 3)


def test_a_token_that_was_replaced_by_use_ends_its_session() -> None:
    """Token 2 was used, so whoever shows token 1 holds a copy (FM-13, FM-14)."""
    tokens = counting()
    first = tokens.issue("s")
    use = tokens.used(first.token)
    assert isinstance(use, Use)
    assert isinstance(tokens.used(use.next.token), Use)
    assert tokens.used(first.token) == Replayed("s")


def test_a_token_that_was_replaced_by_confirmation_ends_its_session() -> None:
    """The page has stored token 2, so token 1 is nobody's any more (FM-13)."""
    tokens = counting()
    first = tokens.issue("s")
    use = tokens.used(first.token)
    assert isinstance(use, Use)
    tokens.confirmed("s", 2)
    assert tokens.used(first.token) == Replayed("s")
    assert isinstance(tokens.used(use.next.token), Use)


def test_confirming_what_was_never_issued_changes_nothing() -> None:
    """A client cannot retire tokens by a number of its own making."""
    tokens = counting()
    first = tokens.issue("s")
    for n in (-1, 0, 2, 2**60):
        tokens.confirmed("s", n)
    tokens.confirmed("nobody", 1)
    assert isinstance(tokens.used(first.token), Use)


def test_a_token_that_comes_too_late_is_unknown() -> None:
    """The session is over, or was taken over by a login: its tokens lead nowhere, and harm nobody (FM-13, FM-14)."""
    tokens = counting()
    first = tokens.issue("s")
    tokens.forget("s")
    assert tokens.used(first.token) is None
    assert len(tokens) == 0
    taken = tokens.issue("s")
    assert tokens.used(first.token) is None
    assert isinstance(tokens.used(taken.token), Use)


def test_what_is_no_token_is_unknown() -> None:
    """Guesses of any shape are answered alike (FM-14)."""
    tokens = counting()
    issued = tokens.issue("s").token
    for guess in ("", "0" * 32, issued.upper(), issued + " ", issued[:-1], "\ud800", "é" * 5000):
        assert guess == issued or tokens.used(guess) is None


def test_no_token_is_kept_in_the_clear() -> None:
    """What the process remembers are digests: a dump of it opens no session (FM-14)."""
    tokens = counting()
    issued = tokens.issue("s").token
    kept = repr(vars(tokens)) + repr([vars(chain) for chain in tokens._chains.values()])
    assert issued not in kept
    assert repr(bytes.fromhex(issued)) not in kept


def test_a_session_keeps_a_bounded_number_of_digests() -> None:
    """Neither a client that loses each answer nor one that reconnects for ever fills the memory."""
    tokens = counting()
    first = tokens.issue("s")
    for _ in range(500):
        assert isinstance(tokens.used(first.token), Use)
    assert len(tokens) <= OPEN_MAX
    latest = first
    for _ in range(500):
        use = tokens.used(latest.token)
        assert isinstance(use, Use)
        latest = use.next
    assert len(tokens) <= OPEN_MAX + RETIRED_MAX


@given(st.lists(st.tuples(st.sampled_from(["issue", "use", "confirm", "forget"]), st.integers(0, 30)), max_size=60))
def test_a_token_is_valid_until_a_later_one_was_used_or_confirmed(steps: list[tuple[str, int]]) -> None:
    """Against a plain model of the rule: whatever happens in whatever order (FM-13).

    Retired tokens that were let go to keep the memory bounded may be unknown; they are never good again.
    """
    tokens, model = counting(), dict[str, tuple[str, int]]()
    floors, order = {"a": 0, "b": 0}, list[str]()
    sessions = itertools.cycle("ab")
    for step, number in steps:
        session = next(sessions)
        if step == "issue":
            issued = tokens.issue(session)
            model[issued.token] = session, issued.n
            order.append(issued.token)
        elif step == "forget":
            tokens.forget(session)
            floors[session] = 0
            model = {token: owner for token, owner in model.items() if owner[0] != session}
        elif step == "confirm":
            known = session in tokens._chains and number in tokens._chains[session].digests
            tokens.confirmed(session, number)
            if known:
                floors[session] = max(floors[session], number)
        elif order:
            token = order[number % len(order)]
            outcome = tokens.used(token)
            if token not in model:
                assert outcome is None
                continue
            session, n = model[token]
            if n < floors[session]:
                assert outcome in (Replayed(session), None)
            elif outcome is not None:
                assert isinstance(outcome, Use)
                assert (outcome.session, outcome.n) == (session, n)
                floors[session] = n
                model[outcome.next.token] = session, outcome.next.n
                order.append(outcome.next.token)
