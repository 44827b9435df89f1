"""The dialogue machine: what the nodes stand on, and what stands on the nodes.

Below the nodes, imported by them: ``state``, ``skill``, ``reply``, ``heard``. Above them: ``builder``,
``dialogue`` and the stores of calls. One folder for the reader, several floors for the import contract, which
names the modules one by one. Import from those: this file stays empty (nodes import them back).
"""
