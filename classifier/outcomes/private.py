"""Files and folders that are for their owner alone, from their first byte on."""

from __future__ import annotations

import os
import stat
from pathlib import Path

FILE_MODE, FOLDER_MODE = 0o600, 0o700


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; those that are there stay as they are.

    Raises
    ------
    OSError : it cannot be made.
    """
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for each in reversed(missing):
        try:
            os.mkdir(each, FOLDER_MODE)
        except FileExistsError:  # another program was faster, or a file is in the way
            if not each.is_dir():
                raise


def create_file(path: Path) -> bool:
    """Make an empty file; False where there is one.

    Raises
    ------
    OSError : it cannot be made.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
    except FileExistsError:
        return False
    return True


def tighten(path: Path) -> bool:
    """Take a file of this user's from all others; whether that was needed and possible. Links are not followed."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or not found.st_mode & 0o077 or found.st_uid != os.geteuid():
            return False
        path.chmod(FILE_MODE)
    except (OSError, AttributeError):  # the latter on Windows, which knows no such users
        return False
    return True
