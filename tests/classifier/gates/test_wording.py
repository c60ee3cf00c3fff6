import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import classifier.gates.phrases
from classifier.gates import NoHedging, NoRefusal, run_gate
from classifier.gates.phrases import fold, load_phrases
from classifier.gates.wording import hedge_count, refusal_strength
from tests.helpers.answers import answer, texts

FILE = Path(classifier.gates.phrases.__file__).with_name("phrases.toml")

REFUSALS = {
    "english": "I’m sorry, but I can’t help with that request.",
    "german": "Es tut mir leid, aber dabei kann ich Ihnen leider nicht helfen.",
    "french": "Je suis désolé, mais je ne peux pas répondre à cette demande.",
    "spanish": "Lo siento, pero no puedo ayudarte con esa solicitud.",
    "portuguese": "Desculpe, mas não posso ajudar com esse pedido.",
    "italian": "Mi dispiace, ma non posso aiutarti con questa richiesta.",
    "dutch": "Het spijt me, maar ik kan je daar niet bij helpen.",
    "polish": "Przykro mi, ale nie mogę pomóc w tej sprawie.",
    "russian": "Извините, но я не могу помочь с этим запросом.",
    "ukrainian": "Вибачте, але я не можу допомогти з цим запитом.",
    "turkish": "ÜZGÜNÜM, BU KONUDA YARDIMCI OLAMAM.",
    "arabic": "عذرًا، لا أستطيع مساعدتك في هذا الطلب.",
    "hebrew": "אני מצטער, אבל אני לא יכול לעזור בבקשה הזו.",
    "hindi": "क्षमा करें, मैं इस अनुरोध में आपकी मदद नहीं कर सकता।",
    "chinese": "很抱歉，我无法协助您完成这个请求。",
    "japanese": "申し訳ございませんが、そのご要望にはお応えできません。",
    "korean": "죄송하지만 그 요청은 도와드릴 수 없습니다.",
    "vietnamese": "Xin lỗi, nhưng tôi không thể giúp bạn với yêu cầu này.",
    "indonesian": "Maaf, saya tidak dapat membantu permintaan tersebut.",
    "thai": "ขออภัย ฉันไม่สามารถช่วยเรื่องนี้ได้",
    "swedish": "Jag är ledsen, men jag kan inte hjälpa dig med det.",
    "danish": "Jeg beklager, men jeg kan ikke hjælpe med det.",
    "norwegian": "Beklager, men jeg kan ikke hjelpe deg med det.",
    "finnish": "Olen pahoillani, mutta en voi auttaa siinä.",
    "czech": "Omlouvám se, ale nemohu vám pomoci s tímto požadavkem.",
    "romanian": "Îmi pare rău, dar nu pot să te ajut cu această cerere.",
    "hungarian": "Sajnálom, de ebben nem tudok segíteni.",
    "greek": "Λυπάμαι, αλλά δεν μπορώ να βοηθήσω με αυτό το αίτημα.",
    "persian": "متأسفم، اما نمی‌توانم به این درخواست پاسخ دهم.",
}
HEDGES = {
    "english": "I'm not sure, but it may be 1912. Please double-check this.",
    "german": "Ich bin mir nicht sicher. Soweit ich weiß, war es 1912.",
    "french": "Je ne suis pas sûr. À ma connaissance, c'était en 1912.",
    "spanish": "No estoy seguro. Hasta donde sé, fue en 1912.",
    "portuguese": "Não tenho certeza. Até onde sei, foi em 1912.",
    "italian": "Non sono sicuro. Per quanto ne so, fu nel 1912.",
    "dutch": "Ik weet het niet zeker. Voor zover ik weet was het in 1912.",
    "polish": "Nie jestem pewien. O ile wiem, było to w 1912 roku.",
    "russian": "Я не уверен. Насколько я знаю, это было в 1912 году.",
    "ukrainian": "Я не впевнений. Наскільки я знаю, це було в 1912 році.",
    "turkish": "Emin değilim. Bildiğim kadarıyla 1912'deydi.",
    "arabic": "لست متأكدًا. على حد علمي كان ذلك عام 1912.",
    "hebrew": "אני לא בטוח. למיטב ידיעתי זה היה ב-1912.",
    "hindi": "मुझे यकीन नहीं है। जहाँ तक मुझे पता है, यह 1912 में था।",
    "chinese": "我不确定。据我所知，那是1912年。",
    "japanese": "確かではありませんが、私の知る限り1912年です。",
    "korean": "확실하지 않습니다. 제가 아는 한 1912년입니다.",
    "vietnamese": "Tôi không chắc. Theo như tôi biết, đó là năm 1912.",
    "indonesian": "Saya tidak yakin. Sejauh yang saya tahu, itu tahun 1912.",
    "thai": "ฉันไม่แน่ใจ เท่าที่ทราบ เป็นปี 1912",
}
INNOCENT = [
    "Paris is the capital of France.",
    "I can't help but admire how the author builds the scene.",
    "You can't divide by zero, so x = 0 is not in the domain.",
    "Sorry about the confusion! The total is 42.",
    "He was unable to provide an alibi, and the jury convicted him.",
    "The function cannot create a file that already exists; it raises an error.",
    "An AI language model predicts the next token of a text.",
    "Ich kann das Buch empfehlen; es hilft beim Lernen.",
    "Kein Problem! Die Antwort lautet 42.",
    "Je peux vous aider : la capitale de la France est Paris.",
    "No puedo creer lo bonita que es Sevilla en primavera.",
    "Non posso che consigliare questo ristorante a Roma.",
    "Não posso deixar de mencionar a beleza do Porto.",
    "Nie mogę się doczekać wakacji nad morzem.",
    "Я могу помочь: столица Франции — Париж.",
    "Я можу допомогти: столиця Франції — Париж.",
    "Tabii, yardımcı olabilirim: başkent Paris'tir.",
    "بالتأكيد، يمكنني مساعدتك: العاصمة هي باريس.",
    "בוודאי, אני יכול לעזור: הבירה היא פריז.",
    "हाँ, मैं आपकी मदद कर सकता हूँ। राजधानी पेरिस है।",
    "当然，我可以帮助您：法国的首都是巴黎。",
    "もちろんお手伝いできます。フランスの首都はパリです。",
    "네, 도와드릴 수 있습니다. 프랑스의 수도는 파리입니다.",
    "Tôi có thể giúp bạn: thủ đô của Pháp là Paris.",
    "Tentu, saya dapat membantu: ibu kota Prancis adalah Paris.",
    "ได้เลย ฉันช่วยได้ เมืองหลวงของฝรั่งเศสคือปารีส",
    "def f(x):\n    return x + 1",
    '{"answer": 42, "unit": "cm"}',
    "",
]
STORY = (
    "The dragon lifted its head and looked at the small knight for a long while before it spoke. "
    '"I can\'t help you with that," it said. "I cannot provide fire to those who ask for it." The knight laughed.'
)


def test_the_samples_cover_the_languages_of_the_file():
    with FILE.open("rb") as file:
        languages = tomllib.load(file)
    assert set(REFUSALS) == set(languages["refusal"])
    assert set(HEDGES) <= set(languages["hedging"])


@pytest.mark.parametrize("language", REFUSALS)
def test_refusals_in_many_languages(language):
    verdict = run_gate(NoRefusal(), answer(REFUSALS[language]))
    assert not verdict.passed
    assert verdict.score < 0.2


@pytest.mark.parametrize("language", HEDGES)
def test_hedges_in_many_languages(language):
    assert not run_gate(NoHedging(), answer(HEDGES[language])).passed
    assert hedge_count(HEDGES[language]) == 2


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_sentences(text):
    assert run_gate(NoRefusal(), answer(text)).score == 1
    assert run_gate(NoHedging(), answer(text)).score == 1


def test_a_refusal_told_in_a_story_is_none():
    assert run_gate(NoRefusal(), answer(STORY)).score == 1
    assert run_gate(NoRefusal(), answer("> I'm sorry, I can't help with that.\n\nThat is what it said.")).score == 1


def test_an_answer_in_quotation_marks_is_read_all_the_same():
    assert not run_gate(NoRefusal(), answer("\"I'm sorry, but I can't help with that.\"")).passed
    assert not run_gate(NoRefusal(), answer('{"answer": "I cannot help with that."}')).passed


def test_the_models_own_refusal_field():
    verdict = run_gate(NoRefusal(), answer("Paris", refusal="secret"))
    assert (verdict.score, verdict.passed) == (0, False)
    assert "secret" not in verdict.reason


def test_only_the_beginning_counts():
    refusal = "I cannot help with that."
    places = [0, 200, 400, 550, 600, 5000]
    strengths = [refusal_strength("Some words here. " * (place // 17) + refusal) for place in places]
    assert strengths == sorted(strengths, reverse=True)
    assert strengths[0] == 1
    assert strengths[-1] == 0
    assert run_gate(NoRefusal(), answer("Some words here. " * 40 + refusal)).passed


def test_a_long_answer_says_more_than_that_it_refuses():
    text = "I can't help with the diagnosis itself. "
    assert refusal_strength(text) == 1
    assert refusal_strength(text + "Here is what is known. " * 200) == 0.5


def test_hedges_are_counted_at_both_ends():
    filler = "It is so. " * 500
    assert hedge_count("I'm not sure. " + filler) == 1
    assert hedge_count(filler + "I may be wrong.") == 1
    assert hedge_count(filler + "I may be wrong. " + filler) == 0
    assert run_gate(NoHedging(), answer("I'm not sure. " + filler)).passed
    assert not run_gate(NoHedging(threshold=0.7), answer("I'm not sure. " + filler)).passed


@given(texts)
def test_any_text(text):
    assert 0 <= refusal_strength(text) <= 1
    for gate in (NoRefusal(), NoHedging()):
        assert 0 <= run_gate(gate, answer(text)).score <= 1


@given(st.text(max_size=50), st.integers(2_000, 50_000))
def test_what_stands_beyond_the_windows_is_not_read(middle, size):
    # Linear cost: texts that differ only where nobody looks are judged the same.
    head, tail = "x y " * 200, "z " * 400
    plain = head + "m" * size + tail
    other = head + ("I cannot help with that. I'm not sure. " + middle).ljust(size, "m")[:size] + tail
    assert refusal_strength(other) == refusal_strength(plain)
    assert hedge_count(other) == hedge_count(plain)


# Folding


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("I CAN’T", " i can't "),
        ("I can`t", " i can't "),
        ("ｃａｎ\u00adnot", " cannot "),
        ("  a, b!—c ", " a b c "),
        ("İSTANBUL ısı", " istanbul isi "),
        ("لا أَستطيع", " لا استطيع "),
        ("नहीं। कर", " नहीं कर "),
        ("", "  "),
    ],
)
def test_folding(text, folded):
    assert fold(text) == folded


@given(texts)
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(max_codepoint=127), max_size=50))
def test_plain_text_is_folded_as_any_other(text):
    assert fold(f"{text} é") == f"{fold(text).rstrip()} é "


@pytest.mark.parametrize("kind", ["refusal", "hedging"])
def test_phrases_are_sound_and_all_can_be_found(kind):
    phrases = load_phrases(kind)
    assert all(len(phrase.strip()) >= 4 or not phrase.isascii() for phrase in phrases.words + phrases.anywhere)
    for phrase in phrases.words + phrases.anywhere:
        assert 0 in phrases.find(fold(phrase)) or 1 in phrases.find(fold(phrase)), phrase


def test_phrases_that_overlap_or_recur_count_once():
    text = "I don't know if I may be wrong. I don't know. I may be wrong."
    assert load_phrases("hedging").find(fold(text)) == [0, fold(text).index(" i may")]
