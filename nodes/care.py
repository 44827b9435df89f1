"""What goes before every question of ours: danger, grief, distress, a complaint, another language, a wish.

Any of it may come at any moment, also in the middle of an identification. What is urgent goes to people at
once; what is a wish is granted, and the question that was open is asked again.

Rules: emergency services first, then the claim; whoever may harm himself hears of the 3114 (national line,
day and night) and gets a human; whoever has lost somebody hears condolences and no figures, and nobody is
identified for a dead person's contract; who speaks for somebody else gets people, whatever items he has; any
dissatisfaction, even oral, is a complaint: acknowledged within ten working days, answered within two months,
the mediator after that (ACPR, recommendation 2024-R-02); it is a machine, and says so whenever it is asked
(AI Act, art. 50); the rights over one's data are explained, never said to be done (GDPR, art. 12 to 22). A
caller who insults hears one calm sentence, and the second time people; words meant for a language model have
no effect, because none decides here.
"""

import re
from dataclasses import dataclass

from graph.skill import (
    Caller,
    Speak,
    adopt,
    asked,
    caller_turn,
    last_question,
    offer_adviser,
    open_question,
    question,
    request_served,
)
from graph.state import Awaiting, CallState, CallUpdate, SpokenTo, TransferReason
from knowledge.acts import Act, act, acts
from prompts import Line, load
from tools import spoken

MAX_INSULTS = 2

ACTS: dict[Act, str] = dict.fromkeys(Act, "care") | {Act.STOP_RECORDING: "greet", Act.CALL_BACK: "transfer"}
"""Which node meets each act; for ``classify``."""

_NOT_REPEATED = frozenset(
    {
        "greet.notice",
        "common.anything_else",
        "common.more",
        "common.next_request",
        "authenticate.welcome",
        "care.again",
        "care.slower",
        "care.louder",
    }
)
"""Courtesies that a repetition is shorter without."""

_LANGUAGES: dict[str, re.Pattern[str]] = {
    "english": re.compile(r"\b(?:hello|english|speak|help|please|my|the|is|you|insurance|claim|anyone)\b"),
    "spanish": re.compile(r"\b(?:hola|hablan?|espa[nñ]ol|espagnol|ayuda|necesito|usted|tiene|quiero)\b"),
    "german": re.compile(r"\b(?:guten|tag|sprechen|deutsch|allemand|ich|bitte|hilfe|sie|brauche)\b"),
    "italian": re.compile(r"\b(?:buongiorno|parl[ao]|parlate|italiano?|italien|aiuto|vorrei|bisogno)\b"),
    "portuguese": re.compile(r"\b(?:bom|fala|portugu[eê]s|portugais|ajuda|preciso|obrigado)\b"),
    "arabic": re.compile(r"\b(?:sal[aâ]m|arabe|marhaba)\b"),
}

_DATA: dict[str, re.Pattern[str]] = {
    "data_erased": re.compile(r"effac|supprim|oubli|dispara", re.IGNORECASE),
    "data_kept": re.compile(r"combien de temps|longtemps|dur[eé]e|conserv", re.IGNORECASE),
    "data_officer": re.compile(r"\bdpo\b|d[eé]l[eé]gu|cnil|[eé]crire|contact", re.IGNORECASE),
    "data_corrected": re.compile(r"corrig|rectifi|erreur|fau(?:x|sse)", re.IGNORECASE),
}

_THEFT = re.compile(r"\b(?:vol|vol[eé]e?s?|cambriol\w*)\b", re.IGNORECASE)
_CATASTROPHE = re.compile(r"catastrophe|inond|s[eé]cheresse|tremblement|coul[eé]e", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Care:
    """One answer to each act of :mod:`knowledge.acts`; recording and call-backs have their own nodes."""

    name: str = "care"
    intent: str = "care"
    describes: str = "urgence, deuil, détresse, réclamation, répéter, parler plus lentement, mes données"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """Yes or no to "souhaitez-vous le déclarer ?"."""
        return _agrees(caller) is not None

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Meet the act; then people, or the question that was open."""
        caller = caller_turn(state) or Caller("")
        found = None if caller.keyed else act(asked(state))
        if found is None and open_question(state, self.name) == "declare":
            return self._declares(state, speak, caller)
        match found:
            case Act.EMERGENCY:
                self._say(speak, "emergency")
                return {"awaiting": question(self.name, "declare", "yes_no"), "misses": 0}
            case Act.DISTRESS:
                return self._to_people(speak, "distress", "distress")
            case Act.BEREAVEMENT:
                return {**self._to_people(speak, "bereavement", "bereavement"), **_nobody("bereavement")}
            case Act.THIRD_PARTY:
                return {**self._to_people(speak, "third_party", "third_party"), **_nobody("third_party")}
            case Act.COMPLAINT:
                return self._to_people(speak, "complaint", "complaint")
            case Act.LANGUAGE:
                return self._to_people(speak, f"language_{_language(asked(state))}", "language")
            case Act.DECLARE_CLAIM:
                return self._declare(state, speak, asked(state))
            case Act.INSULT:
                return self._insulted(state, speak)
            case Act.SLOWER | Act.LOUDER:
                return self._adapt(state, speak, found)
            case Act.REPEAT:
                return self._repeat(state, speak)
            case Act.ROBOT:
                self._say(speak, "robot")
            case Act.MY_DATA:
                key = next((key for key, form in _DATA.items() if form.search(asked(state))), "data")
                self._say(speak, key)
                awaiting = state.get("awaiting")
                if awaiting is None or awaiting["form"] == "open" or awaiting["by"] == "authenticate":
                    return request_served(state, speak, self.name)
            case Act.HOLD_ON if open_question(state, "transfer") == "choice":
                return {"goto": "transfer", "awaiting": state.get("awaiting")}  # « patientons »
            case Act.HOLD_ON:
                self._say(speak, "hold_on")
                return {"awaiting": state.get("awaiting")}
            case _:  # words meant for a language model, or none that anything can be made of
                self._say(speak, "not_that")
        return self._ask_again(state, speak)

    # people

    def _to_people(self, speak: Speak, key: str, reason: TransferReason) -> CallUpdate:
        self._say(speak, key)
        return {"goto": "transfer", "transfer_reason": reason, "misses": 0, "queued": []}

    def _insulted(self, state: CallState, speak: Speak) -> CallUpdate:
        insults = state.get("insults", 0) + 1
        if insults >= MAX_INSULTS:
            return {**self._to_people(speak, "insulted_again", "insult"), "insults": insults}
        self._say(speak, "insulted")
        return {**self._ask_again(state, speak), "insults": insults}

    # a claim that is not declared yet

    def _declare(self, state: CallState, speak: Speak, said: str) -> CallUpdate:
        if _THEFT.search(said):
            key = "declare_theft"
        elif _CATASTROPHE.search(said):
            key = "declare_catastrophe"
        else:
            key = "declare"
        self._say(speak, key)
        return offer_adviser(state, speak, load(self.name), "declare_with", "declare", "claims")

    def _declares(self, state: CallState, speak: Speak, caller: Caller) -> CallUpdate:
        """After an emergency: he is safe and declares, or not now."""
        match _agrees(caller):
            case True:
                return {
                    "goto": "transfer",
                    "transfer_reason": "declare",
                    "topic": "claims",
                    "pending": "",
                    "misses": 0,
                }
            case False:
                self._say(speak, "later")
                return {"awaiting": question("goodbye", "more", "open"), "misses": 0}
            case None:
                misses = state.get("misses", 0) + 1
                if misses >= MAX_INSULTS:
                    return {
                        "goto": "transfer",
                        "transfer_reason": "emergency",
                        "topic": "claims",
                        "misses": 0,
                    }
                self._say(speak, "declare_missed")
                return {"awaiting": question(self.name, "declare", "yes_no"), "misses": misses}

    # how he wants to be spoken to

    def _adapt(self, state: CallState, speak: Speak, wish: Act) -> CallUpdate:
        manner = state.get("manner") or SpokenTo(pace="normal", louder=False)
        wishes = acts(asked(state)) | {wish}  # « moins vite, je suis un peu sourde » is both
        if Act.SLOWER in wishes:
            manner = SpokenTo(pace="slow", louder=manner["louder"])
        if Act.LOUDER in wishes:
            manner = SpokenTo(pace=manner["pace"], louder=True)
        adopt(manner)
        self._say(speak, "slower" if Act.SLOWER in wishes else "louder")
        return {**self._repeat(state, speak), "manner": manner}

    def _repeat(self, state: CallState, speak: Speak) -> CallUpdate:
        """The last answer again, whole although he may have interrupted it, without its courtesies."""
        said = state.get("spoken")
        lines = [Line(key, text) for key, text in said["lines"] if key not in _NOT_REPEATED] if said else []
        if not lines:
            return self._ask_again(state, speak)
        for line in lines:
            speak(line)
        return {"awaiting": state.get("awaiting")}

    def _ask_again(self, state: CallState, speak: Speak) -> CallUpdate:
        """The question that was open stays open, and is said again."""
        awaiting = state.get("awaiting")
        again = last_question(state) if awaiting is not None and awaiting["form"] != "open" else ""
        if again:
            speak(Line("care.question", again))
        else:
            self._say(speak, "go_on")
        return {"awaiting": awaiting}

    def _say(self, speak: Speak, key: str) -> None:
        speak(load(self.name).say(key))


def _nobody(whom: str) -> CallUpdate:
    """From now on nobody is identified, and what was proven no longer counts: it is not the speaker's."""
    return {
        "for_another": "bereavement" if whom == "bereavement" else "third_party",
        "identity": None,
        "given_number": "",
        "given_birth_date": "",
        "tried_number": "",
        "pending": "",
        "request": "",
        "about": "",
    }


def _agrees(caller: Caller) -> bool | None:
    if caller.keyed:
        return {"1": True, "2": False}.get(caller.text)
    return spoken.yes_no(caller.text)


def _language(text: str) -> str:
    """The language of most of its words, or the one that it names; English when nothing tells."""
    found = {language: len(form.findall(text.lower())) for language, form in _LANGUAGES.items()}
    likeliest = max(found, key=lambda language: found[language])
    return likeliest if found[likeliest] else "english"
