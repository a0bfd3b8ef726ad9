"""Fuzzes the decoders with atheris: `python -m tests.fuzz.formats --seconds 30 [--format NAME] [FOLDER]`.

Bytes go to every decoder, or to one, and what they give must keep the contract of `test_formats_contract.py`: readings
within their bounds, flaws that can be told, or one DecodeError, never another exception. The golden files are the
seeds; FOLDER keeps what was found worth keeping between runs. Exit code 0 where nothing was found.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ingest.decode"]):
    from tests.ingest.test_formats_contract import NAMES, corpus, read

ALL = ("carbon", *NAMES)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=30, help="how long (30)")
    parser.add_argument("--format", choices=ALL, help="one of them; all by default")
    parser.add_argument("folder", nargs="?", help="inputs of earlier runs, and where new ones go")
    given = parser.parse_args()
    names = (given.format,) if given.format else ALL
    folder = Path(given.folder or tempfile.mkdtemp(prefix="formats-"))
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        for number, seed in enumerate(corpus(name)):
            (folder / f"seed-{name}-{number}").write_bytes(bytes((place,)) + seed)

    def one_input(data: bytes) -> None:
        if data:
            read(names[data[0] % len(names)], data[1:])

    options = [f"-max_total_time={given.seconds}", "-max_len=2048", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(folder)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
