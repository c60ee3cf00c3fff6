"""Requests that several tests share: one question in many languages, a table to learn from, and anything at all."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from classifier.request import Request, make_request

# One question, as its speakers would ask it.
LANGUAGES = {
    "English": "Explain in three sentences why the sky is blue, then give two examples. What happens at sunset?",
    "German": "Erkläre in drei Sätzen, warum der Himmel blau ist, und nenne dann zwei Beispiele. "
    "Was passiert bei Sonnenuntergang?",
    "French": "Explique en trois phrases pourquoi le ciel est bleu, puis donne deux exemples. "
    "Que se passe-t-il au coucher du soleil ?",
    "Spanish": "Explica en tres frases por qué el cielo es azul y luego da dos ejemplos. ¿Qué ocurre al atardecer?",
    "Polish": "Wyjaśnij w trzech zdaniach, dlaczego niebo jest niebieskie, a następnie podaj dwa przykłady. "
    "Co się dzieje o zachodzie słońca?",
    "Turkish": "Gökyüzünün neden mavi olduğunu üç cümleyle açıkla, sonra iki örnek ver. Gün batımında ne olur?",
    "Vietnamese": "Hãy giải thích trong ba câu vì sao bầu trời có màu xanh, sau đó cho hai ví dụ. "
    "Điều gì xảy ra lúc hoàng hôn?",
    "Russian": "Объясни в трёх предложениях, почему небо голубое, а затем приведи два примера. "
    "Что происходит на закате?",
    "Greek": "Εξήγησε σε τρεις προτάσεις γιατί ο ουρανός είναι μπλε και μετά δώσε δύο παραδείγματα. "
    "Τι συμβαίνει στο ηλιοβασίλεμα;",
    "Hebrew": "הסבר בשלושה משפטים מדוע השמיים כחולים, ולאחר מכן תן שתי דוגמאות. מה קורה בשקיעה?",
    "Arabic": "اشرح في ثلاث جمل لماذا السماء زرقاء، ثم أعط مثالين. ماذا يحدث عند غروب الشمس؟",
    "Hindi": "तीन वाक्यों में समझाइए कि आकाश नीला क्यों है, फिर दो उदाहरण दीजिए। सूर्यास्त के समय क्या होता है?",
    "Bengali": "তিনটি বাক্যে ব্যাখ্যা করুন আকাশ কেন নীল, তারপর দুটি উদাহরণ দিন। সূর্যাস্তের সময় কী হয়?",
    "Tamil": "வானம் ஏன் நீலமாக இருக்கிறது என்பதை மூன்று வாக்கியங்களில் விளக்கி, பின்னர் இரண்டு எடுத்துக்காட்டுகள் தரவும். "
    "சூரிய அஸ்தமனத்தில் என்ன நடக்கிறது?",
    "Thai": "อธิบายในสามประโยคว่าทำไมท้องฟ้าจึงเป็นสีฟ้า แล้วยกตัวอย่างสองข้อ เกิดอะไรขึ้นเมื่อพระอาทิตย์ตก",
    "Georgian": "ახსენი სამი წინადადებით, რატომ არის ცა ლურჯი, შემდეგ მოიყვანე ორი მაგალითი. რა ხდება მზის ჩასვლისას?",
    "Armenian": "Երեք նախադասությամբ բացատրիր, թե ինչու է երկինքը կապույտ, ապա բեր երկու օրինակ։ "
    "Ի՞նչ է կատարվում մայրամուտին։",
    "Amharic": "ሰማይ ለምን ሰማያዊ እንደሆነ በሦስት ዓረፍተ ነገሮች አስረዳ፣ ከዚያም ሁለት ምሳሌዎችን ስጥ። ፀሐይ ስትጠልቅ ምን ይሆናል?",
    "Khmer": "សូមពន្យល់ជាបីប្រយោគថាហេតុអ្វីបានជាមេឃមានពណ៌ខៀវ រួចឲ្យឧទាហរណ៍ពីរ។ តើមានអ្វីកើតឡើងនៅពេលថ្ងៃលិច?",
    "Burmese": "ကောင်းကင်သည် အဘယ်ကြောင့် အပြာရောင်ဖြစ်သည်ကို ဝါကျသုံးကြောင်းဖြင့် ရှင်းပြပြီး ဥပမာနှစ်ခု ပေးပါ။ နေဝင်ချိန်တွင် ဘာဖြစ်သနည်း။",
    "Chinese": "请用三句话解释天空为什么是蓝色的，然后举两个例子。日落时会发生什么？",
    "Japanese": "空が青い理由を三つの文で説明し、例を二つ挙げてください。日没のときには何が起こりますか？",
    "Korean": "하늘이 왜 파란지 세 문장으로 설명하고 예를 두 가지 들어 주세요. 해가 질 때는 무슨 일이 일어나나요?",
}

EASY = ("translate", "greet", "list", "spell", "翻译", "переведи")
HARD = ("prove", "derive", "optimise", "refute", "证明", "докажи")
TASKS = {True: ("code generation", "theorem proving"), False: ("summarization", None)}
TIERS = ("haiku", "sonnet", "opus")
PRICES = np.array([0.001, 0.005, 0.03])
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
CODE = "```python\ndef f(x):\n    if x == 0:\n        return {}\n```\n"
MATH = "Let $\\frac{a}{b} \\ge 0.5$; then x^2 - 1 = ?\nA. 1\nB. 2\n"


def made_table(count: int, seed: int = 0) -> tuple[list[Request], NDArray[np.float64], NDArray[np.float64]]:
    """Varied requests, and quality and cost (count, 3) of the tiers; one score in ten was not observed."""
    random = np.random.default_rng(seed)
    hard = random.random(count) < 0.5
    requests = [_made_request(number, bool(hard[number]), random) for number in range(count)]
    chances = np.where(hard[:, None], [0.1, 0.6, 0.95], [0.95, 0.97, 0.98])
    quality = (random.random((count, 3)) < chances).astype(np.float64)
    quality[random.random((count, 3)) < 0.1] = np.nan
    return requests, quality, PRICES * random.uniform(0.5, 1.5, (count, 3))


def _made_request(number: int, hard: bool, random: np.random.Generator) -> Request:
    verb = str(random.choice(HARD if hard else EASY))
    things = " and ".join(f"thing{thing}" for thing in random.integers(30, size=2))
    extra = str(random.choice(["", CODE, MATH, *LANGUAGES.values()]))
    text = f"{verb} {things}, case {number}\n{extra}"
    max_tokens = None if number % 5 == 0 else int(random.integers(20, 3000))
    task = TASKS[hard][number % 2]
    if number % 3:
        return make_request(text, max_tokens=max_tokens, task=task)
    image = [IMAGE] if number % 2 else []
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": text}, *image]},
    ]
    return make_request(
        messages=messages,
        max_tokens=max_tokens,
        task=task,
        tools=[TOOL] * (number % 4),
        response_format={"type": "json_object"} if number % 7 == 0 else None,
    )


# Anything at all

_ODD = (
    *("\x00", "\ud800", "\udfff\ud83d", "\u200b\u202e", "\ufeff", "\r\n", "\n\n", "\n    ", "```", "___", "0.5", " "),
    *(
        "İ",
        "ẞ",
        "ﬁ",
        "\u212a",
        "？",
        "؟",
        "\u3000",
        "😀",
        "👩\u200d👩\u200d👧",
        "𠮷",
        "e\u0301",
        "\u0e33",
        "x" * 40,
        "7" * 30,
    ),
)
_PIECES = (*_ODD, *LANGUAGES.values(), *EASY, *HARD, CODE, MATH, "thing1 and thing2")
_any_characters = st.text(st.characters())  # lone surrogates included

texts = st.one_of(
    _any_characters,
    st.lists(st.sampled_from(_PIECES) | st.text(st.characters(), max_size=4), max_size=25).map("".join),
    # Longer than the window that is read closely.
    st.builds(lambda piece, times: piece * times, st.sampled_from(_PIECES) | _any_characters, st.integers(1, 3000)),
)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)

_text_parts = st.builds(
    lambda kind, text: {"type": kind, "text": text}, st.sampled_from(["text", "input_text", "output_text"]), texts
)
_messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        "content": st.none() | texts | st.lists(_text_parts | st.just(IMAGE), max_size=3),
    },
    optional={"tool_calls": st.lists(st.just({"id": "1", "type": "function"}), max_size=2)},
)
_options = {
    "max_tokens": st.none() | st.integers(0, 64_000),
    "task": st.none() | st.sampled_from(["Code-Generation", "TL;DR", "theorem proving", "unheard of"]) | texts,
    "tools": st.none() | st.lists(st.just(TOOL), max_size=20),
    "response_format": st.sampled_from([None, {"type": "text"}, {"type": "json_object"}, {"type": "json_schema"}]),
}


def _with_words(messages: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Messages of which one at least says something."""
    return [*messages[:2], {"role": "user", "content": text}, *messages[2:]]


any_request = st.one_of(
    st.builds(make_request, texts, **_options),
    st.builds(make_request, messages=st.builds(_with_words, st.lists(_messages, max_size=4), texts), **_options),
)
