"""A folder of 10,000 pictures of which 1 % are broken in ten ways: are these left out and reported, and how long does it take?

`python -m benchmarks.broken_pictures` writes benchmarks/results/broken_pictures.json: CPU and wall seconds to open the
folder, and to start a run on it and play ten rounds.
"""

from __future__ import annotations

import io
import json
import struct
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import FitOptions
from saddlepoint.runs.session import Session, Source

RESULTS = Path(__file__).parent / "results" / "broken_pictures.json"
FILES, BROKEN, SIDE = 10_000, 100, 32


def encoded(picture: np.ndarray, form: str = "png", **options: object) -> bytes:
    """Return a picture as the bytes of a file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, form, **options)
    return stream.getvalue()


def ways(picture: np.ndarray) -> dict[str, bytes]:
    """Return ten files that are not usable pictures, by the end of their names."""
    good, grey = encoded(picture), picture[..., 0]
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = header, struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return {
        "bomb.png": good[:8] + struct.pack(">I", 13) + b"IHDR" + b"".join(bomb) + good[33:],
        "empty.png": b"",
        "text.jpg": b"hello",
        "cut.png": good[:-400],
        "head.jpg": encoded(picture, "jpeg")[:60],
        "bits.png": good[:60] + bytes([good[60] ^ 255]) + good[61:],
        "float.tif": encoded(grey.astype(np.float32), "tiff"),
        "frames.tif": encoded(picture, "tiff", save_all=True, append_images=[Image.fromarray(picture[::-1])]),
        "page.webp": b"<html>404</html>",
        "gif.png": encoded(grey, "gif"),
    }


def fill(folder: Path) -> list[str]:
    """Write the files; return the names of the broken ones."""
    random = np.random.default_rng(0)
    names = []
    for index in range(FILES):
        picture = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        if index % (FILES // BROKEN):
            form = ("png", "jpeg", "webp")[index % 3]
            (folder / f"{index:05d}.{form}").write_bytes(encoded(picture, form))
        else:
            kind = index // (FILES // BROKEN) % 10
            end, content = list(ways(picture).items())[kind]
            names.append(f"{index:05d}-{end}")
            (folder / names[-1]).write_bytes(content)
    return names


def main() -> None:
    """Measure, and write the results."""
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as run:
        names = fill(Path(home))
        began, cpu = time.perf_counter(), time.process_time()
        dataset = open_source(home)
        opened = time.perf_counter() - began, time.process_time() - cpu
        began, cpu = time.perf_counter(), time.process_time()
        session = Session.start(Path(run), Source(data=home), FitOptions(rounds=10, compile="off"))
        session.fit.threads = 1
        events = list(session.play())
        session.close()
        spent = time.perf_counter() - began, time.process_time() - cpu
        listed = [line.partition("\t")[0] for line in (Path(run) / "left_out.txt").read_text().splitlines()]
    note = next(note for note in dataset.notes if "left out" in note)
    found = {
        "files": FILES,
        "broken": len(names),
        "kept": len(dataset),
        "named": sum(name in note for name in names),
        "listed": len(set(names) & set(listed)),
        "listed_wrongly": len(set(listed) - set(names)),
        "said": note[:200],
        "rounds": session.fit.round,
        "events": len(events),
        "open_seconds": {"wall": round(opened[0], 1), "cpu": round(opened[1], 1)},
        "open_and_play_seconds": {"wall": round(spent[0], 1), "cpu": round(spent[1], 1)},
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
