"""Puts the caller through to people, with what they need so that nothing is asked twice."""

from dataclasses import dataclass

from graph.skill import Caller, Speak, caller_turn, open_question
from graph.state import Awaiting, CallState, CallUpdate, Handover, TransferReason
from prompts import load
from tools import spoken

QUEUES = {"claims": "sinistres", "contract": "vie"}
"""Queue of the switchboard by what the call was about; ``conseillers`` for everything else."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hands over, or takes the caller back when he declines."""

    name: str = "transfer"
    intent: str = "transfer"
    describes: str = "parler à un conseiller, à un humain, être rappelé"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """Yes or no to "je vous le passe ?"."""
        return spoken.yes_no(caller.text) is not None

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Say to whom and why, and write down what people need to know."""
        words = load(self.name)
        caller = caller_turn(state) or Caller("")
        offered = open_question(state, self.name) == "offer"
        if offered and not caller.keyed and spoken.yes_no(caller.text) is False:
            speak(words.say("declined"))
            return {"misses": 0}
        reason = state.get("transfer_reason", "asked")
        topic = state.get("pending") or state.get("topic", "")
        speak(words.say(_line(reason, topic)))
        return {"ended": "transfer", "handover": self._handover(state, reason, topic)}

    def _handover(self, state: CallState, reason: TransferReason, topic: str) -> Handover:
        seal = state.get("identity")
        words = load(self.name)
        return Handover(
            queue=QUEUES.get(topic, "conseillers"),
            reason=reason,
            summary=words.say(
                "summary",
                reason=words.say(f"because_{reason}").text,
                topic=words.say(f"about_{topic or 'nothing'}").text,
                identity=words.say("identified" if seal else "not_identified_yet").text,
            ).text,
            customer_number=str(seal["customer_number"]) if seal else "",
        )


def _line(reason: TransferReason, topic: str) -> str:
    match reason:
        case "not_understood" | "not_identified" | "adviser_needed":
            return reason
        case "asked" | "unavailable" | "unknown":
            return {"claims": "claims", "contract": "contracts"}.get(topic, "advisers")
