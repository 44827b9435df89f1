"""What the adapters of speech and language share: breakers, warmth, and who is told what they do and cost."""

from dataclasses import dataclass
from typing import Self

from app.watching.logs import log_breaker_news, log_provider_news
from app.watching.warming import Warming
from memory.breaker import Breakers
from memory.provider_news import ProviderNews, Tell


@dataclass(frozen=True, slots=True)
class Providers:
    """What the adapters of speech and language share: breakers, and who is told of switches and tokens."""

    listeners: list[Tell]
    """Whom :meth:`tell` tells; more may come."""
    breakers: Breakers
    warming: Warming

    @classmethod
    def watched_by(cls, *listeners: Tell) -> Self:
        """Fresh ones; ``listeners`` are told besides the log."""
        breakers = Breakers(tell=log_breaker_news)
        return cls([log_provider_news, *listeners], breakers, Warming(breakers))

    def tell(self, news: ProviderNews) -> None:
        """``news`` to everybody who wants them."""
        for listener in self.listeners:
            listener(news)


def uncounted(_: int) -> None:
    """Nobody counts what this costs."""
