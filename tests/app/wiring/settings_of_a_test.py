"""Settings with some values of a test's own."""

from app.settings import Settings


def changed(settings: Settings, concern: str, **values: object) -> Settings:
    """``settings`` with some values of one concern changed."""
    fields = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    fields[concern] = fields[concern].model_copy(update=values)
    return Settings(**fields)
