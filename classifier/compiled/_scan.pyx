# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The features of a text in one pass over its window, compiled; `classifier.features.extract` is their definition.

The same things are counted as there and in `classifier.text`, `classifier.keywords` and `classifier.tokens`, byte by
byte, with those modules' tables and constants. Results are equal to the last bit, but for logarithms of numbers that
are above 4,095 or not whole: numpy's and the C library's may differ by a few parts in 10**16.
"""

import os

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_DATA, PyUnicode_KIND
from libc.math cimport log1p
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

import numpy as np

from classifier.features import (
    CONTEXT_BITS,
    CONTEXT_FROM as FIRST_CONTEXT_BUCKET,
    FIRST_MULTIPLIER as FIRST,
    LONG_WORD as LONG,
    N_BUCKETS,
    N_WORD_BUCKETS,
    SECOND_MULTIPLIER as SECOND,
    SIZES as SIZE_NAMES,
    TERM_BITS,
    TEXTS as COUNTED_TEXTS,
    WORD_MULTIPLIER,
)
from classifier.text import CLASS_OF_BYTE, HEAD_CHARS, LOWER_BYTES, TAIL_CHARS, UNSPACED_CLASSES, WORD_BYTES, ByteClass
from classifier.request import CONTEXT
from classifier.token_estimate import (
    AFTER,
    ASTRAL as ASTRAL_KIND,
    EMOJI as EMOJI_KIND,
    EMOJI_FROM as FIRST_EMOJI,
    EMOJI_TO as AFTER_EMOJI,
    FIRST_CYRILLIC as FIRST_CYRILLIC_LETTER,
    GROUP_OF_KIND,
    GROUPS as CHAR_GROUPS,
    KIND_OF_CHAR,
    LATIN as LATIN_LETTERS,
    LETTERS as ALL_LETTERS,
    PAIRS,
    RATES,
)

cdef extern from *:
    """
    #ifdef _MSC_VER
    #include <intrin.h>
    static int lowest_bit(unsigned long long bits) {
        unsigned long place;
        _BitScanForward64(&place, bits);
        return (int)place;
    }
    #else
    static int lowest_bit(unsigned long long bits) { return __builtin_ctzll(bits); }
    #endif
    """
    int lowest_bit(uint64_t bits) nogil

cdef enum:
    CLASSES = 25
    INDIC = 16  # the first class of scripts with three or more bytes a character; the last is CONTINUATION
    CONTINUATION = 24
    MOST_BYTES = 4 * 3073  # of the longest window: no character takes more, lower-cased or not
    MOST_WORDS = MOST_BYTES // 2 + 1  # a word is a byte and a space at least, or three bytes
    WORD_SLOTS = 16384  # a power of two above 2 * MOST_WORDS
    MOST_MARKS = 32
    MOST_MARK_BYTES = 16
    MOST_GROUPS = 1024
    MOST_PARTS = 4  # of the context
    TEXTS = 3  # of these, whose tokens count
    MOST_TERMS = (2 + MOST_PARTS) * MOST_WORDS + MOST_BYTES
    MOST_FORM = 32
    UNLOCKED = 2000  # bytes, above which letting other threads run meanwhile is worth what it costs
    SHIFT = 14  # from 32 bits to a bucket's 18
    HALF = 1 << 18  # buckets of word n-grams; as many of byte n-grams follow, then those of the context's words
    CONTEXT_SHIFT = 16
    CONTEXT_FROM = 2 * HALF
    BITMAP = (CONTEXT_FROM + (1 << 16)) // 64
    SUMMARY = BITMAP // 64
    SIZES = 10
    LONG_WORD = 8
    EXACT_LOGS = 4096
    PLANE = 1 << 16  # characters whose kind a table tells
    GROUPS = 7
    LATIN = 26
    LETTERS = 58
    FIRST_CYRILLIC = 0x410
    ASCII = 128
    EMOJI_FROM = 0x1F000
    EMOJI_TO = 0x20000

cdef enum Role:  # a character's part in words
    BETWEEN = 0
    INSIDE = 1
    ALONE = 2

cdef uint32_t MULTIPLIER = 0x9E3779B1
cdef uint32_t FIRST_MULTIPLIER = 0x85EBCA77
cdef uint32_t SECOND_MULTIPLIER = 0xC2B2AE3D

# What is written out above so that the C compiler knows it, against where it is defined.
WRITTEN_TWICE = {
    "CLASSES": (CLASSES, len(ByteClass)),
    "INDIC": (INDIC, ByteClass.INDIC),
    "CONTINUATION": (CONTINUATION, ByteClass.CONTINUATION),
    "MOST_BYTES": (MOST_BYTES, 4 * (HEAD_CHARS + TAIL_CHARS + 1)),
    "SHIFT": (SHIFT, 32 - TERM_BITS),
    "HALF": (HALF, N_WORD_BUCKETS),
    "BITMAP": (64 * BITMAP, N_BUCKETS),
    "CONTEXT_FROM": (CONTEXT_FROM, FIRST_CONTEXT_BUCKET),
    "CONTEXT_SHIFT": (CONTEXT_SHIFT, 32 - CONTEXT_BITS),
    "MOST_PARTS": (MOST_PARTS, len(CONTEXT)),
    "TEXTS": (TEXTS, COUNTED_TEXTS),
    "GROUPS": (GROUPS, len(CHAR_GROUPS)),
    "LATIN": (LATIN, LATIN_LETTERS),
    "LETTERS": (LETTERS, ALL_LETTERS),
    "FIRST_CYRILLIC": (FIRST_CYRILLIC, FIRST_CYRILLIC_LETTER),
    "EMOJI_FROM": (EMOJI_FROM, FIRST_EMOJI),
    "EMOJI_TO": (EMOJI_TO, AFTER_EMOJI),
    "SIZES": (SIZES, len(SIZE_NAMES)),
    "LONG_WORD": (LONG_WORD, LONG),
    "MULTIPLIER": (MULTIPLIER, int(WORD_MULTIPLIER)),
    "FIRST_MULTIPLIER": (FIRST_MULTIPLIER, int(FIRST)),
    "SECOND_MULTIPLIER": (SECOND_MULTIPLIER, int(SECOND)),
}
for _name, (_compiled, _defined) in WRITTEN_TWICE.items():
    if _compiled != _defined:
        raise ImportError(
            f"classifier.compiled._scan was built for {_name} = {_compiled}, this version of tierwise has {_defined}; "
            "install the package again"
        )

cdef struct Word:
    int32_t start
    int32_t length
    uint32_t crc  # what its terms are made from
    uint32_t key  # its place in hash tables

cdef struct Entry:
    int32_t start  # of its bytes among all entries' bytes
    int32_t length
    int32_t group
    int32_t next  # position of the next entry in the same slot, from 1; 0: none

cdef struct Chars:  # characters as Python keeps them
    int width  # bytes of each: 1, 2 or 4; 0: all are ASCII
    const void* data
    Py_ssize_t length

cdef struct Text:  # an excerpt
    const uint8_t* raw  # the window, as UTF-8
    const uint8_t* lowered
    int raw_length
    int lowered_length
    Chars window
    Chars sample
    double chars
    double rest

cdef uint8_t class_of[256]
cdef uint8_t lower_of[256]
cdef uint8_t in_word[256]
cdef uint8_t is_unspaced[CLASSES]
cdef uint8_t kind_of[PLANE]
cdef uint8_t group_of[256]
cdef int64_t rates[256]
cdef uint16_t ascii_cost[ASCII][ASCII]  # of a character after another
cdef int64_t after[GROUPS][GROUPS]
cdef int64_t pairs[LETTERS + 1][LETTERS + 1]  # the last row and column: no letter
cdef int space_group = CHAR_GROUPS.index("space"), emoji_kind = EMOJI_KIND, astral_kind = ASTRAL_KIND
cdef uint32_t crc_of[256]
cdef double log_of[EXACT_LOGS]
# Drawn anew in every process, so that nobody can write a text whose words share their places in hash tables.
cdef uint64_t secret = int.from_bytes(os.urandom(8), "little") | 1


cdef uint32_t _crc_of_byte(uint32_t byte) noexcept nogil:
    for _ in range(8):
        byte = (byte >> 1) ^ (0xEDB88320U if byte & 1 else 0)
    return byte


def _fill_tables():
    for byte in range(256):
        class_of[byte], lower_of[byte] = CLASS_OF_BYTE[byte], LOWER_BYTES[byte]
        in_word[byte] = WORD_BYTES[byte] != ord(" ")
        crc_of[byte] = _crc_of_byte(byte)
    for kind in ByteClass:
        is_unspaced[kind] = kind in UNSPACED_CLASSES
    for number, value in enumerate(np.log1p(np.arange(EXACT_LOGS, dtype=np.float64)).tolist()):
        log_of[number] = value
    for char, kind in enumerate(KIND_OF_CHAR.tolist()):
        kind_of[char] = kind
    for kind, (rate, group) in enumerate(zip(RATES.tolist(), GROUP_OF_KIND.tolist())):
        rates[kind], group_of[kind] = rate, group
    for row in range(GROUPS):
        for column in range(GROUPS):
            after[row][column] = AFTER[row, column]
    for row in range(LETTERS + 1):
        for column in range(LETTERS + 1):
            pairs[row][column] = PAIRS[row, column]
    for row in range(ASCII):
        for column in range(ASCII):
            ascii_cost[row][column] = (
                rates[kind_of[column]] + after[group_of[kind_of[row]]][group_of[kind_of[column]]]
                + pairs[_letter(row)][_letter(column)]
            )


cdef int _letter(uint32_t char) noexcept nogil:
    cdef int letter = <int>(char | 0x20) - 0x61
    if 0 <= letter < LATIN:
        return letter
    return LATIN + (char - FIRST_CYRILLIC) % (LETTERS - LATIN) if FIRST_CYRILLIC <= char < 0x450 else LETTERS


_fill_tables()


cdef inline uint32_t _char(const Chars* text, Py_ssize_t place) noexcept nogil:
    if text.width <= 1:
        return (<const uint8_t*>text.data)[place]
    return (<const uint16_t*>text.data)[place] if text.width == 2 else (<const uint32_t*>text.data)[place]


cdef int64_t _hundredths_of_ascii(const uint8_t* text, Py_ssize_t length) noexcept nogil:
    cdef int64_t total = 0
    cdef Py_ssize_t place
    cdef uint32_t last = c" "
    for place in range(length):
        total += ascii_cost[last][text[place]]
        last = text[place]
    return total


cdef int64_t _hundredths(const Chars* text) noexcept nogil:
    """`classifier.token_estimate.hundredths`."""
    cdef int64_t total = 0
    cdef int kind, group, letter, last_group = space_group, last_letter = LETTERS
    cdef Py_ssize_t place
    cdef uint32_t char
    if text.width == 0:
        return _hundredths_of_ascii(<const uint8_t*>text.data, text.length)
    for place in range(text.length):
        char = _char(text, place)
        if char < PLANE:
            kind = kind_of[char]
        else:
            kind = emoji_kind if EMOJI_FROM <= char < EMOJI_TO else astral_kind
        group = group_of[kind]
        letter = _letter(char)
        total += rates[kind] + after[last_group][group] + pairs[last_letter][letter]
        last_group, last_letter = group, letter
    return total


cdef double _estimate_tokens(const Text* text) noexcept nogil:
    cdef double found = _hundredths(&text.window)
    cdef const Chars* known = &text.sample if text.sample.length else &text.window
    if text.rest:
        found += <double>_hundredths(known) * text.rest / max(1, known.length)
    return found / 100.0


cdef Chars _chars(str text):
    return Chars(0 if text.isascii() else PyUnicode_KIND(text), PyUnicode_DATA(text), len(text))


cdef Text _text(excerpt, list kept):
    """An excerpt; the bytes made for it are kept in the list."""
    cdef str window, sample
    cdef double chars, rest
    window, chars, sample, rest = excerpt
    cdef bytes raw = window.encode("utf-8", "surrogatepass"), lowered = _lowered(window, raw)
    kept.append(raw)
    kept.append(lowered)
    return Text(raw, lowered, len(raw), len(lowered), _chars(window), _chars(sample), chars, rest)


cdef inline double _log1p(double number) noexcept nogil:
    if 0 <= number < EXACT_LOGS and number == <int>number:
        return log_of[<int>number]
    return log1p(number)


cdef inline uint64_t _mix(uint64_t state, uint8_t byte) noexcept nogil:
    return (state ^ byte) * secret


cdef uint32_t _key(const uint8_t* text, int length) noexcept nogil:
    cdef uint64_t state = secret
    for place in range(length):
        state = _mix(state, text[place])
    return <uint32_t>(state >> 32)


cdef inline int _width(uint8_t first) noexcept nogil:
    """Bytes of the UTF-8 character that begins with ``first``."""
    return 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


cdef int _role(const uint8_t* char) noexcept nogil:
    """The part in words of a character outside ASCII: `classifier.text`'s regular expressions, by hand."""
    cdef uint8_t first = char[0], second = char[1]
    if first == 0xE0:
        return BETWEEN if second == 0xA5 and 0xA4 <= char[2] <= 0xA5 else ALONE if 0xB8 <= second <= 0xBB else INSIDE
    if first == 0xE1:
        return ALONE if 0x80 <= second <= 0x82 or 0x9E <= second <= 0x9F else INSIDE
    if first == 0xE2:
        return BETWEEN if second <= 0x81 else INSIDE
    if first == 0xE3:
        return BETWEEN if second == 0x80 and (char[2] <= 0x84 or 0x88 <= char[2] <= 0x9F) else ALONE
    if 0xE4 <= first <= 0xED:
        return ALONE
    if first == 0xEF:
        if second == 0xBC:
            return BETWEEN if char[2] <= 0x8F or 0x9A <= char[2] <= 0xA0 else INSIDE
        return BETWEEN if second == 0xBD and 0xA1 <= char[2] <= 0xA5 else INSIDE
    if first == 0xF0:
        return ALONE if 0xA0 <= second <= 0xAF else INSIDE
    if first == 0xC2:
        return BETWEEN if 0xA0 <= second and second not in (0xAA, 0xB2, 0xB3, 0xB5, 0xB9, 0xBA) else INSIDE
    if first == 0xD8:
        return BETWEEN if second in (0x8C, 0x9B, 0x9F) else INSIDE
    return BETWEEN if first == 0xCD and second == 0xBE or first == 0xDB and second == 0x94 else INSIDE


cdef bytes _lowered(str window, bytes raw):
    """The lower-cased window, or for ASCII the window itself, which the tables take as well."""
    lowered = raw if window.isascii() else window.lower().encode("utf-8", "surrogatepass")
    if len(raw) > MOST_BYTES or len(lowered) > MOST_BYTES:
        raise ValueError(f"a window has at most {MOST_BYTES} bytes")
    return lowered


cdef class _Entries:
    """Keywords in a hash table, by their first ``prefix`` bytes, or by all of them where it is 0."""

    cdef bytes joined
    cdef const uint8_t* text
    cdef Entry* entries
    cdef int32_t* slots
    cdef uint32_t mask
    cdef int count, prefix
    cdef uint8_t begins[256]  # whether an entry begins with a byte

    def __cinit__(self, list keywords, bint whole):
        """``keywords``: (text, position of its group), texts not empty."""
        cdef int start = 0
        cdef uint32_t slot
        self.joined = b"".join([text for text, _ in keywords])
        self.text = self.joined
        self.count = len(keywords)
        self.prefix = 0 if whole else min([len(text) for text, _ in keywords] + [3])
        self.mask = (1 << (2 * self.count).bit_length()) - 1
        self.entries = <Entry*>PyMem_Calloc(self.count + 1, sizeof(Entry))
        self.slots = <int32_t*>PyMem_Calloc(self.mask + 1, sizeof(int32_t))
        if self.entries == NULL or self.slots == NULL:
            raise MemoryError
        for position, (text, group) in enumerate(keywords, 1):
            slot = _key(self.text + start, self.prefix or len(text)) & self.mask
            self.entries[position] = Entry(start, len(text), group, self.slots[slot])
            self.slots[slot] = position
            self.begins[<int>text[0]] = True
            start += len(text)

    def __dealloc__(self):
        PyMem_Free(self.entries)
        PyMem_Free(self.slots)


cdef class Scanner:
    """Reads texts for one set of marks and keyword groups.

    It reads into memory of its own and may let go of the interpreter's lock meanwhile: for one thread at a time.
    """

    cdef readonly int64_t steps
    cdef readonly object terms, dense
    cdef uint32_t[::1] buckets
    cdef double[::1] numbers
    cdef int found_terms, found_word_terms
    cdef int marks, groups, form
    cdef tuple question_marks
    cdef uint8_t mark_bytes[MOST_MARKS][MOST_MARK_BYTES]
    cdef int mark_length[MOST_MARKS]
    cdef int first_mark[256]  # the first mark that begins with a byte, from 1; 0: none
    cdef int next_mark[MOST_MARKS]
    cdef _Entries words, parts
    cdef uint8_t* found_parts

    # What the text at hand holds.
    cdef const uint8_t* raw
    cdef int raw_length, length
    cdef uint8_t lowered[MOST_BYTES + MOST_MARK_BYTES]
    cdef int64_t classes[CLASSES]
    cdef int64_t mark_counts[MOST_MARKS]
    cdef int64_t hits[MOST_GROUPS]
    cdef Word found[MOST_WORDS]
    cdef int found_words
    cdef int32_t slots[WORD_SLOTS]
    cdef int64_t sizes[SIZES]
    cdef uint64_t bitmap[BITMAP]
    cdef uint64_t summary[SUMMARY]

    def __cinit__(self, tuple marks, tuple question_marks, list words, list parts, int groups, int form):
        """See the stub for the parameters."""
        if len(marks) > MOST_MARKS or max(map(len, marks)) > MOST_MARK_BYTES or groups > MOST_GROUPS:
            raise ValueError(f"at most {MOST_MARKS} marks of {MOST_MARK_BYTES} bytes and {MOST_GROUPS} keyword groups")
        if not 1 <= form <= MOST_FORM:
            raise ValueError(f"1 to {MOST_FORM} numbers on the form, not {form}")
        self.marks, self.groups, self.question_marks, self.form = len(marks), groups, question_marks, form
        self.terms = np.empty(MOST_TERMS, np.uint32)
        self.dense = np.empty(2 * CLASSES + SIZES + self.marks + form + 2 * groups)
        self.buckets, self.numbers = self.terms, self.dense
        for position, mark in enumerate(marks):
            self.mark_length[position] = len(mark)
            memcpy(self.mark_bytes[position], <const uint8_t*>mark, len(mark))
            self.next_mark[position] = self.first_mark[<int>mark[0]]
            self.first_mark[<int>mark[0]] = position + 1
        self.words, self.parts = _Entries(words, True), _Entries(parts, False)
        self.found_parts = <uint8_t*>PyMem_Calloc(len(parts) + 1, 1)
        if self.found_parts == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.found_parts)

    def scan(self, ask, tuple counted, tuple form not None, tuple context not None):
        """See the stub."""
        cdef Text texts[MOST_PARTS + 1]
        cdef double numbers[MOST_FORM]
        cdef double tokens[2]
        cdef list kept = []
        cdef int each, parts = len(context)
        if len(form) + 2 != self.form:
            raise ValueError(f"{len(form)} numbers on the form where {self.form - 2} are expected")
        if parts > MOST_PARTS:
            raise ValueError(f"a context of {parts} parts, expected {MOST_PARTS} at most")
        texts[0] = _text(ask, kept)
        for each in range(parts):
            texts[each + 1] = _text(context[each], kept)
        for each in range(self.form - 2):
            numbers[each] = form[each]
        numbers[self.form - 1] = (<bytes>kept[1]).rstrip().endswith(self.question_marks)
        if counted is not None:
            tokens[0], tokens[1] = counted
        if texts[0].raw_length > UNLOCKED:
            with nogil:
                self._read(texts, parts, tokens, counted is None, numbers, &self.numbers[0], &self.buckets[0])
        else:
            self._read(texts, parts, tokens, counted is None, numbers, &self.numbers[0], &self.buckets[0])
        return self.found_terms, self.found_word_terms, tokens[0], tokens[1]

    cdef void _read(
        self, const Text* texts, int parts, double* tokens, bint estimate, double* form, double* dense, uint32_t* terms
    ) noexcept nogil:
        """Read what is asked and the parts around it; write the dense features and the terms."""
        cdef int part
        if estimate:
            tokens[0], tokens[1] = _estimate_tokens(&texts[0]), 0.0
            for part in range(1, min(parts, TEXTS) + 1):
                tokens[1] += _estimate_tokens(&texts[part])
        form[self.form - 2] = tokens[1]
        self._scan(&texts[0])
        self._write_dense(dense, texts[0].chars, tokens[0], form)
        self.found_word_terms = self._mark_words()
        self.found_terms = self.found_word_terms + self._mark_grams()
        for part in range(1, parts + 1):
            if texts[part].lowered_length:
                self._hold(&texts[part])
                self._split()
                self.found_terms += self._mark_context(part)
        self._write_terms(terms)

    def read_many(self, list asks not None, counted, forms not None, list contexts not None):
        """See the stub."""
        cdef int row, rows = len(asks)
        cdef double[:, ::1] numbers = forms
        cdef bint estimate = counted is None
        tokens = np.empty((rows, 2)) if estimate else np.array(counted, np.float64).reshape(-1, 2)
        if rows != len(contexts) or rows != len(tokens) or rows != len(forms):
            raise ValueError("asks, tokens, forms and contexts differ in length")
        if numbers.shape[1] != self.form:
            raise ValueError(f"{numbers.shape[1]} numbers on the forms where {self.form} are expected")
        cdef list kept = []
        cdef Py_ssize_t most = 0, place = 0
        cdef int64_t[::1] starts = np.cumsum([0, *[1 + len(context) for context in contexts]], dtype=np.int64)
        if any(len(context) > MOST_PARTS for context in contexts):
            raise ValueError(f"a context of more than {MOST_PARTS} parts")
        cdef Text* texts = <Text*>PyMem_Malloc(max(starts[rows], 1) * sizeof(Text))
        if texts == NULL:
            raise MemoryError
        try:
            for row in range(rows):
                numbers[row, self.form - 1] = 0.0
                for excerpt in (asks[row], *contexts[row]):
                    texts[place] = _text(excerpt, kept)
                    if place == starts[row]:
                        numbers[row, self.form - 1] = (<bytes>kept[len(kept) - 1]).rstrip().endswith(self.question_marks)
                    most += 2 * texts[place].lowered_length + 2
                    place += 1
            terms, ends = np.empty(most, np.uint32), np.zeros(rows + 1, np.int64)
            words, dense = np.empty(rows, np.int64), np.empty((rows, self.numbers.shape[0]))
            self._read_all(texts, starts, tokens, estimate, numbers, terms, ends, words, dense)
        finally:
            PyMem_Free(texts)
        return terms[: ends[rows]], ends, words, dense, tokens.sum(axis=1)

    cdef void _read_all(
        self, const Text* texts, const int64_t[::1] starts, double[:, ::1] tokens, bint estimate,
        double[:, ::1] forms, uint32_t[::1] terms, int64_t[::1] ends, int64_t[::1] words, double[:, ::1] dense,
    ):
        cdef Py_ssize_t row
        with nogil:
            for row in range(words.shape[0]):
                self._read(
                    texts + starts[row], starts[row + 1] - starts[row] - 1, &tokens[row, 0], estimate, &forms[row, 0],
                    &dense[row, 0], &terms[0] + ends[row],
                )
                words[row], ends[row + 1] = self.found_word_terms, ends[row] + self.found_terms

    cdef void _scan(self, const Text* text) noexcept nogil:
        self._hold(text)
        self._count_marks()
        self._split()
        self._count_words()
        self._count_parts()

    cdef void _hold(self, const Text* text) noexcept nogil:
        """Take a text at hand: lower-cased, and its bytes by class."""
        self.raw, self.raw_length = text.raw, text.raw_length
        self._lower(text.lowered, text.lowered_length)
        self._classify()

    cdef void _lower(self, const uint8_t* text, int length) noexcept nogil:
        for place in range(length):
            self.lowered[place] = lower_of[text[place]]
        memset(self.lowered + length, 0, MOST_MARK_BYTES)
        self.length = length

    cdef void _classify(self) noexcept nogil:
        memset(self.classes, 0, sizeof(self.classes))
        for place in range(self.raw_length):
            self.classes[class_of[self.raw[place]]] += 1
        self.steps += self.raw_length

    cdef void _count_marks(self) noexcept nogil:
        """Count each mark as ``bytes.count`` does: from the left, none overlapping the one before."""
        cdef int free_from[MOST_MARKS]
        cdef int place, mark
        memset(free_from, 0, sizeof(free_from))
        memset(self.mark_counts, 0, sizeof(self.mark_counts))
        for place in range(self.length):
            mark = self.first_mark[self.lowered[place]] - 1
            while mark >= 0:
                if place >= free_from[mark] and self._is_mark(place, mark):
                    self.mark_counts[mark] += 1
                    free_from[mark] = place + self.mark_length[mark]
                mark = self.next_mark[mark] - 1
        self.steps += self.length

    cdef inline bint _is_mark(self, int place, int mark) noexcept nogil:
        cdef int length = self.mark_length[mark], offset = 1
        while offset < length and self.lowered[place + offset] == self.mark_bytes[mark][offset]:
            offset += 1
        return offset == length and place + length <= self.length

    cdef void _split(self) noexcept nogil:
        """Find the words. Only where a script without spaces occurs do its characters stand alone."""
        cdef bint unspaced = self._any_unspaced() or self.classes[CONTINUATION - 1] > 0
        cdef int place = 0, start = 0, width, role
        self.found_words = 0
        while place < self.length:
            width, role = 1, in_word[self.lowered[place]]
            if self.lowered[place] >= 0x80:
                width, role = _width(self.lowered[place]), _role(self.lowered + place)
            if role == BETWEEN or (role == ALONE and unspaced):
                self._add_word(start, place)
                start = place + width
                if role == ALONE:
                    self._add_word(place, start)
            place += width
        self._add_word(start, place)

    cdef bint _any_unspaced(self) noexcept nogil:
        for kind in range(CLASSES):
            if is_unspaced[kind] and self.classes[kind]:
                return True
        return False

    cdef inline void _add_word(self, int start, int end) noexcept nogil:
        cdef uint32_t crc = 0xFFFFFFFFU
        cdef uint64_t state = secret
        cdef int place
        if start == end:
            return
        for place in range(start, end):
            crc = (crc >> 8) ^ crc_of[(crc ^ self.lowered[place]) & 0xFF]
            state = _mix(state, self.lowered[place])
        self.found[self.found_words] = Word(start, end - start, ~crc, <uint32_t>(state >> 32))
        self.found_words += 1

    cdef void _count_words(self) noexcept nogil:
        """Count words and numbers, all and distinct, and the distinct words' keywords."""
        cdef uint32_t mask = 1
        cdef int position, long_words = 0, longest = 0, distinct = 0
        cdef int numbers = 0, distinct_numbers = 0, longest_number = 0
        cdef bint new, number
        cdef Word* word
        while mask < <uint32_t>(2 * self.found_words):
            mask *= 2
        mask -= 1
        memset(self.slots, 0, (mask + 1) * sizeof(int32_t))
        memset(self.hits, 0, self.groups * sizeof(int64_t))
        for position in range(self.found_words):
            word = &self.found[position]
            new, number = self._is_new(position, mask), self._is_number(word)
            long_words += word.length >= LONG_WORD
            longest = max(longest, word.length)
            distinct += new
            if number:
                numbers += 1
                distinct_numbers += new
                longest_number = max(longest_number, word.length)
            if new:
                self._count_keywords(word)
        self.steps += self.found_words
        self.sizes[:] = [
            0, 0, self.found_words, distinct, long_words, longest, numbers, distinct_numbers, longest_number, 0
        ]
        self.sizes[9] = self._last_line()

    cdef bint _is_new(self, int position, uint32_t mask) noexcept nogil:
        """Whether no word before was the same; enters it in the table of words."""
        cdef Word* word = &self.found[position]
        cdef Word* other
        cdef uint32_t slot = word.key & mask
        while self.slots[slot]:
            self.steps += 1
            other = &self.found[self.slots[slot] - 1]
            if other.key == word.key and self._same(word, self.lowered + other.start, other.length):
                return False
            slot = (slot + 1) & mask
        self.slots[slot] = position + 1
        return True

    cdef inline bint _same(self, Word* word, const uint8_t* text, int length) noexcept nogil:
        return word.length == length and memcmp(self.lowered + word.start, text, length) == 0

    cdef inline bint _is_number(self, Word* word) noexcept nogil:
        cdef int place
        for place in range(word.start, word.start + word.length):
            if not c"0" <= self.lowered[place] <= c"9":
                return False
        return True

    cdef void _count_keywords(self, Word* word) noexcept nogil:
        cdef Entry* entry
        cdef int position = self.words.slots[word.key & self.words.mask]
        while position:
            self.steps += 1
            entry = &self.words.entries[position]
            if self._same(word, self.words.text + entry.start, entry.length):
                self.hits[entry.group] += 1
            position = entry.next

    cdef void _count_parts(self) noexcept nogil:
        """Count keywords of scripts without spaces, wherever they stand."""
        cdef int place, position
        cdef Entry* entry
        if not self.parts.count or not self._any_unspaced():
            return
        memset(self.found_parts, 0, self.parts.count + 1)
        for place in range(self.raw_length - self.parts.prefix + 1):
            if not self.parts.begins[self.raw[place]]:
                continue
            position = self.parts.slots[_key(self.raw + place, self.parts.prefix) & self.parts.mask]
            while position:
                self.steps += 1
                entry = &self.parts.entries[position]
                if not self.found_parts[position] and self._begins(place, self.parts.text + entry.start, entry.length):
                    self.found_parts[position] = True
                    self.hits[entry.group] += 1
                position = entry.next
        self.steps += self.raw_length

    cdef inline bint _begins(self, int place, const uint8_t* text, int length) noexcept nogil:
        return place + length <= self.raw_length and memcmp(self.raw + place, text, length) == 0

    cdef int _last_line(self) noexcept nogil:
        """Bytes after the last line break."""
        cdef int place = self.length
        while place > 0 and self.lowered[place - 1] != c"\n":
            place -= 1
        return self.length - place

    cdef void _write_terms(self, uint32_t* terms) noexcept nogil:
        """Write the marked buckets, sorted, and take the marks away."""
        cdef int place = 0, group, bits
        for group in range(SUMMARY):
            while self.summary[group]:
                bits = 64 * group + lowest_bit(self.summary[group])
                self.summary[group] &= self.summary[group] - 1
                while self.bitmap[bits]:
                    terms[place] = 64 * bits + lowest_bit(self.bitmap[bits])
                    self.bitmap[bits] &= self.bitmap[bits] - 1
                    place += 1

    cdef int _mark_words(self) noexcept nogil:
        """Mark words and pairs of neighbours; the number of distinct buckets."""
        cdef int position, new = 0
        cdef uint32_t pair
        for position in range(self.found_words):
            new += self._mark(self.found[position].crc * MULTIPLIER >> SHIFT)
            if position:
                pair = self.found[position - 1].crc * FIRST_MULTIPLIER + self.found[position].crc * SECOND_MULTIPLIER
                pair ^= pair >> 15
                new += self._mark(pair * MULTIPLIER >> SHIFT)
        return new

    cdef int _mark_grams(self) noexcept nogil:
        """Mark runs of four bytes, read as little-endian numbers; the number of distinct buckets."""
        cdef int place, new = 0
        cdef uint32_t gram = 0
        for place in range(self.length):
            gram = gram >> 8 | <uint32_t>self.lowered[place] << 24
            if place >= 3:
                new += self._mark((gram * MULTIPLIER >> SHIFT) + HALF)
        return new

    cdef int _mark_context(self, int part) noexcept nogil:
        """Mark the words of a part of the context; the number of distinct buckets."""
        cdef int position, new = 0
        cdef uint32_t crc
        for position in range(self.found_words):
            crc = self.found[position].crc + <uint32_t>part * FIRST_MULTIPLIER
            new += self._mark((crc * MULTIPLIER >> CONTEXT_SHIFT) + CONTEXT_FROM)
        return new

    cdef inline bint _mark(self, uint32_t bucket) noexcept nogil:
        cdef uint64_t bit = <uint64_t>1 << (bucket & 63)
        cdef bint new = not self.bitmap[bucket >> 6] & bit
        self.bitmap[bucket >> 6] |= bit
        self.summary[bucket >> 12] |= <uint64_t>1 << (bucket >> 6 & 63)
        return new

    cdef void _write_dense(self, double* dense, double chars, double tokens, const double* form) noexcept nogil:
        """Write the dense features; ``form``: numbers on the request's form."""
        cdef int each
        cdef double* logs = dense + CLASSES
        cdef double* shares = dense + self.numbers.shape[0] - self.groups
        for each in range(CLASSES):
            dense[each] = self.classes[each] / <double>max(1, self.raw_length)
            logs[each] = _log1p(self.classes[each])
        logs += CLASSES
        logs[0], logs[1] = _log1p(chars), _log1p(tokens)
        for each in range(2, SIZES):
            logs[each] = _log1p(self.sizes[each])
        logs += SIZES
        for each in range(self.marks):
            logs[each] = _log1p(self.mark_counts[each])
        logs += self.marks
        for each in range(self.form):
            logs[each] = _log1p(form[each])
        logs += self.form
        for each in range(self.groups):
            logs[each] = _log1p(self.hits[each])
            shares[each] = self.hits[each] / <double>max(1, self.found_words)
