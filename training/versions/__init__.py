"""Versions of the artifact: kept, compared, put into use, and taken back.

    models/versions/20261124T154403Z-0123456789ab.safetensors   an artifact: when kept, beginning of its digest
    models/versions/20261124T154403Z-0123456789ab.json          its note: from what, how many rows, figures, why
    models/current                                              which one is in use, and every switch before

Nothing is changed in place: a file is written beside and takes its place when it is whole, so that a run that is cut
anywhere leaves what was in use in use. Whoever changes the folder holds its lock; whoever reads needs none.

    store.py     keep, list, promote, roll back, prune       facts.py     what an artifact says of itself
    notes.py     what is noted of a version                  diff.py      in what two artifacts differ
    switches.py  models/current                              traffic.py   which requests go elsewhere by another one
    files.py     files that appear whole, and the lock       contest.py   candidates against the one in use, on outcomes
"""

from training.versions.diff import Change, diff
from training.versions.facts import facts
from training.versions.notes import Note, PromotionVerdict, note_of
from training.versions.store import (
    Version,
    add_version,
    current,
    find_version,
    previous,
    promote,
    prune,
    rollback,
    versions,
)
from training.versions.switches import Switch
from training.versions.traffic import Move, Traffic, View, compare_traffic

__all__ = [
    "Change",
    "Move",
    "Note",
    "PromotionVerdict",
    "Switch",
    "Traffic",
    "Version",
    "View",
    "add_version",
    "compare_traffic",
    "current",
    "diff",
    "facts",
    "find_version",
    "note_of",
    "previous",
    "promote",
    "prune",
    "rollback",
    "versions",
]
