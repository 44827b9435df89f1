"""When everything is loaded: what is there to stay is taken out of the garbage collector's way.

A process of ours holds a quarter of a million objects after its start (LangGraph, pydantic, the knowledge
base), and Python's collector looks at every one of them whenever enough new ones have come: every call
stands still for a third of a second (measured, 235,000 objects), which is fifteen frames of sound. And since
"enough" is a quarter of what there is, it seldom comes, and what calls leave behind waits for minutes.
Frozen, the old objects are neither looked at nor counted: collections are short, and come often.
"""

import gc


def settle() -> None:
    """Free what the start left behind, and never look at the rest again. Once, before the first call."""
    gc.collect()
    gc.freeze()
