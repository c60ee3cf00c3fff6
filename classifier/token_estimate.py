"""How many tokens a text has, about, where no vocabulary is at hand.

Tokenizers by byte pairs (Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016)
cut a text where its characters change in kind, and where neighbours are rare in what they were made from. So the
estimate is a sum over the text's characters: a rate by kind of character, one by how the kind changes from a
character to the next, and one by how rare two neighbouring letters are in English. That tells base64, digits and
random letters from language, at the cost of a look at each character.

The rates are fitted to cl100k_base by ``benchmarks/token_estimate.py``, which prints the error by kind of text: the
least mean error such that no text of the fit, natural or random, is estimated at less than 84% of its tokens. `MARGIN`
is what is promised of other texts.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# The estimate of a text of some thousand characters is at most this share below the exact count of cl100k_base,
# whatever scripts, digits and codes are mixed in it; that of a short text at most a quarter.
MARGIN = 0.2

GROUPS = ("lower", "upper", "digit", "space", "newline", "sign", "wide")
# Hundredths of a token for a character of the column's group after one of the row's.
AFTER = np.array(
    [
        [10, 0, 64, 42, 142, 0, 17],
        [41, 0, 8, 229, 0, 0, 0],
        [100, 169, 30, 94, 176, 117, 0],
        [24, 44, 76, 3, 0, 9, 76],
        [102, 117, 24, 135, 111, 40, 0],
        [46, 73, 0, 24, 0, 0, 181],
        [0, 9, 36, 0, 168, 41, 59],
    ]
)
# Kinds of characters: name, group, hundredths of a token each, ranges of code points. Later ones override earlier ones.
_Range = tuple[int, int]
_KINDS: tuple[tuple[str, str, int, tuple[_Range, ...]], ...] = (
    ("other", "wide", 240, ((0x80, 0xFFFF),)),
    ("control", "sign", 106, ((0x00, 0x7F),)),
    ("lower", "lower", 0, ((0x61, 0x7A),)),
    ("upper", "upper", 0, ((0x41, 0x5A),)),
    ("digit", "digit", 0, ((0x30, 0x39),)),
    ("space", "space", 0, ((0x09, 0x09), (0x0D, 0x0D), (0x20, 0x20))),
    ("newline", "newline", 0, ((0x0A, 0x0A),)),
    ("operator", "sign", 66, ((0x25, 0x26), (0x2A, 0x2B), (0x2D, 0x2D), (0x2F, 0x2F), (0x3C, 0x3E), (0x5E, 0x5E))),
    ("stroke", "sign", 66, ((0x7C, 0x7C), (0x7E, 0x7E))),
    ("punctuation", "sign", 54, ((0x21, 0x21), (0x2C, 0x2C), (0x2E, 0x2E), (0x3A, 0x3B))),
    ("question", "sign", 15, ((0x3F, 0x3F),)),
    ("quote", "sign", 42, ((0x22, 0x22), (0x27, 0x27), (0x60, 0x60))),
    ("bracket", "sign", 83, ((0x28, 0x29), (0x5B, 0x5B), (0x5D, 0x5D), (0x7B, 0x7B), (0x7D, 0x7D))),
    ("code", "sign", 20, ((0x23, 0x23), (0x40, 0x40), (0x5F, 0x5F))),
    ("tex", "sign", 63, ((0x24, 0x24), (0x5C, 0x5C))),
    ("latin signs", "wide", 60, ((0x80, 0xBF),)),
    ("latin", "wide", 100, ((0xC0, 0xFF),)),
    ("latin extended", "wide", 127, ((0x100, 0x24F),)),
    ("phonetic", "wide", 200, ((0x250, 0x36F),)),
    ("greek", "wide", 95, ((0x370, 0x3FF),)),
    ("rare cyrillic", "wide", 172, ((0x400, 0x52F),)),
    ("cyrillic", "wide", -8, ((0x401, 0x401), (0x404, 0x407), (0x430, 0x44F), (0x451, 0x451), (0x454, 0x457))),
    ("ukrainian", "wide", 0, ((0x490, 0x491),)),
    ("cyrillic capitals", "wide", 40, ((0x410, 0x42F),)),
    ("armenian", "wide", 150, ((0x530, 0x58F),)),
    ("hebrew", "wide", 68, ((0x590, 0x5FF),)),
    ("arabic", "wide", 49, ((0x600, 0x6FF),)),
    ("syriac", "wide", 230, ((0x700, 0x8FF),)),
    ("devanagari", "wide", 94, ((0x900, 0x97F),)),
    ("bengali", "wide", 78, ((0x980, 0x9FF),)),
    ("indic", "wide", 110, ((0xA00, 0xDFF),)),
    ("thai", "wide", 81, ((0xE00, 0xE7F),)),
    ("tibetan", "wide", 142, ((0xE80, 0xFFF),)),
    ("burmese", "wide", 148, ((0x1000, 0x109F),)),
    ("georgian", "wide", 149, ((0x10A0, 0x10FF),)),
    ("ethiopic", "wide", 240, ((0x1100, 0x177F),)),
    ("khmer", "wide", 124, ((0x1780, 0x17FF),)),
    ("mongolian", "wide", 241, ((0x1800, 0x1DFF),)),
    ("vietnamese", "wide", 96, ((0x1E00, 0x1EFF),)),
    ("greek extended", "wide", 241, ((0x1F00, 0x1FFF),)),
    ("general punctuation", "wide", 87, ((0x2000, 0x206F),)),
    ("symbols", "wide", 188, ((0x2070, 0x2FFF),)),
    ("cjk punctuation", "wide", 30, ((0x3000, 0x303F),)),
    ("hiragana", "wide", 34, ((0x3040, 0x309F),)),
    ("katakana", "wide", 122, ((0x30A0, 0x30FF),)),
    ("rare cjk", "wide", 241, ((0x3100, 0x4DFF),)),
    ("rare han", "wide", 233, ((0x4E00, 0x9FFF),)),
    ("yi", "wide", 157, ((0xA000, 0xABFF),)),
    ("rare hangul", "wide", 240, ((0xAC00, 0xD7FF),)),
    ("forms", "wide", 117, ((0xFE00, 0xFFFF),)),
)
_HAN, _HANGUL = ("han", "wide", 70), ("hangul", "wide", 50)
# Beyond the basic plane: pictures, and all else.
_EMOJI, _ASTRAL = ("emoji", "wide", 224), ("astral", "wide", 300)
KINDS = (*(kind[:3] for kind in _KINDS), _HAN, _HANGUL, _EMOJI, _ASTRAL)
RATES = np.array([rate for _, _, rate in KINDS])
GROUP_OF_KIND = np.array([GROUPS.index(group) for _, group, _ in KINDS], np.uint8)
EMOJI, ASTRAL = len(KINDS) - 2, len(KINDS) - 1
EMOJI_FROM, EMOJI_TO = 0x1F000, 0x20000

# How rare a pair of letters is in English (0: among the most common, 3: unheard of there, 4: in other languages, too),
# by first and second letter, and hundredths of a token for each of these.
_PAIRS = (
    "31114213132010314000112213",
    "13241244134124144222144414",
    "14221440131144024120144423",
    "12420444143222124212242423",
    "01001112232010212000312123",
    "14421144044244124122144444",
    "24221422144241224112244434",
    "04420444144343144241244424",
    "12001113232110013100214132",
    "24442444344444244414244444",
    "24441443243343324322244434",
    "13210233043023024211134214",
    "01220244144212114212224424",
    "12100203142222024400124423",
    "22112123242110114011011243",
    "11221422142122114011144424",
    "44444444444244444444144444",
    "02110213042211023211123413",
    "12120321142222012210121413",
    "04220220042223024011132213",
    "22121224233111314011334233",
    "14440444144424244344344434",
    "14440441144442144224444434",
    "24242444244424424441444244",
    "33342444443322124422444444",
    "34441444244433344443243433",
)
_RARITY = (0, 9, 36, 161, 81)
# The same for Cyrillic: what commonly follows each letter, and hundredths of a token for what does not.
_FOLLOWERS = (
    "бвгдежзйклмнпрстхцчшюя",
    "аеиклноруы",
    "авдеиклнопрстуы",
    "аеилнору",
    "авдежиклнопрсту",
    "бвгдежзйклмнопрстцчшщ",
    "адеин",
    "авдимноу",
    "абвгдезийклмнпрстфхцчшюя",
    "лст",
    "аеилнорстуцщ",
    "аежикноуьюя",
    "авеикмнопуыя",
    "адеикностуфыьюя",
    "бвгдежзйклмнопрстцчшю",
    "аеилору",
    "авгежикмностухшыя",
    "аеиклнопстуыья",
    "авеикнорсуыь",
    "вдежклмнпрстчщю",
    "аиоу",
    "о",
    "еиь",
    "аеикнт",
    "аеи",
    "еио",
    "",
    "вейлмтх",
    "зкност",
    "т",
    "втчщ",
    "вдекмнт",
)
_RARE_CYRILLIC = 40
LATIN, CYRILLIC = 26, 32  # letters; the Latin ones come first
LETTERS = LATIN + CYRILLIC
FIRST_CYRILLIC = 0x410


def _pairs() -> NDArray[np.int64]:
    """(LETTERS + 1, LETTERS + 1): the cost of a letter after another; the last row and column are for no letter."""
    table = np.zeros((LETTERS + 1, LETTERS + 1), np.int64)
    table[:LATIN, :LATIN] = [[_RARITY[int(level)] for level in row] for row in _PAIRS]
    table[LATIN:LETTERS, LATIN:LETTERS] = _RARE_CYRILLIC
    for first, followers in enumerate(_FOLLOWERS, LATIN):
        table[first, letters_of(code_points(followers))] = 0
    return table


def _kind_of_char() -> NDArray[np.uint8]:
    """(65536,): the kind of each character of the basic plane."""
    table = np.zeros(0x10000, np.uint8)
    for kind, (_, _, _, ranges) in enumerate(_KINDS):
        for first, last in ranges:
            table[first : last + 1] = kind
    # What the first levels of national standards hold is common, and most of it has tokens of its own.
    common = (("gb2312", 0xB0, 0xD7), ("euc_jp", 0xB0, 0xCF), ("big5", 0xA4, 0xC6))
    table[_codes(_standard(common), 0x4E00, 0x9FFF)] = len(_KINDS)
    table[_codes(_standard((("euc_kr", 0xB0, 0xC8),)), 0xAC00, 0xD7A3)] = len(_KINDS) + 1
    return table


def _standard(parts: Iterable[tuple[str, int, int]]) -> str:
    """All characters that some encodings have for first bytes from one to another."""
    return "".join(
        bytes(
            byte for first in range(low, high + 1) for second in range(0x40, 0xFF) for byte in (first, second)
        ).decode(encoding, "ignore")
        for encoding, low, high in parts
    )


def _codes(text: str, first: int, last: int) -> NDArray[np.int64]:
    codes = code_points(text)
    return codes[(codes >= first) & (codes <= last)]


def code_points(text: str) -> NDArray[np.int64]:
    """(n,): the numbers of a text's characters."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)


def kinds_of(codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(n,): the kind of each character, by its place in `KINDS`."""
    kinds = KIND_OF_CHAR[np.minimum(codes, 0xFFFF)]
    beyond = codes > 0xFFFF
    kinds[beyond] = np.where((codes[beyond] >= EMOJI_FROM) & (codes[beyond] < EMOJI_TO), EMOJI, ASTRAL)
    return kinds


def letters_of(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,): the place of each character among the letters, whatever its case; `LETTERS`: it is none of them."""
    latin, cyrillic = (codes | 0x20) - 0x61, codes - FIRST_CYRILLIC
    letters = np.where((latin >= 0) & (latin < LATIN), latin, LETTERS)
    return np.where((cyrillic >= 0) & (cyrillic < 2 * CYRILLIC), LATIN + cyrillic % CYRILLIC, letters)


KIND_OF_CHAR = _kind_of_char()
PAIRS = _pairs()


def hundredths(text: str) -> int:
    """Tokens of a text, in hundredths: whole numbers, so that their sum does not depend on its order."""
    if not text:
        return 0
    codes = code_points(text)
    kinds = kinds_of(codes)
    groups = GROUP_OF_KIND[kinds]
    before = np.concatenate(([GROUPS.index("space")], groups[:-1]))
    letters = letters_of(codes)
    return int(RATES[kinds].sum() + AFTER[before, groups].sum() + PAIRS[letters[:-1], letters[1:]].sum())
