import numpy as np
from numpy.typing import NDArray

def scan_block(
    block: bytes, end: int, delimiter: int, width: int, state: tuple[int, int, int]
) -> tuple[tuple[int, int, int], NDArray[np.int64]] | None: ...
