"""What the closed-set ear's thresholds divide: distances of lines on the list, and of everything else.

Run from the root, half a minute, no key and no network::

    python -m bench.closed_set

Every row is one condition: how many utterances, how many were taken for the right line, for no line, for a
wrong line, then percentiles of the deciding figure (the worst 200 ms of the best line; see audio.likeness)
and of the lead over the next line. The acceptance limit of audio.providers.closed_set_stt has to lie above
the upper rows and below the lower ones.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable

import numpy as np

from audio.likeness import Gallery, Likeness
from audio.providers.closed_set_stt import MARGIN, WORST_ACCEPTED, confidence_in
from audio.providers.espeak_tts import EspeakTts
from audio.tts import TextToSpeech
from tests.audio.wear import (
    Sound,
    a_law,
    hesitating,
    padded,
    pcm_of,
    sound_of,
    telephone_band,
    with_noise,
)

ON_LIST = """
Bonjour, je voudrais savoir combien j'ai sur mon assurance vie.
Mon numéro de client, c'est le dix, zéro sept, quatre-vingt-huit, vingt et un.
Mon numéro de client, c'est le dix, zéro neuf, quatre-vingt-huit, vingt et un.
Je suis née le premier avril mille neuf cent soixante-deux.
Je suis née le premier avril mille neuf cent soixante-douze.
Et qu'est-ce qui se passe si je retire de l'argent avant huit ans ?
Et pour mon sinistre, le deux mille vingt-six zéro zéro trois un un sept, vous en êtes où ?
Et pour mon sinistre, le deux mille vingt-six zéro zéro trois un un neuf, vous en êtes où ?
Non merci, c'est tout. Au revoir.
Oui.
Non.
Oui, c'est bien cela.
Non, ce n'est pas ça.
Attendez, attendez !
Pardon, vous pouvez répéter ?
Je voudrais parler à un conseiller, s'il vous plaît.
Je veux déclarer un dégât des eaux dans ma cuisine.
J'ai eu un accident de voiture hier soir.
Quels sont vos horaires d'ouverture ?
Comment changer le bénéficiaire de mon contrat ?
Mon contrat, c'est VIE zéro zéro un deux trois quatre cinq.
Quel est le délai pour déclarer un sinistre ?
Où en est mon dossier ?
Combien de temps pour être remboursée ?
Merci beaucoup, bonne journée.
Je ne connais pas mon numéro de client.
C'est le quinze mars mille neuf cent quatre-vingt-cinq.
Je vous appelle pour mon contrat d'assurance vie.
Est-ce que je peux faire un versement de mille euros ce mois-ci ?
Mon mari est décédé la semaine dernière.
Vous êtes un robot ?
Parlez plus lentement, s'il vous plaît.
Je préfère ne pas être enregistrée.
Vingt, soixante-trois, zéro quatre, onze.
Vingt, soixante-treize, zéro quatre, onze.
Je voudrais recevoir un relevé de situation par courrier.
J'ai déménagé, je voudrais changer mon adresse.
Quel est le montant de la franchise pour un vol ?
On m'a volé mon vélo samedi dernier.
À quelle date vais-je recevoir le paiement de mon sinistre ?
""".strip().splitlines()

# Most are a word away from a line on the list.
OFF_LIST = """
Bonjour, je voudrais savoir combien j'ai payé pour ma voiture.
Mon numéro de client, c'est le dix, zéro huit, quatre-vingt-huit, vingt et un.
Mon numéro de client, c'est le dix, zéro sept, quatre-vingt-huit, trente et un.
Mon numéro de client, c'est le douze, zéro sept, quatre-vingt-huit, vingt et un.
Je suis née le premier avril mille neuf cent cinquante-deux.
Je suis née le premier mai mille neuf cent soixante-deux.
Et pour mon sinistre, le deux mille vingt-six zéro zéro trois un un huit, vous en êtes où ?
Et pour mon sinistre, le deux mille vingt-cinq zéro zéro trois un un sept, vous en êtes où ?
Bon.
Si.
Ouais.
Oui, merci.
Le chat dort sur le canapé du salon.
Il fait beau aujourd'hui à Paris.
Je voudrais parler à un avocat, s'il vous plaît.
Je veux déclarer un dégât des eaux dans ma chambre.
J'ai eu un accident de moto hier soir.
Quels sont vos tarifs ?
Comment changer l'adresse de mon contrat ?
Mon contrat, c'est VIE zéro zéro un deux trois quatre six.
C'est le seize mars mille neuf cent quatre-vingt-cinq.
C'est le quinze mai mille neuf cent quatre-vingt-cinq.
Vingt, soixante-trois, zéro cinq, onze.
Vingt, soixante-cinq, zéro quatre, onze.
On m'a volé mon vélo dimanche dernier.
Mon frère est décédé la semaine dernière.
Combien de temps pour être remboursé demain ?
Est-ce que je peux faire un versement de deux mille euros ce mois-ci ?
Au revoir.
Merci.
Allô ? Il y a quelqu'un ?
Pouvez-vous me donner la météo de demain matin ?
""".strip().splitlines()

NUMBERS = [
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    *("treize", "quatorze", "quinze", "seize", "vingt", "trente", "quarante", "cinquante", "soixante"),
]
DIGITS = NUMBERS[:10]

Wear = Callable[[Sound, int], Sound]


def _line(sound: Sound, seed: int, snr_db: float) -> Sound:
    """As it comes over a telephone: some silence around it, noise, A-law."""
    before_ms, after_ms = np.random.default_rng(seed).uniform(100, 500, 2)
    return a_law(with_noise(padded(sound, before_ms, after_ms), snr_db, seed))


WEAR: dict[str, Wear] = {
    "as recorded": lambda sound, _seed: sound,
    "band, A-law": lambda sound, _seed: a_law(telephone_band(padded(sound, 300, 300))),
    "noise 20 dB": lambda sound, seed: _line(sound, seed, 20),
    "noise 15 dB": lambda sound, seed: _line(sound, seed, 15),
    "-12 dB, noise 20 dB": lambda sound, seed: _line(sound / 4, seed, 20),
    "+12 dB (clipped), noise 20 dB": lambda sound, seed: _line(sound * 4, seed, 20),
    "two pauses, noise 20 dB": lambda sound, seed: _line(hesitating(sound, [350, 550]), seed, 20),
}
TEMPO = {"8 % faster, noise 20 dB": 178, "8 % slower, noise 20 dB": 152}


async def _spoken(lines: Iterable[str], voice: TextToSpeech) -> list[Sound]:
    return [await sound_of(voice.speak(line)) for line in lines]


def _percentiles(values: list[float]) -> str:
    if not values:
        return "      -     -     -     -"
    return " ".join(f"{value:5.2f}" for value in np.percentile(values, [0, 5, 50, 95, 100]))


def _row(title: str, heard: list[list[Likeness]], right: list[int | None]) -> None:
    """One line of the table; ``right`` holds the line that was spoken, None for one that is not listed."""
    taken = [found[0].index if confidence_in(found) else None for found in heard]
    good = sum(a == b for a, b in zip(taken, right, strict=True) if b is not None)
    wrong = sum(a != b for a, b in zip(taken, right, strict=True) if a is not None)
    best = [found[0].worst for found in heard if found]
    leads = [found[1].worst - found[0].worst for found in heard if len(found) > 1]
    none = len(heard) - good - wrong
    counts = f"{len(heard):4d} {good:5d} {none:5d} {wrong:5d}"
    sys.stdout.write(f"{title:34s} {counts}   {_percentiles(best)}   {_percentiles(leads)}\n")


async def main() -> None:
    voice = EspeakTts()
    on_list = await _spoken(ON_LIST, voice)
    gallery = Gallery([pcm_of(sound) for sound in on_list])

    def listen(sounds: list[Sound], wear: Wear = WEAR["as recorded"]) -> list[list[Likeness]]:
        return [gallery.compare(pcm_of(wear(sound, seed))) for seed, sound in enumerate(sounds)]

    sys.stdout.write(
        f"accepted up to {WORST_ACCEPTED}, lead of at least {MARGIN}; percentiles 0 5 50 95 100\n"
    )
    sys.stdout.write(
        f"{'':34s}    n right  none wrong   {'worst 200 ms of the best':29s}   lead over the next\n"
    )
    everyone: list[int | None] = list(range(len(ON_LIST)))
    for title, wear in WEAR.items():
        _row(title, listen(on_list, wear), everyone)
    for title, words_per_minute in TEMPO.items():
        other_tempo = await _spoken(ON_LIST, EspeakTts(words_per_minute=words_per_minute))
        _row(title, listen(other_tempo, WEAR["noise 20 dB"]), everyone)

    off_list = await _spoken(OFF_LIST, voice)
    rest: dict[str, tuple[list[Sound], Wear]] = {
        "not on the list": (off_list, WEAR["as recorded"]),
        "not on the list, noise 20 dB": (off_list, WEAR["noise 20 dB"]),
        "not on the list, noise 15 dB": (off_list, WEAR["noise 15 dB"]),
        "first half": ([sound[: len(sound) // 2] for sound in on_list], WEAR["noise 20 dB"]),
        "second half": ([sound[len(sound) // 2 :] for sound in on_list], WEAR["noise 20 dB"]),
        "first three quarters": ([sound[: len(sound) * 3 // 4] for sound in on_list], WEAR["noise 20 dB"]),
        "with half of another": (
            [
                np.concatenate([sound, other[: len(other) // 2]])
                for sound, other in zip(on_list, on_list[7:] + on_list[:7], strict=True)
            ],
            WEAR["noise 20 dB"],
        ),
        "white noise": (
            [np.random.default_rng(n).standard_normal(4000 * n) * 1000 for n in range(1, 11)],
            WEAR["as recorded"],
        ),
    }
    for title, (sounds, wear) in rest.items():
        _row(title, listen(sounds, wear), [None] * len(sounds))
    await _numbers(voice)
    await _speed(voice)


async def _numbers(voice: TextToSpeech) -> None:
    """Every number against an ear that knows the same sentence with one other number only."""
    for kind, numbers, frames in (
        ("digit", DIGITS, ("C'est le vingt, zéro {}, quarante-deux.", "Dix, zéro {}, onze.", "Zéro {}.")),
        ("number", NUMBERS, ("Mon numéro, c'est le {}, zéro sept, vingt et un.",)),
    ):
        sounds = [await _spoken([frame.format(number) for number in numbers], voice) for frame in frames]
        for title in ("as recorded", "noise 20 dB", "noise 15 dB"):
            same: list[list[Likeness]] = []
            other: list[list[Likeness]] = []
            for frame in sounds:
                ears = [Gallery([pcm_of(sound)]) for sound in frame]
                for spoken, sound in enumerate(frame):
                    pcm = pcm_of(WEAR[title](sound, spoken))
                    for known, ear in enumerate(ears):
                        found = ear.compare(pcm)
                        (same if known == spoken else other).append(found)
                        if known != spoken and confidence_in(found):
                            taken = f"{numbers[spoken]} taken for {numbers[known]}"
                            sys.stdout.write(f"  {taken}: {found[0].worst:.2f}\n")
            _row(f"same {kind}, {title}", same, [0] * len(same))
            _row(f"one other {kind}, {title}", other, [None] * len(other))


async def _speed(voice: TextToSpeech) -> None:
    lines = [
        f"{line[:-1]}, pour le contrat numéro {100 + number} de mon mari."
        for number, line in enumerate(ON_LIST)
    ]
    sounds = await _spoken(lines, voice)
    gallery = Gallery([pcm_of(sound) for sound in sounds])
    took_ms, cpu_ms = [], []
    for seed, sound in enumerate(sounds):
        pcm = pcm_of(_line(sound, seed, 20))
        started, started_cpu = time.perf_counter(), time.thread_time()
        gallery.compare(pcm)
        took_ms.append(1000 * (time.perf_counter() - started))
        cpu_ms.append(1000 * (time.thread_time() - started_cpu))
    seconds = sum(len(sound) for sound in sounds) / len(sounds) / 8000
    sys.stdout.write(
        f"one comparison with {len(lines)} lines of {seconds:.1f} s on average: "
        f"{np.median(took_ms):.0f} ms median, {max(took_ms):.0f} at most, {np.median(cpu_ms):.0f} of CPU\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
