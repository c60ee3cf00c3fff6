"""Damaged tables of every kind: each must be read, or refused in one line, in little time and memory.

    python benchmarks/mutated_tables.py [--files 2000] [--seed 0] [--keep DIR]

Every kind of file is made whole, then damaged: bytes are flipped, removed, repeated, put in, cut off or exchanged with
those of another kind. What is neither a table nor an error of one line is counted, and kept with ``--keep``.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import gzip
import io
import json
import lzma
import random
import resource
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from classifier.errors import InputError
from training.tables import read_tables

ROOT = Path(__file__).resolve().parent.parent
SLOW_SECONDS = 5.0
MEMORY = 4 * 2**30
ROWS = 40


def rows() -> list[dict[str, Any]]:
    return [
        {
            "prompt": f'Frage {row}: "wie", was;\nund wo?',
            "score__haiku": row % 2,
            "score__opus": 1,
            "cost__haiku": 0.001 * row,
            "timestamp": f"2026-01-{row % 28 + 1:02}T10:00:00Z",
        }
        for row in range(ROWS)
    ]


def as_csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows()[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows())
    return stream.getvalue().encode(encoding)


def as_lines(records: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def chats() -> list[dict[str, Any]]:
    turns = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}]
    return [{"conversations": turns, "scores": {"haiku": "PASS", "opus": "FAIL"}} for _ in range(ROWS)]


def as_zip(content: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def as_tar(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def written(write: Callable[[pl.DataFrame, io.BytesIO], Any], records: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    write(pl.DataFrame(records), stream)
    return stream.getvalue()


def as_workbook() -> bytes:
    sys.path.insert(0, str(ROOT))
    from tests.helpers.workbooks import save_workbook

    with tempfile.TemporaryDirectory() as folder:
        cells = [list(rows()[0]), *(list(row.values()) for row in rows())]
        return save_workbook(Path(folder, "a.xlsx"), {"Sheet1": cells}).read_bytes()


def kinds() -> dict[str, bytes]:
    """A whole file of every kind, by its name."""
    plain = as_csv()
    long = [{"prompt": f"p{row}", "model": "a" if row % 2 else "b", "score": f"{row}%"} for row in range(ROWS)]
    return {
        "a.csv": plain,
        "semicolons.csv": as_csv(";", "cp1252"),
        "utf16.csv": as_csv("\t", "utf-16"),
        "a.tsv": as_csv("\t"),
        "lines.jsonl": as_lines(rows()),
        "chats.jsonl": as_lines(chats()),
        "long.jsonl": as_lines(long),
        "array.json": json.dumps(rows(), indent=1).encode(),
        "object.json": json.dumps({"meta": {"n": 1}, "data": rows()}).encode(),
        "a.parquet": written(lambda frame, stream: frame.write_parquet(stream), rows()),
        "nested.parquet": written(lambda frame, stream: frame.write_parquet(stream), chats()),
        "a.arrow": written(lambda frame, stream: frame.write_ipc(stream), rows()),
        "a.xlsx": as_workbook(),
        "a.csv.gz": gzip.compress(plain),
        "a.csv.bz2": bz2.compress(plain),
        "a.csv.xz": lzma.compress(plain),
        "a.zip": as_zip(plain, "a.csv"),
        "inner.zip": as_zip(written(lambda frame, stream: frame.write_parquet(stream), rows()), "a.parquet"),
        "a.tar.gz": as_tar(plain),
    }


_ODD = (b"\0", b'"', b"\n", b"\r", b"{", b"[", b"[" * 9000, b"9" * 5000, b"\xff\xfe", b"\xed\xa0\x80", b",", b";", b"-")


def damaged(content: bytes, other: bytes, draw: random.Random) -> bytes:
    """The content with one to four things done to it."""
    found = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(len(found) + 1)
        size = min(draw.choice((1, 1, 4, 60, 1000)), len(found) - place)
        what = draw.randrange(7)
        if what == 0 and place < len(found):
            found[place] ^= 1 << draw.randrange(8)
        elif what == 1:
            del found[place : place + size]
        elif what == 2:
            found[place:place] = found[place : place + size] * draw.randint(1, 20)
        elif what == 3:
            found[place:place] = draw.choice(_ODD)
        elif what == 4:
            del found[place:]
        elif what == 5:
            found[place : place + size] = other[place : place + size]
        else:
            found[place : place + size] = draw.randbytes(size)
        if not found:
            break
    return bytes(found)


def outcome(path: Path) -> str:
    """What came of reading: "read", "refused", or what went wrong."""
    begin = time.monotonic()
    try:
        read_tables([path])
        found = "read"
    except InputError as error:
        found = "refused" if "\n" not in str(error) and len(str(error)) < 3000 else f"long message: {str(error)[:80]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        found = f"{type(error).__name__}: {str(error)[:120]}"
    seconds = time.monotonic() - begin
    return found if seconds < SLOW_SECONDS else f"slow ({seconds:.0f} s): {found}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    draw = random.Random(arguments.seed)
    whole = kinds()
    names = list(whole)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, name)
            path.write_bytes(whole[name])
            assert outcome(path) == "read", name
        for number in range(arguments.files):
            name = names[number % len(names)]
            path = Path(folder, name)
            path.write_bytes(damaged(whole[name], whole[draw.choice(names)], draw))
            found = outcome(path)
            counts[found if found in ("read", "refused") else "wrong"] += 1
            if found not in ("read", "refused"):
                print(f"{number} {name}: {found}")
                if arguments.keep:
                    (arguments.keep / f"{number}-{name}").write_bytes(path.read_bytes())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(", ".join(f"{kind} {count:,}" for kind, count in counts.most_common()), f"; peak {peak:.2f} GiB")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
