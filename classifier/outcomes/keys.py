"""The key of what a store hides, which never lies in the store.

It is what `OutcomeStore` is given, else ``$TIERWISE_STORE_KEY``, else ``store.key`` in the user's own data folder
(``~/.local/share/tierwise`` on Linux), made when it is first needed: 64 hexadecimal digits. Programs that share a store
need one key: on one machine and for one user the file is that; a fleet, or a container that keeps no files, is given it
by the variable.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from pathlib import Path

from platformdirs import user_data_path

from classifier.errors import InputError, StoreError
from classifier.outcomes.private import create_file, make_folder
from classifier.outcomes.sealing import KEY_BYTES

VARIABLE = "TIERWISE_STORE_KEY"
_FILE = "store.key"
_DIGITS = re.compile(f"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")
_REMEDY = "make one with python -c 'import secrets; print(secrets.token_hex(32))'"

_log = logging.getLogger(__name__)


class Keys:
    """The keys at hand. Nothing is read or made before it is needed.

    Attributes
    ----------
    path : of the key file; it is only made where no key is given.
    """

    def __init__(self, given: str | None = None) -> None:
        """Take the key that was given, else the environment's; an empty one, or one of blanks, is none.

        Raises
        ------
        InputError : it is no key; the message does not hold it.
        """
        self.path = user_data_path("tierwise") / _FILE
        environment = os.environ.get(VARIABLE, "")
        self._given = _parsed("store key", given or "") or _parsed(f"${VARIABLE}", environment)
        self._own = self._given
        self._passing = secrets.token_bytes(KEY_BYTES)  # ends with the process
        self._told = False

    @property
    def where(self) -> str:
        """Which key seals, for people."""
        if self._given:
            return f"that of ${VARIABLE} or of the option"
        return f"that in {self.path}" if self._own else "one that ends with this process"

    @property
    def is_kept(self) -> bool:
        """Whether what `own` seals can still be opened when this process has ended."""
        self.own()
        return self._own is not None

    def own(self) -> bytes:
        """The key to seal with, made where there is none.

        Where the file can neither be read nor made, a key that ends with the process: what it hides, nobody will read.
        """
        if self._own is None and not self._told:
            try:
                return self.kept()
            except StoreError as error:
                self._told = True
                _log.warning("%s; until then nobody will read what this program seals (said once)", error)
        return self._own or self._passing

    def kept(self) -> bytes:
        """The key to seal with, made where there is none, which is there when this process has ended.

        For what lies somewhere in the clear, and nowhere else: sealed with any other key, it would be lost.

        Raises
        ------
        StoreError : its file can neither be read nor made.
        """
        if self._own is None:
            try:
                self._own = _read(self.path) or _made(self.path)
            except (OSError, InputError) as error:
                why = error.strerror if isinstance(error, OSError) else "found no key in it"
                raise StoreError(
                    f"store key {self.path}: {why}, expected a key that is kept; set ${VARIABLE}, or make the folder "
                    "writable and the file readable"
                ) from None
        return self._own

    def all(self) -> tuple[bytes, ...]:
        """Every key that may open what was sealed, that of the file too where another is given; none is made."""
        try:
            kept = _read(self.path)
        except (OSError, InputError):
            kept = None
        passing = self._passing if self._told else None
        return tuple(dict.fromkeys(key for key in (self._own, passing, kept) if key))


def _parsed(where: str, text: str) -> bytes | None:
    if not text.strip():
        return None
    if not _DIGITS.fullmatch(text.strip()):
        raise InputError(f"{where}: found no key, expected {2 * KEY_BYTES} hexadecimal digits; {_REMEDY}")
    return bytes.fromhex(text.strip())


def _read(path: Path) -> bytes | None:
    try:
        return _parsed(str(path), path.read_text("utf-8").strip() or "nothing")
    except FileNotFoundError:
        return None
    except ValueError:
        raise InputError(f"{path}: found no key, expected {2 * KEY_BYTES} hexadecimal digits; {_REMEDY}") from None


def _made(path: Path) -> bytes:
    """A new key in its file, or the one that another program has just made."""
    make_folder(path.parent)
    draft = path.with_name(f".{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    create_file(draft)
    try:
        draft.write_text(secrets.token_hex(KEY_BYTES) + "\n", "utf-8")
        try:
            os.link(draft, path)  # unlike a renaming, it takes no other's place
        except FileExistsError:
            pass
        except OSError:  # a file system without such links
            os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    key = _read(path)
    assert key is not None
    return key
