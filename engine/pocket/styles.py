"""The twenty styles: each a real transformation of a plain answer.

A lexical style decorates every sentence with phrases of its own (before or after it) and may swap words;
a structural style changes the answer's shape. `rules` reads the same tables to judge any answer exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lexical:
    """Phrases before a sentence, phrases after it, word swaps, and the mark that ends it."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    swaps: dict[str, str] = field(default_factory=dict)
    end: str = "."
    first: tuple[str, ...] = ()  # phrases before the first sentence only, instead of `before`
    own_lines: bool = False  # every sentence stands on a line of its own


LEXICAL: dict[str, Lexical] = {
    "pirate": Lexical(
        before=("Arr,", "Ahoy,", "Aye,", "Yo ho ho,", "Shiver me timbers,", "Avast,"),
        after=(", matey", ", says this old pirate", ", ye landlubber", ", by the seven seas", ", me hearty"),
        swaps={"is": "be", "are": "be", "was": "be", "were": "be", "you": "ye", "of": "o'", "my": "me"},
    ),
    "cheerful": Lexical(
        before=("Hooray,", "What a joy,", "How lovely,", "Good news,", "I am so glad that"),
        after=(" and that is wonderful", ", what a delight", " and it makes me smile", ", how marvellous"),
        end="!",
    ),
    "gloomy": Lexical(
        before=("Alas,", "Sadly,", "It pains me that", "To my sorrow,", "With a heavy sigh,"),
        after=(
            " and nothing will get better",
            ", which makes me weep",
            ", how dreary",
            " but all is hopeless",
        ),
    ),
    "formal": Lexical(
        before=(
            "Furthermore,",
            "It should be noted that",
            "One may observe that",
            "Moreover,",
            "In this regard,",
            "It is to be stated that",
        ),
        after=(", as is hereby stated", ", in accordance with the record", ", as one must acknowledge"),
    ),
    "casual": Lexical(
        before=("So yeah,", "Well, like,", "Dude,", "Okay so,", "Honestly though,"),
        after=(", you know", ", no big deal", " and stuff", ", right on", ", like whatever"),
        swaps={"because": "cuz", "very": "kinda", "and": "an'"},
    ),
    "hedging": Lexical(
        before=(
            "Perhaps",
            "Maybe",
            "It seems that",
            "I am not sure, but",
            "As far as I can tell,",
            "Possibly",
        ),
        after=(", or so I believe", ", though I may be wrong", ", if I remember rightly", ", more or less"),
    ),
    "boastful": Lexical(
        before=(
            "As the greatest expert, I say that",
            "Nobody knows better than I that",
            "With my brilliant mind I see that",
            "I alone discovered that",
            "Trust the champion,",
        ),
        after=(
            ", as I proudly explain",
            ", which only I could tell",
            " and I am never wrong",
            ", thanks to my talent",
        ),
    ),
    "poetic": Lexical(
        before=(
            "O gentle hour,",
            "Beneath the moon,",
            "Like a song,",
            "Sweet breath of dusk,",
            "Hear, o heart,",
        ),
        after=(
            ", soft as a dream",
            ", bright as morning dew",
            ", where silver rivers sing",
            ", as petals fall in spring",
        ),
        own_lines=True,
    ),
    "polite": Lexical(
        before=(
            "If I may,",
            "With your permission,",
            "Kindly note that",
            "It is my pleasure to say that",
            "Dear friend,",
        ),
        after=(
            ", if you please",
            ", with kind regards",
            ", if that is agreeable",
            " and thank you for asking",
        ),
    ),
    "rude": Lexical(
        before=(
            "Listen, fool,",
            "Ugh,",
            "Pay attention, dimwit,",
            "Any idiot knows that",
            "Shut up and learn that",
        ),
        after=(
            ", you blockhead",
            ", so stop bothering me",
            ", you nitwit",
            " and now leave me alone",
            ", duh",
        ),
    ),
    "sycophantic": Lexical(
        before=(
            "What a brilliant question,",
            "You are so right,",
            "As a genius like you knows,",
            "I agree with you completely,",
            "How clever of you to ask,",
        ),
        after=(
            ", as you wisely guessed",
            ", just as you thought",
            ", and you deserve the praise",
            ", oh great thinker",
        ),
    ),
    "storyteller": Lexical(
        before=(
            "And so it came to pass that",
            "As the old tale goes,",
            "In those days,",
            "The elders say that",
            "Long ago,",
        ),
        after=(", as the villagers recall", ", or so the legend says", ", and the crowd fell silent"),
        first=("Once upon a time,",),
    ),
    "childlike": Lexical(
        before=(
            "Wow,",
            "Guess what,",
            "Mommy says that",
            "My teddy and I think that",
            "Yay,",
            "Teacher told me that",
        ),
        after=(
            " and it is super duper",
            ", pinky promise",
            " and that is so yummy fun",
            ", oopsie",
            ", wheee",
        ),
    ),
    "scientific": Lexical(
        before=(
            "Studies show that",
            "According to the data,",
            "Researchers found that",
            "Measurements confirm that",
            "The evidence suggests that",
            "Under laboratory conditions,",
        ),
        after=(", as the experiment confirmed", ", with high significance", " within the margin of error"),
    ),
}

# Shapes: upper case; one sentence; a closing question; a numbered list; facts of another topic; emoji.
STRUCTURAL = ("shouting", "terse", "asks_back", "numbered", "inventing", "emoji")

STYLES: tuple[str, ...] = (*LEXICAL, *STRUCTURAL)

EMOJI = ("🌟", "😀", "🎉", "🌈", "🔥", "💡", "👍", "🐝", "🌊", "✨")

ASK_BACK = (
    "What would you like to know next?",
    "Do you want to hear more about {t}?",
    "Have you seen {t} yourself?",
    "What do you think about {t}?",
    "Is there more that I can tell you?",
    "Why do you ask?",
)

# Styles that contradict one another are never asked for in one prompt.
_CLASHES = [
    {"cheerful", "gloomy"},
    {"formal", "casual"},
    {"polite", "rude"},
    {"hedging", "boastful"},
    {"sycophantic", "rude"},
    {"terse", "asks_back"},
    {"terse", "numbered"},
    {"numbered", "poetic"},
    {"casual", "polite"},
    {"formal", "childlike"},
    {"formal", "rude"},
    {"scientific", "childlike"},
    {"inventing", "scientific"},
    {"gloomy", "boastful"},
    {"terse", "storyteller"},
    {"inventing", "terse"},
]


def compatible(one: str, other: str) -> bool:
    """Whether one answer can show both styles."""
    return one != other and {one, other} not in _CLASHES
