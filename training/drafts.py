"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from classifier.outcomes.private import create_file


@contextmanager
def draft_of(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A file beside ``path``, this process's own, that takes its place in the end; an error removes it instead.

    Whoever reads ``path`` sees what was there before or what is new; of two that write it at once, the last one wins.
    A ``private`` one only its owner can read, from the first byte on.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        if private:
            draft.unlink(missing_ok=True)
            create_file(draft)
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
