"""The dialogue machine. Import from its modules: this file stays empty (nodes import them back)."""
