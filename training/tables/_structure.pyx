# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The scan of a block of a CSV file, compiled; `training.tables.structure.scan_block` is its definition."""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memchr

import numpy as np

cdef enum:
    QUOTE = 34
    NEWLINE = 10
    RETURN = 13


cdef Py_ssize_t newlines_of(const uint8_t* begin, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t count = 0
    cdef const uint8_t* end = begin + size
    while begin < end:
        begin = <const uint8_t*> memchr(begin, NEWLINE, end - begin)
        if begin == NULL:
            break
        count += 1
        begin += 1
    return count


cdef Py_ssize_t scan(
    const uint8_t* block, Py_ssize_t end, uint8_t delimiter, Py_ssize_t width, int64_t* state, int64_t* starts
) noexcept nogil:
    """Records that end in the block; -1: something is not as it should be. ``state`` : open, cells, lines."""
    cdef Py_ssize_t place = 0, found = 0, begin
    cdef int64_t opened = state[0], cells = state[1], lines = state[2]
    cdef const uint8_t* quote
    cdef uint8_t char
    while place < end:
        if opened:
            quote = <const uint8_t*> memchr(block + place, QUOTE, end - place)
            begin = place
            place = end if quote == NULL else quote - block
            lines += newlines_of(block + begin, place - begin)
            if quote == NULL:
                break
            place += 1
            if place < end and block[place] == QUOTE:
                place += 1
                continue
            opened = 0
            if place < end and block[place] != delimiter and block[place] != NEWLINE and block[place] != RETURN:
                return -1
            continue
        char = block[place]
        if char == delimiter:
            cells += 1
        elif char == NEWLINE:
            if cells != width - 1:
                return -1
            cells = 0
            lines += 1
            starts[found] = lines + 1
            found += 1
        elif char == QUOTE:
            if place and block[place - 1] != delimiter and block[place - 1] != NEWLINE:
                return -1
            opened = 1
        place += 1
    state[0], state[1], state[2] = opened, cells, lines
    return found


def scan_block(bytes block, Py_ssize_t end, int delimiter, Py_ssize_t width, (int64_t, int64_t, int64_t) state):
    """As `training.tables.structure.scan_block`, but for carriage returns and NUL characters."""
    # A record takes as many bytes as it has cells, at least: delimiters, and a newline.
    cdef int64_t[::1] starts = np.empty(end // max(1, width) + 1, np.int64)
    cdef int64_t[3] after
    cdef const uint8_t* data = block
    cdef Py_ssize_t found
    after[0], after[1], after[2] = state
    with nogil:
        found = scan(data, end, <uint8_t> delimiter, width, after, &starts[0])
    if found < 0:
        return None
    return (after[0], after[1], after[2]), np.asarray(starts)[:found].copy()
