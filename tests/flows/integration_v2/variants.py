"""Three more raw data sets of nnU-Net v2 from one with labels: regions, an ignore label, and both.

    python3 variants.py RAW LABELS REGIONS IGNORE BOTH      (RAW is nnUNet_raw; the others are names of data sets)

Images are linked. Where voxels are to be ignored, one slice in three keeps its labels. Files are NIfTI, read and written
with the standard library alone.
"""
import array
import gzip
import json
import os
import struct
import sys
from pathlib import Path

# NIfTI's data types as those of the module array.
TYPES = {2: "B", 4: "h", 8: "i", 16: "f", 64: "d", 256: "b", 512: "H", 768: "I"}


def ignoring(content, ignore):
    """A label map in which two of three slices are ignored."""
    size, = struct.unpack_from("<i", content, 0)
    _, x, y, z = struct.unpack_from("<4h", content, 40)
    code, = struct.unpack_from("<h", content, 70)
    offset, slope = struct.unpack_from("<2f", content, 108)
    if size != 348 or code not in TYPES or slope not in (0.0, 1.0):
        sys.exit("a label map is no little-endian NIfTI file with plain numbers")
    values = array.array(TYPES[code], content[int(offset):])
    for row in range(z):
        if row % 3:
            values[row * x * y:(row + 1) * x * y] = array.array(TYPES[code], [ignore]) * (x * y)
    return content[:int(offset)] + values.tobytes()


def make(raw, source, name, regions, ignores):
    description = json.loads((raw / source / "dataset.json").read_text())
    foreground = sorted(value for value in description["labels"].values() if value)
    if regions:
        description["labels"] = {"background": 0, "whole": foreground, "first": foreground[0]}
        # The second one is written over the first one.
        description["regions_class_order"] = [foreground[-1], foreground[0]]
    if ignores:
        description["labels"]["ignore"] = foreground[-1] + 1
    (raw / name / "labelsTr").mkdir(parents=True)
    for part in ("imagesTr", "imagesTs"):
        os.symlink(raw / source / part, raw / name / part)
    for file in (raw / source / "labelsTr").iterdir():
        content = gzip.decompress(file.read_bytes())
        content = ignoring(content, foreground[-1] + 1) if ignores else content
        (raw / name / "labelsTr" / file.name).write_bytes(gzip.compress(content, 1))
    (raw / name / "dataset.json").write_text(json.dumps(description, indent=4))


if __name__ == "__main__":
    raw, source = Path(sys.argv[1]), sys.argv[2]
    for name, regions, ignores in zip(sys.argv[3:], (True, False, True), (False, True, True)):
        make(raw, source, name, regions, ignores)
