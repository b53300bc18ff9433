"""What the other modules import: an edit here concerns all of them."""

MARK = 0


def polish(text: str) -> str:
    """Text as it may be shown."""
    return text.strip()


# halfway

SIGNS = [polish(sign) for sign in (".", "!", "?")]


def ends(text: str) -> bool:
    """Whether it is a sentence."""
    return text.endswith(tuple(SIGNS))
