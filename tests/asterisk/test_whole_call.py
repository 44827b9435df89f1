"""The rehearsal's whole call on the real Asterisk: SIP, G.711 A-law over RTP, the production dialplan."""

import pytest

from app.rehearsal.caller import ScriptedCaller, Spoken
from app.rehearsal.script import Cue, read_script
from app.rehearsal.telephone import LineNoise
from app.rehearsal.verdict import Recording, judge
from audio.tts import TextToSpeech
from tests.asterisk.agent import Agent
from tests.asterisk.conftest import Measure
from tests.asterisk.g711 import A_LAW
from tests.asterisk.host import TRUNK, Asterisk
from tests.asterisk.phone import EndedBy, Phone

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(240)]

SCRIPT = read_script()

GREETED_WITHIN_MS = 1000
"""The promise to the caller. Measured: 25 ms, so only a machine that stands still can miss it."""


class Nobody:
    """Nobody watches."""

    def caller_speaks(self, cue: Cue) -> None:
        """See :class:`app.rehearsal.caller.Audience`."""

    def caller_hears(self, spoken: Spoken) -> None:
        """See :class:`app.rehearsal.caller.Audience`."""


async def test_a_whole_french_call_goes_as_its_script_says(
    asterisk: Asterisk, agent: Agent, voice: TextToSpeech, measured: Measure
) -> None:
    caller = await ScriptedCaller.of(SCRIPT, voice)
    async with Phone.at(TRUNK, SCRIPT.caller) as phone:
        call = await phone.dial("0123456789", asterisk.sip_address)
        call.background = LineNoise()
        agent.transcripts.phone = call
        played = await caller.talk(call, Nobody())
        ended_by = await call.over(5000)
    recording = Recording(*call.tracks(), tuple(call.heard()))
    verdict = judge(SCRIPT, played, agent.transcripts.only, recording, word_for_word=True)
    faults = {scene.cue.title: scene.faults for scene in verdict.scenes if scene.faults}
    assert verdict.passed, (faults, verdict.faults)
    assert ended_by is EndedBy.THEM
    assert call.codec is A_LAW
    greeted_ms = call.first_speech_ms()
    assert greeted_ms is not None
    assert greeted_ms < GREETED_WITHIN_MS
    waits = sorted(scene.wait.heard_ms for scene in verdict.scenes if scene.wait is not None)
    measured("greeting heard after the answer", f"{greeted_ms:.0f} ms")
    measured("answers heard after the caller's last sound, median", f"{waits[len(waits) // 2]:.0f} ms")
