"""Settings → the parts that answer the phone. The only code that knows brands.

Every choice is made once, at start, by a function ``choose_…`` of the file that is named for the part, and
can be read off :attr:`Agent.parts`: the terminal and the readiness page say plainly which ear, voice and back
office a call will meet. What is opened is closed by the stack it was chosen with.

``agent`` stands on ``mind``, ``ears`` and ``voices``; ``mind`` stands on ``faculties``, ``stores`` and
``backoffice``.
"""

from app.wiring.agent import Agent, open_agent
from app.wiring.ears import REHEARSAL_VOICE, known_lines
from app.wiring.faculties import Faculties, open_faculties, open_faq, open_knowledge
from app.wiring.mind import Mind, Surroundings, open_mind, services_of, this_moment
from app.wiring.stores import archive_of, identity_key, open_stores
from app.wiring.voices import Voices, open_voices

__all__ = [
    "REHEARSAL_VOICE",
    "Agent",
    "Faculties",
    "Mind",
    "Surroundings",
    "Voices",
    "archive_of",
    "identity_key",
    "known_lines",
    "open_agent",
    "open_faculties",
    "open_faq",
    "open_knowledge",
    "open_mind",
    "open_stores",
    "open_voices",
    "services_of",
    "this_moment",
]
