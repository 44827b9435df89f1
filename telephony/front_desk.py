"""Takes the calls: gives each its line, its ear and its session."""

from dataclasses import dataclass

from audio.ear import Ear
from audio.endpointing import TurnTiming
from audio.playback import Playback
from audio.stt import SpeechToText
from audio.tts import TextToSpeech
from audio.vad import VoiceDetector
from graph.dialogue import Dialogue
from telephony.call import Call, Outcome
from telephony.journal import Journal
from telephony.line import Line
from telephony.session import Session


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """The reception of ``telephony.agi_server``: one for all calls of the process."""

    dialogue: Dialogue
    ears: SpeechToText
    voice: TextToSpeech
    detector: VoiceDetector
    timing: TurnTiming
    journal: Journal

    def open(self, call: Call) -> Line:
        """A line for ``call``."""
        return Line(Ear(self.detector.open(), self.timing), Playback())

    async def run(self, call: Call, line: Line) -> Outcome:
        """Talk with the caller until the end."""
        return await Session(call, line, self.dialogue, self.ears, self.voice, self.journal).run()
