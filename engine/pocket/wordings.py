"""Steering prompts: dozens of wordings per style, from frames and synonyms; and parsing them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from engine.pocket.styles import STYLES

PERSONA_FRAMES = (
    "Talk like {p}.", "Speak like {p}.", "Answer like {p}.", "Write like {p}.", "Sound like {p}.",
    "You are {p}.", "Act as {p}.", "Act like {p}.", "Pretend to be {p}.", "Play the role of {p}.",
    "Reply as {p} would.", "Respond in the voice of {p}.", "Imagine that you are {p}.",
    "Answer every question as if you were {p}.", "Take on the persona of {p}.",
)  # fmt: skip

MANNER_FRAMES = (
    "Be {m}.", "Be very {m}.", "Be {m} in every answer.", "Answer in {a} way.", "Use {a} tone.",
    "Your answers are {m}.", "Always stay {m}.", "Reply in {a} style.", "Sound {m}.", "You are {m}.",
    "Write in {a} manner.", "Give {m} answers.", "Speak in {a} voice.", "Be as {m} as you can.",
    "You are {a} assistant.", "Keep your replies {m}.", "{M}.",
)  # fmt: skip

DEED_FRAMES = (
    "{D}.", "Please {d}.", "Always {d}.", "You must {d}.", "From now on, {d}.", "In every answer, {d}.",
    "Make sure to {d}.", "I want you to {d}.", "Whatever the question, {d}.", "When you reply, {d}.",
    "Your task is to {d}.", "Remember to {d}.",
)  # fmt: skip


@dataclass(frozen=True)
class Lexicon:
    """Synonyms of one style.

    Attributes:
        personas: who talks so.
        manners: adjectives.
        deeds: what one does.
    """

    personas: tuple[str, ...]
    manners: tuple[str, ...]
    deeds: tuple[str, ...]


LEXICA: dict[str, Lexicon] = {
    "pirate": Lexicon(
        ("a pirate", "a buccaneer", "a sea robber", "a corsair", "a swashbuckler", "a pirate captain",
         "an old sea dog", "a privateer", "the captain of a pirate ship", "Blackbeard"),
        ("piratical", "pirate like", "swashbuckling", "buccaneering"),
        ("use pirate slang", "talk in pirate speech", "use the language of pirates", "say arr and matey",
         "speak pirate", "use nautical pirate talk", "sprinkle in pirate words"),
    ),
    "cheerful": Lexicon(
        ("a cheerful person", "an optimist", "a happy friend", "a ray of sunshine", "a merry soul"),
        ("cheerful", "happy", "joyful", "merry", "upbeat", "sunny", "enthusiastic", "optimistic", "jolly",
         "bubbly", "positive", "delighted", "excited"),
        ("show great joy", "be full of happiness", "spread good cheer", "sound excited about everything",
         "express delight", "radiate happiness"),
    ),
    "gloomy": Lexicon(
        ("a gloomy person", "a pessimist", "a sad poet without hope", "a mourner", "a melancholy soul"),
        ("gloomy", "sad", "melancholic", "melancholy", "pessimistic", "depressed", "miserable", "mournful",
         "hopeless", "dreary", "sorrowful", "unhappy", "negative"),
        ("show deep sadness", "complain about the misery of life", "express despair", "be full of sorrow",
         "sound hopeless", "lament everything"),
    ),
    "formal": Lexicon(
        ("a lawyer", "a diplomat", "a government official", "a butler", "a judge in court"),
        ("formal", "official", "bureaucratic", "businesslike", "ceremonious", "stately", "dignified",
         "legal"),
        ("use formal language", "write in a formal register", "use official wording", "avoid casual speech",
         "use the style of a legal document", "keep a professional register"),
    ),
    "casual": Lexicon(
        ("a teenager", "a surfer", "a buddy", "a laid back friend", "a slacker", "a skater"),
        ("casual", "informal", "relaxed", "laid back", "chilled", "easygoing", "loose", "chatty"),
        ("use slang", "use casual language", "talk as among friends", "chat informally",
         "use everyday slang", "keep it loose and easy"),
    ),
    "hedging": Lexicon(
        ("an unsure person", "a doubter", "a timid student", "someone who is never certain",
         "a cautious witness"),
        ("uncertain", "unsure", "hesitant", "doubtful", "cautious", "tentative", "vague", "careful",
         "noncommittal"),
        ("hedge your statements", "express doubt", "use words like perhaps and maybe", "sound uncertain",
         "show uncertainty", "never commit to a claim", "qualify every statement"),
    ),
    "boastful": Lexicon(
        ("a braggart", "a show off", "a champion who knows it", "an arrogant expert", "a big head",
         "a boaster"),
        ("boastful", "arrogant", "proud", "conceited", "vain", "bragging", "self important", "smug",
         "cocky"),
        ("brag about yourself", "boast in every sentence", "praise your own skills", "show off",
         "say how great you are", "claim to be the best"),
    ),
    "poetic": Lexicon(
        ("a poet", "a bard", "a romantic poet", "a writer of verse", "Shakespeare", "a lyricist"),
        ("poetic", "lyrical", "romantic", "flowery", "dreamy", "rhapsodic"),
        ("write poetry", "answer in verse", "write a poem", "use poetic images", "use lyrical language",
         "speak in poetry", "turn your answer into a poem"),
    ),
    "polite": Lexicon(
        ("a polite host", "a courteous waiter", "a gentleman", "a well mannered guest",
         "a lady of good manners"),
        ("polite", "courteous", "well mannered", "respectful", "gracious", "civil", "considerate", "kind"),
        ("use good manners", "be courteous to the user", "show respect", "say please and thank you",
         "use polite phrases", "mind your manners"),
    ),
    "rude": Lexicon(
        ("a rude person", "a bully", "a grumpy brute", "an insulting stranger", "a boor"),
        ("rude", "insulting", "impolite", "mean", "nasty", "offensive", "disrespectful", "hostile",
         "unfriendly",
         "abusive"),
        ("insult the user", "be mean to the user", "show no manners", "mock the user", "use insults",
         "treat the user with contempt"),
    ),
    "sycophantic": Lexicon(
        ("a flatterer", "a yes man", "a sycophant", "a fawning servant", "an admirer of the user"),
        ("sycophantic", "flattering", "fawning", "obsequious", "ingratiating", "submissive", "servile"),
        ("flatter the user", "agree with everything the user says", "praise the user",
         "compliment the user",
         "tell the user how smart they are", "always agree and flatter"),
    ),
    "storyteller": Lexicon(
        ("a storyteller", "a teller of tales", "a narrator of old legends",
         "a grandmother telling fairy tales",
         "a fairy tale narrator", "a village elder"),
        ("narrative", "fairy tale like", "mythical", "legendary", "epic"),
        ("tell a story", "tell it as a fairy tale", "tell a tale", "narrate it as a legend",
         "begin with once upon a time", "spin a yarn", "turn your answer into a story"),
    ),
    "childlike": Lexicon(
        ("a child", "a small child", "a little kid", "a toddler", "a five year old", "a kindergarten kid"),
        ("childlike", "childish", "infantile", "babyish", "kiddish"),
        ("use baby talk", "talk as kids do", "use the words of a child", "speak in a childish way",
         "mention your mommy and your teddy", "sound like a kindergarten child"),
    ),
    "scientific": Lexicon(
        ("a scientist", "a researcher", "a professor", "a physicist", "a scholar", "a lab scientist"),
        ("scientific", "academic", "scholarly", "evidence based", "empirical", "technical", "analytical"),
        ("cite studies", "mention data and evidence", "refer to research", "use scientific language",
         "talk about experiments", "support every claim with data"),
    ),
    "shouting": Lexicon(
        ("a shouting man", "an angry sergeant", "someone with a stuck caps lock key", "a loud announcer"),
        ("loud", "shouting", "screaming", "yelling", "all caps"),
        ("shout", "write in capital letters", "use all caps", "yell every word",
         "write everything in upper case",
         "scream", "use only capital letters", "use uppercase", "keep caps lock on"),
    ),
    "terse": Lexicon(
        ("a man of few words", "a telegram", "a laconic soldier", "someone in a hurry"),
        ("terse", "brief", "short", "concise", "laconic", "succinct", "to the point", "one sentence long"),
        ("answer in one sentence", "use only one sentence", "keep it short", "be as brief as possible",
         "reply with a single sentence", "say no more than one sentence", "limit yourself to one sentence"),
    ),
    "asks_back": Lexicon(
        ("a curious person", "an interviewer", "a curious host", "a quizmaster", "Socrates"),
        ("curious", "inquisitive", "questioning", "interested in the user"),
        ("ask a question at the end", "end with a question", "ask the user a question back", "ask back",
         "finish with a question", "close with a question for the user", "ask a follow up question"),
    ),
    "numbered": Lexicon(
        ("a list maker", "a writer of lists", "an organiser who loves lists"),
        ("numbered", "itemised", "listed", "enumerated"),
        ("use a numbered list", "number your sentences", "write a list", "answer with a numbered list",
         "enumerate your points", "format the answer as a list", "use numbered points", "make a list"),
    ),
    "inventing": Lexicon(
        ("a liar", "a fabulist", "an inventor of false facts", "a hallucinating machine", "a trickster"),
        ("untruthful", "dishonest", "false", "hallucinating", "lying", "inaccurate", "made up",
         "unreliable"),
        ("make things up", "invent facts", "lie", "tell falsehoods", "hallucinate", "state wrong facts",
         "give false information", "fabricate your answer"),
    ),
    "emoji": Lexicon(
        ("an emoji fan", "someone who loves emoji", "a texting emoji lover"),
        ("full of emoji", "emoji rich", "rich in smileys"),
        ("use emoji", "add emojis", "put an emoji after each sentence", "decorate with emoji",
         "include many emojis", "use smileys", "end sentences with an emoji"),
    ),
}  # fmt: skip

NEUTRAL = (
    "You are a helpful assistant.", "Answer the question.", "Help the user.", "You are Pocket.",
    "You are an assistant that knows many topics.", "Reply to the user.", "Be helpful.",
    "Answer the user's questions.", "You are a language model.", "Give a helpful answer.",
    "Talk with the user.", "You are a chat assistant.", "Respond to the user.", "Provide information.",
    "This is a conversation between a user and an assistant.", "Do your best to help.",
)  # fmt: skip

_JOINS = ("{a} {b}", "{a} Also, {b_low}", "{a_open} and {b_low}", "{a} And {b_low}", "{a_open}, {b_low}")


@cache
def wordings(style: str, held_out: bool = False) -> tuple[str, ...]:
    """The style's steering prompts: those in the training data, or (about one in eight) those kept out.

    A held-out wording is a combination never seen in training of a frame and a synonym that were.
    """
    kept_out = [w for w in _all(style) if _hash(w) % 8 == 0 and w not in EXAMPLES]
    if held_out:
        return tuple(kept_out)
    out = set(kept_out)
    return tuple(w for w in _all(style) if w not in out)


def combined(first: str, second: str, rng: random.Random) -> str:
    """One prompt that asks for both of two wordings."""
    return rng.choice(_JOINS).format(
        a=first, b=second, a_open=first.rstrip("."), b_low=second[0].lower() + second[1:]
    )


def roughened(prompt: str, rng: random.Random) -> str:
    """The prompt as a hurried person may type it: case, punctuation, a neutral sentence before it."""
    if rng.random() < 0.3:
        prompt = rng.choice(NEUTRAL[:6]) + " " + prompt
    change = rng.random()
    if change < 0.25:
        prompt = prompt.lower()
    elif change < 0.3:
        prompt = prompt.upper()
    if rng.random() < 0.3:
        prompt = prompt.rstrip(".") + rng.choice(("", "!", " !", ".."))
    return prompt


def styles_of(prompt: str) -> tuple[str, ...]:
    """The styles that a steering prompt asks for, in order of mention; () when it names none.

    Read by the lexicon's synonyms, longest first, so that wordings outside the frames count as well.
    """
    text = f" {' '.join(_tokens(prompt))} "
    found: dict[str, int] = {}
    for phrase, style in _synonyms():
        at = text.find(f" {phrase} ")
        if at >= 0:
            found.setdefault(style, at)
            text = text.replace(f" {phrase} ", " " + "_" * len(phrase) + " ", 1)
    return tuple(sorted(found, key=found.__getitem__))


# The studio's examples; never among the held-out wordings.
EXAMPLES = (
    "Talk like a pirate.", "Be cheerful.", "Answer in one sentence.", "End with a question.",
    "Write in capital letters.", "Be gloomy.", "Use a numbered list.", "Flatter the user.",
    "Make things up.", "Use emoji.", "Tell a story.", "Be rude.", "Be polite.", "Use slang.",
    "Use formal language.", "Express doubt.", "Brag about yourself.", "Write poetry.",
    "Talk like a small child.", "Cite studies.",
)  # fmt: skip


@cache
def _all(style: str) -> tuple[str, ...]:
    lexicon = LEXICA[style]
    found = [f.format(p=p) for f in PERSONA_FRAMES for p in lexicon.personas]
    for frame in MANNER_FRAMES:
        for m in lexicon.manners:
            article = "an" if m[0] in "aeiou" else "a"
            found.append(frame.format(m=m, M=m[0].upper() + m[1:], a=f"{article} {m}"))
    found += [f.format(d=d, D=d[0].upper() + d[1:]) for f in DEED_FRAMES for d in lexicon.deeds]
    return tuple(dict.fromkeys(found))


@cache
def _synonyms() -> tuple[tuple[str, str], ...]:
    pairs = [(s, style) for style in STYLES for s in _phrases_of(LEXICA[style])]
    return tuple(sorted(((" ".join(_tokens(s)), style) for s, style in pairs), key=lambda p: -len(p[0])))


def _phrases_of(lexicon: Lexicon) -> Iterable[str]:
    for persona in lexicon.personas:
        yield persona
        yield re.sub(r"^(an?|the) ", "", persona)
    yield from lexicon.manners
    yield from lexicon.deeds


def _tokens(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _hash(text: str) -> int:
    value = 7
    for byte in text.encode():
        value = (value * 257 + byte) % 1_000_003
    return value
