"""The little language of the demo speech model: call-outs a player shouts during a match.

A template is a line of words and `{slots}`; `phrases()` is every line they can make. Phrases whose checksum says so
are held out of training, so that an evaluation never asks for a sentence the model has seen.
"""

import functools
import itertools
import random
import re
import zlib

_SLOTS: dict[str, str] = {
    "foe": "enemy|sniper|boss|tank|dragon|zombie|hunter|player",
    "foes": "enemies|snipers|zombies|players",
    "number": "one|two|three|four|five|six|seven|eight|nine|ten",
    "many": "two|three|four|five|six",
    "place": "left|right|roof|bridge|tower|gate|river|hill|garden|tunnel|window|door|base|castle|stairs|wall|corner"
    "|market|forest|middle|jungle|car|north|south|east|west",
    "spot": "on the left|on the right|on the roof|on the bridge|on the hill|in the tower|in the tunnel|in the garden"
    "|in the market|in the forest|at the gate|at the door|at the window|at the river|near the castle|near the base"
    "|behind the wall|around the corner|behind you|behind me|above us|below us|under the bridge|on the stairs"
    "|in the middle|in the jungle|behind the car|on the north side|on the south side|on the east side|on the west side",
    "near": "behind|above|below|near",
    "who": "you|me|us|him|them",
    "move": "push|rush|hold|watch|defend|attack|check|clear|leave",
    "when": "now|again|together|quickly|slowly|later",
    "item": "ammo|health|armor|shield|rifle|pistol|shotgun|grenade|sword|potion|helmet|bow|key|bomb|map|water|money"
    "|smoke|medkit|rocket|trap",
    "take": "take|drop|grab|use|bring|throw|find|buy",
    "color": "red|blue|green|yellow|purple",
    "letter": "alpha|bravo|charlie|delta",
    "state": "reloading|camping|healing|dead|hit|ready|lost|hiding|winning|losing|coming|respawning|flying|waiting",
    "person": "i am|we are|they are|you are",
    "praise": "nice|great|perfect|insane|amazing|terrible|lucky",
    "rated": "nice|great|perfect|terrible|lucky",
    "feat": "shot|headshot|throw|kill|play|round|jump|save|match|clutch",
    "go": "fall back|cover me|follow me|go go go|wait for me|stay here|come here|get down|stop moving|help me"
    "|reload|keep moving|look out|hurry up|run away|spread out|open fire|be careful|please help me",
    "part": "round|match|level|flag|game",
}

_TEMPLATES: tuple[str, ...] = (
    "{foe} {spot}",
    "{many} {foes} {spot}",
    "{person} {spot}",
    "{move} the {place} side {when}",
    "{move} the {place}",
    "{move} the {place} {when}",
    "i need {item}",
    "i need {item} {spot}",
    "{take} the {item}",
    "{take} the {item} {when}",
    "{near} {who}",
    "watch your {place}",
    "{go}",
    "{go} {when}",
    "{person} {state}",
    "{person} {state} {spot}",
    "{praise} {feat}",
    "what a {rated} {feat}",
    "{color} team wins the {part}",
    "{color} team has the {item}",
    "the {color} {foe} is {state}",
    "the bomb is {spot}",
    "plant the bomb at {letter}",
    "{many} {foes} at site {letter}",
    "{number} seconds left",
    "{number} kills so far",
    "level {number} begins",
    "we won {part} {number}",
    "we lost the {part}",
    "meet me at the {place}",
    "open the {color} door",
    "open the {color} chest",
    "where is the {foe}",
    "who has the {item}",
    "do not {move} the {place}",
    "kill the {foe} first",
    "that was a {rated} {feat}",
    "thanks for watching this {part}",
    "my {item} is empty",
    "the {foe} killed me",
    "hello everyone welcome to the stream",
    "new record",
    "victory",
    "defeat",
    "good game everyone",
    "let us try again",
)

_HOMOPHONES = frozenset(("to", "two", "for", "four", "one", "won", "i", "a"))
"""Words that only their neighbours tell apart; kept out of scrambled phrases."""


def _expand(template: str) -> list[str]:
    parts = re.split(r"\{(\w+)\}", template)
    choices = [_SLOTS[part].split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


@functools.cache
def phrases_by_template() -> tuple[tuple[str, ...], ...]:
    """For each template its distinct phrases; a phrase two templates can make belongs to the first."""
    seen: set[str] = set()
    groups: list[tuple[str, ...]] = []
    for template in _TEMPLATES:
        fresh = tuple(phrase for phrase in dict.fromkeys(_expand(template)) if phrase not in seen)
        seen.update(fresh)
        groups.append(fresh)
    return tuple(groups)


@functools.cache
def phrases() -> tuple[str, ...]:
    """Every phrase of the language."""
    return tuple(itertools.chain.from_iterable(phrases_by_template()))


@functools.cache
def words() -> tuple[str, ...]:
    """The vocabulary, sorted: a word's place in it is its class in the frame-word loss."""
    return tuple(sorted({word for phrase in phrases() for word in phrase.split()}))


def held_out(phrase: str) -> bool:
    """Whether a phrase is kept for evaluation (a tenth of those with at least three words)."""
    return len(phrase.split()) >= 3 and zlib.crc32(phrase.encode()) % 10 == 0


def draw_phrase(rng: random.Random, *, held_out_only: bool = False) -> str:
    """A phrase from a template chosen by the square root of its size, so that big templates do not drown small ones."""
    groups = _drawable(held_out_only)
    group = rng.choices(groups, weights=[len(group) ** 0.5 for group in groups])[0]
    return rng.choice(group)


def draw_scramble(rng: random.Random) -> str:
    """Two to five unrelated words: nothing to guess from, so the model has to listen."""
    clear = [word for word in words() if word not in _HOMOPHONES]
    return " ".join(rng.choices(clear, k=rng.randint(2, 5)))


@functools.cache
def _drawable(wanted: bool) -> tuple[tuple[str, ...], ...]:
    kept = (tuple(phrase for phrase in group if held_out(phrase) is wanted) for group in phrases_by_template())
    return tuple(group for group in kept if group)
