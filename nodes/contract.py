"""What the caller's life insurance contracts are worth. Numbers come from the back office, never a model."""

from dataclasses import dataclass

from graph.skill import Caller, Speak, offer_adviser, request_served
from graph.state import Awaiting, CallState, CallUpdate
from prompts import load
from tools import written
from tools.backoffice import Backoffice
from tools.identity import Identity
from tools.models import Contract as ContractRecord
from tools.models import ContractStatus

MAX_SPOKEN = 3
"""Nobody remembers more than three items that were read to him."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The identified caller's contracts."""

    backoffice: Backoffice
    name: str = "contract"
    intent: str = "contract_inquiry"
    describes: str = "savoir ce que vaut son contrat d'assurance vie, son épargne, ses versements"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """It leaves no question of its own open."""
        return False

    async def __call__(self, state: CallState, speak: Speak, identity: Identity) -> CallUpdate:
        """Say what each contract is worth and since when. Raises ``BackofficeUnavailable``."""
        words = load(self.name)
        contracts = await self.backoffice.contracts(identity)
        if not contracts:
            return offer_adviser(state, speak, words, "none", "unknown", self.name)
        if len(contracts) > 1:
            speak(words.say("several", count=str(len(contracts))))
        for contract in contracts[:MAX_SPOKEN]:
            self._describe(speak, contract)
        return request_served(state, speak, self.name)

    def _describe(self, speak: Speak, contract: ContractRecord) -> None:
        words = load(self.name)
        if contract.status is ContractStatus.CLOSED:
            speak(words.say("closed", product=contract.product))
            return
        if contract.status is ContractStatus.PENDING:
            speak(words.say("not_in_force", product=contract.product))
            return
        speak(
            words.say(
                "value",
                product=contract.product,
                value=written.euros(contract.value_cents),
                valued_on=written.day(contract.valued_on),
            )
        )
        if contract.monthly_payment_cents:
            speak(words.say("also", payment=written.euros(contract.monthly_payment_cents)))
