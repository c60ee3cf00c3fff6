"""Whether the compiled modules serve: they do where they were built, unless ``$TIERWISE_PURE_PYTHON`` is set.

Without them the same is computed in Python and numpy, several times slower. They are built when the package is
installed where there is a C compiler. ``python -c 'from classifier.compiled import COMPILED; print(COMPILED)'`` tells.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

VARIABLE = "TIERWISE_PURE_PYTHON"
MODULES = ("_scan", "_forward")

COMPILED = not os.environ.get(VARIABLE) and all(find_spec(f"{__name__}.{name}") for name in MODULES)
