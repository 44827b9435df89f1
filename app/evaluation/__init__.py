"""Measures understanding on labelled tables: ``python -m app evaluate intents|values FILE…``.

``tables`` reads what testers write (TSV, CSV, JSON lines, JSON, YAML); one module per kind of table runs the
very parts that answer the phone and reports. Nothing here decides anything in a call.
"""

GOOD, BELOW = 0, 1
"""Exit statuses: the goal of the table's kind is reached, or not. 2, as for every command: cannot be run."""
