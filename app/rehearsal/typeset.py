"""French broken into lines: a sign that stands apart from its word never begins a line."""

import textwrap

_STAY = "\u00a0"


def wrapped(text: str, width: int, max_lines: int | None = None) -> list[str]:
    """``text`` in lines of at most ``width`` characters; what does not fit into ``max_lines`` is "…"."""
    for sign in "?!:;»–":
        text = text.replace(f" {sign}", _STAY + sign)
    text = text.replace("« ", f"«{_STAY}")
    lines = textwrap.wrap(text, width, break_on_hyphens=False, max_lines=max_lines, placeholder=" …")
    return [line.replace(_STAY, " ") for line in lines]
