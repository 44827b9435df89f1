"""The proof that the caller is a customer.

Back-office methods that return personal data take an :class:`Identity`, so the type checker
shows every way to such data. Only ``tools.gate`` can make one: the constructor asks for a
token that lives here and that the gate alone imports (a test reads the imports of the whole
source to keep it so). Python cannot stop code that is bent on cheating; this stops mistakes.

An identity is no JSON value and cannot be pickled or subclassed. It crosses a checkpoint as
the signed dictionary that :meth:`tools.gate.Gate.seal` makes.
"""

from enum import IntEnum
from typing import Final, NoReturn, final

GATE_TOKEN: Final = object()
"""What the constructor asks for. For ``tools.gate`` only."""


class IdentityLevel(IntEnum):
    """How much the caller has proven; a higher level opens more (notes: none, 1, 2, 3)."""

    NUMBER_AND_BIRTH_DATE = 1
    """A customer, contract or claim number and the birth date, both right."""
    THIRD_ITEM = 2
    """And a third item that relatives and finders of a letter are less likely to know."""


class ProofTooWeak(Exception):
    """What was asked for needs a higher level of proof. A fault of the code: nodes look first."""


@final
class Identity:
    """A caller who has proven to be this customer. Immutable; its repr shows no number."""

    __slots__ = ("_customer_number", "_level")

    _customer_number: str
    _level: IdentityLevel

    def __init__(self, customer_number: str, level: IdentityLevel, *, token: object) -> None:
        """For ``tools.gate``; raises TypeError without its token."""
        if token is not GATE_TOKEN:
            raise TypeError("an Identity is made by tools.gate only")
        object.__setattr__(self, "_customer_number", customer_number)
        object.__setattr__(self, "_level", level)

    @property
    def customer_number(self) -> str:
        """8 digits."""
        return self._customer_number

    @property
    def level(self) -> IdentityLevel:
        """How much was proven."""
        return self._level

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("an Identity does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("an Identity does not change")

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("Identity is sealed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an Identity is not stored; seal it with tools.gate")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identity):
            return NotImplemented
        return (self._customer_number, self._level) == (other._customer_number, other._level)

    def __hash__(self) -> int:
        return hash((self._customer_number, self._level))

    def __repr__(self) -> str:
        return f"Identity(level={self._level.value})"


def require(identity: Identity, level: IdentityLevel) -> None:
    """Raise :class:`ProofTooWeak` unless ``identity`` was proven to ``level`` or higher."""
    if identity.level < level:
        raise ProofTooWeak(f"needs a proof of level {level.value}, has {identity.level.value}; ask for more")
