#!/usr/bin/env python3
"""Writes about 300 small image files that differ in their headers, for `compare.py`.

Usage: make_images.py FOLDER
"""
import gzip
import itertools
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

SHAPE = (4, 3, 2)  # x, y, z
NAN = float("nan")

# NIfTI datatype code -> NumPy type
NIFTI_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}
# Types that hold no single real number a voxel, and codes that do not exist.
OTHER_TYPES = {0: 0, 1: 1, 32: 64, 128: 24, 1536: 128, 1792: 128, 2304: 32, 999: 8}


def values(kind: str, shape=SHAPE) -> np.ndarray:
    """Distinct values that every type can hold; some negative, fractional or large where the type allows it."""
    count = int(np.prod(shape))
    array = np.arange(count, dtype="f8")
    kind = np.dtype(kind)
    if kind.kind == "i":
        array -= 7
    if kind.kind == "f":
        array = array * 1.3 - 5.7
    if kind.itemsize >= 4:
        array[-1] = 1e6 + 1
    return array.astype(kind)


def nifti(folder: Path, name: str, order="<", code=16, data=None, gz=False, tail=b"", **fields):
    """One NIfTI-1 file; `fields` replace those of a plain header."""
    shape = fields.pop("shape", SHAPE)
    kind = NIFTI_TYPES.get(code)
    if data is None:
        data = values(kind or "u1", shape).astype(np.dtype(kind or "u1").newbyteorder(order)).tobytes()
        if kind is None:
            data = bytes(int(np.prod(shape)) * max(OTHER_TYPES.get(code, 8), 8) // 8)
    f = dict(
        sizeof=348, dim=[len(shape), *shape, *[1] * (7 - len(shape))], bitpix=8 * np.dtype(kind).itemsize if kind else
        OTHER_TYPES.get(code, 8), pixdim=[1.0, 0.5, 1.25, 3.0, 0, 0, 0, 0], offset=352.0, slope=1.0, inter=0.0, units=2,
        qform=0, sform=0, quatern=[0.0, 0.0, 0.0], qoffset=[0.0, 0.0, 0.0],
        srow=[[0.5, 0, 0, -3], [0, 1.25, 0, 4], [0, 0, 3.0, 7]], magic=b"n+1\0", intent=0,
    )
    unknown = set(fields) - set(f)
    assert not unknown, unknown
    f.update(fields)
    header = struct.pack(
        order + "i10s18sihBB8hfffhhhh8ffffhBBffffii80s24shh3f3f12f16s4s",
        f["sizeof"], b"", b"", 0, 0, ord("r"), 0, *f["dim"], 0, 0, 0, f["intent"], code, f["bitpix"], 0, *f["pixdim"],
        f["offset"], f["slope"], f["inter"], 0, 0, f["units"], 0, 0, 0, 0, 0, 0, b"", b"", f["qform"], f["sform"],
        *f["quatern"], *f["qoffset"], *itertools.chain(*f["srow"]), b"", f["magic"])
    assert len(header) == 348
    gap = max(int(f["offset"]) - 348, 0) if f["offset"] == f["offset"] and 0 <= f["offset"] < 1e5 else 4
    content = header + bytes(gap) + data + tail
    path = folder / (name + (".nii.gz" if gz else ".nii"))
    path.write_bytes(gzip.compress(content, mtime=0) if gz else content)
    return path


def rotation(x, y, z):
    cx, cy, cz, sx, sy, sz = *np.cos([x, y, z]), *np.sin([x, y, z])
    return (np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
            @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]))


def quaternion(r):
    a = np.sqrt(max(1 + np.trace(r), 1e-12)) / 2
    return [float(v / (4 * a)) for v in (r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1])]


def srow(r, spacing=(0.5, 1.25, 3.0), offset=(-3.0, 4.0, 7.0)):
    return np.column_stack([r * np.array(spacing), offset]).tolist()


def all_nifti(folder: Path):
    for order, (code, _) in itertools.product("<>", NIFTI_TYPES.items()):
        end = "le" if order == "<" else "be"
        nifti(folder, f"type{code}_{end}", order, code)
        nifti(folder, f"type{code}_{end}_gz", order, code, gz=True)
        nifti(folder, f"type{code}_{end}_scaled", order, code, slope=0.1, inter=-100.0)
    for code in OTHER_TYPES:
        nifti(folder, f"other{code}", "<", code)
    scales = [(0, 0), (0, 5), (1, 0), (1, 2.5), (2, 0), (-1, 0), (NAN, 0), (NAN, 1), (1, NAN), (0.5, NAN),
              (float("inf"), 0), (1, float("inf")), (1e-30, 0), (1e20, 1), (0.1, -100)]
    for i, (slope, inter) in enumerate(scales):
        nifti(folder, f"scale{i}_int16", code=4, slope=slope, inter=inter)
        nifti(folder, f"scale{i}_float", code=16, slope=slope, inter=inter)
    odd = np.array([NAN, np.inf, -np.inf, 1, 2, -3, 0, 1e-40, 3.4e38, 5, 6, 7] * 2)
    for order, code in itertools.product("<>", (16, 64)):
        kind = np.dtype(NIFTI_TYPES[code]).newbyteorder(order)
        for name, slope, inter in [("", 1, 0), ("_scaled", 2, 1)]:
            nifti(folder, f"notfinite{code}_{'le' if order == '<' else 'be'}{name}", order, code,
                  odd.astype(kind).tobytes(), slope=slope, inter=inter)
    for units in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 16, 24, 32, 255]:
        nifti(folder, f"units{units}", units=units, qform=1, qoffset=[1.0, 2.0, 3.0])
        nifti(folder, f"units{units}_sform", units=units, sform=1)
    turned = rotation(0.3, -0.2, 0.7)
    for q, s in itertools.product([0, 1, 2, 3, 4, 5, -1], repeat=2):
        nifti(folder, f"codes_q{q}_s{s}", qform=q, sform=s, quatern=quaternion(turned), qoffset=[1.0, 2.0, 3.0],
              srow=srow(rotation(-0.1, 0.4, 0.2)))
        if q in (1, 2) and s in (1, 2):
            nifti(folder, f"same_q{q}_s{s}", qform=q, sform=s, quatern=quaternion(turned), qoffset=[1.0, 2.0, 3.0],
                  srow=srow(turned, offset=(1, 2, 3)))
    for i, qfac in enumerate([0, -1, 1, -2, 0.5, NAN]):
        nifti(folder, f"qfac{i}", qform=1, quatern=quaternion(turned), pixdim=[qfac, 0.5, 1.25, 3, 0, 0, 0, 0])
    for i, q in enumerate([[NAN] * 3, [NAN, 0, 0], [0, 0, NAN], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.7, 0.7, 0.7],
                           [5, 0, 0], [float("inf"), 0, 0]]):
        nifti(folder, f"quatern{i}", qform=1, quatern=[float(v) for v in q], qoffset=[1.0, 2.0, 3.0])
    for i, o in enumerate([[NAN, 0, 0], [1, float("inf"), 2], [1e30, 0, 0]]):
        nifti(folder, f"qoffset{i}", qform=1, qoffset=[float(v) for v in o])
        nifti(folder, f"soffset{i}", sform=1, srow=srow(np.eye(3), offset=o))
        nifti(folder, f"both_offset{i}", qform=1, sform=1, srow=srow(np.eye(3), offset=o), qoffset=[1.0, 2.0, 3.0])
    bad = [np.full((3, 3), NAN), np.zeros((3, 3)), np.array([[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]),
           np.array([[1, 1e-5, 0], [0, 1, 0], [0, 0, 1]]), np.array([[1, 1e-3, 0], [0, 1, 0], [0, 0, 1]]),
           np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0]]), np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])]
    for i, matrix in enumerate(bad):
        nifti(folder, f"sform{i}", sform=1, srow=srow(matrix))
        nifti(folder, f"sform{i}_q", sform=1, qform=1, srow=srow(matrix), qoffset=[1.0, 2.0, 3.0])
        nifti(folder, f"sform{i}_spacing", sform=2, srow=srow(matrix, spacing=(2, 2, 2)))
    for i, pixdim in enumerate([[0, 0, 0], [-0.5, 1.25, 3], [0.5, -1, -3], [NAN, 1, 1], [1, float("inf"), 1],
                                [1e-30, 1, 1], [1000, 1, 1]]):
        nifti(folder, f"pixdim{i}", pixdim=[1.0, *map(float, pixdim), 0, 0, 0, 0])
        nifti(folder, f"pixdim{i}_q", pixdim=[1.0, *map(float, pixdim), 0, 0, 0, 0], qform=1)
    shapes = [(4,), (4, 3), (4, 3, 1), (4, 3, 2, 1), (4, 3, 2, 2), (4, 3, 2, 1, 1), (4, 3, 2, 1, 3), (1, 1, 1), (4, 1, 2),
              (4, 3, 2, 1, 1, 1, 1), (4, 3, 1, 2), (4, 3, 1, 1), (1, 3), (4, 3, 2, 1, 1, 2)]
    for shape in shapes:
        nifti(folder, "shape" + "x".join(map(str, shape)), shape=shape)
        nifti(folder, "shape" + "x".join(map(str, shape)) + "_q", shape=shape, qform=1, quatern=[0.0, 0.0, 0.38],
              qoffset=[1.0, 2.0, 3.0])
    for i, dim in enumerate([[3, 4, 3, 2, 0, 0, 0, 0], [3, 4, 3, 2, 9, 9, 9, 9], [3, 4, 3, 0, 1, 1, 1, 1],
                             [3, 4, 3, -2, 1, 1, 1, 1], [3, 0, 3, 2, 1, 1, 1, 1], [0, 4, 3, 2, 1, 1, 1, 1],
                             [4, 4, 3, 2, 0, 1, 1, 1], [8, 4, 3, 2, 1, 1, 1, 1], [-3, 4, 3, 2, 1, 1, 1, 1],
                             [7, 4, 3, 2, 0, 0, 0, 0], [5, 4, 3, 2, 1, -1, 1, 1], [3, -4, 3, 2, 1, 1, 1, 1]]):
        nifti(folder, f"dim{i}", dim=dim)
    for i, offset in enumerate([0, 348, 352, 353, 400, 352.5, 100, -4, NAN, 1e6]):
        nifti(folder, f"offset{i}", offset=float(offset))
    nifti(folder, "sizeof", sizeof=540)
    for i, magic in enumerate([b"ni1\0", b"n+2\0", b"\0\0\0\0", b"n+1x"]):
        nifti(folder, f"magic{i}", magic=magic)
    nifti(folder, "tail", tail=b"something")
    nifti(folder, "bitpix", bitpix=8)
    nifti(folder, "intent", intent=1002)
    path = nifti(folder, "short")
    path.write_bytes(path.read_bytes()[:-1])


NRRD_TYPES = {
    "i1": ["signed char", "int8", "int8_t"], "u1": ["uchar", "unsigned char", "uint8", "uint8_t"],
    "i2": ["short", "short int", "signed short", "signed short int", "int16", "int16_t"],
    "u2": ["ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"],
    "i4": ["int", "signed int", "int32", "int32_t"], "u4": ["uint", "unsigned int", "uint32", "uint32_t"],
    "i8": ["longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"],
    "u8": ["ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"],
    "f4": ["float"], "f8": ["double"],
}


def nrrd(folder, name, kind="f4", order="little", encoding="raw", word=None, data=None, **fields):
    array = values(kind) if data is None else data
    raw = array.astype(array.dtype.newbyteorder("<" if order == "little" else ">")).tobytes()
    lines = {"type": word or NRRD_TYPES[kind][0], "dimension": 3, "sizes": " ".join(map(str, SHAPE)), "endian": order,
             "encoding": encoding}
    lines.update({key.replace("_", " "): value for key, value in fields.items()})
    text = "NRRD0005\n" + "".join(f"{key}: {value}\n" for key, value in lines.items() if value is not None) + "\n"
    if encoding in ("gzip", "gz"):
        raw = gzip.compress(raw, mtime=0)
    (folder / f"{name}.nrrd").write_bytes(text.encode() + raw)


def all_nrrd(folder):
    for kind, words in NRRD_TYPES.items():
        for i, word in enumerate(words):
            nrrd(folder, f"type_{kind}_{i}", kind, word=word)
        for order, encoding in itertools.product(("little", "big"), ("raw", "gzip", "gz")):
            nrrd(folder, f"type_{kind}_{order}_{encoding}", kind, order, encoding)
    place = dict(space_directions="(0.5,0,0) (0,1.25,0) (0,0,3)", space_origin="(1,2,3)")
    spaces = ["left-posterior-superior", "LPS", "right-anterior-superior", "RAS", "left-anterior-superior", "LAS",
              "scanner-xyz", "3D-right-handed", "3D-left-handed", "left-posterior-superior-time", "nonsense"]
    for i, space in enumerate(spaces):
        nrrd(folder, f"space{i}", space=space, **place)
    nrrd(folder, "space_dimension", space_dimension=3, **place)
    turned = " ".join("(" + ",".join(map(repr, column)) + ")" for column in
                      (rotation(0.3, -0.2, 0.7) * np.array([0.5, 1.25, 3])).T.tolist())
    nrrd(folder, "turned", space="LPS", space_directions=turned, space_origin="(1,2,3)")
    nrrd(folder, "turned_ras", space="RAS", space_directions=turned, space_origin="(1,2,3)")
    for i, spacings in enumerate(["0.5 1.25 3", "-0.5 1.25 3", "nan 1 2", "0 1 2"]):
        nrrd(folder, f"spacings{i}", spacings=spacings)
    for i, kinds in enumerate(["domain domain domain", "space space space", "??? ??? ???", "vector domain domain",
                               "domain domain vector", "domain domain list", "none none none"]):
        nrrd(folder, f"kinds{i}", kinds=kinds)
    nrrd(folder, "origin_nan", space="LPS", space_directions=place["space_directions"], space_origin="(nan,nan,nan)")
    nrrd(folder, "directions_zero", space="LPS", space_directions="(0,0,0) (0,1,0) (0,0,1)", space_origin="(0,0,0)")
    odd = np.array([NAN, np.inf, -np.inf, 1, 2, 3] * 4)
    for kind in ("f4", "f8"):
        nrrd(folder, f"notfinite_{kind}", kind, data=odd.astype(kind))
    nrrd(folder, "no_endian", "i2", endian=None)
    nrrd(folder, "no_type", "i2", type=None)


META_TYPES = {"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
              "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
              "MET_DOUBLE": "f8"}


def meta(folder, name, word="MET_FLOAT", msb=False, zipped=False, data=None, **fields):
    array = values(META_TYPES[word]) if data is None else data
    raw = array.astype(array.dtype.newbyteorder(">" if msb else "<")).tobytes()
    raw = zlib.compress(raw) if zipped else raw
    lines = {"ObjectType": "Image", "NDims": 3, "BinaryData": "True", "BinaryDataByteOrderMSB": str(msb),
             "CompressedData": str(zipped), "TransformMatrix": "1 0 0 0 1 0 0 0 1", "Offset": "1 2 3",
             "ElementSpacing": "0.5 1.25 3", "DimSize": " ".join(map(str, SHAPE))}
    if zipped:
        lines["CompressedDataSize"] = len(raw)
    lines.update(fields)
    lines["ElementType"] = word
    text = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
    (folder / f"{name}.mha").write_bytes(text.encode() + b"ElementDataFile = LOCAL\n" + raw)


def all_meta(folder):
    for word in META_TYPES:
        for msb, zipped in itertools.product((False, True), repeat=2):
            meta(folder, f"{word}_{'be' if msb else 'le'}{'_z' if zipped else ''}", word, msb, zipped)
    turned = " ".join(map(repr, rotation(0.3, -0.2, 0.7).T.ravel().tolist()))
    for key in ("TransformMatrix", "Rotation", "Orientation"):
        meta(folder, f"turned_{key}", **{"TransformMatrix": None, key: turned})
    for key in ("Offset", "Position", "Origin"):
        meta(folder, f"origin_{key}", **{"Offset": None, key: "4 5 6"})
    meta(folder, "element_size", ElementSpacing=None, ElementSize="2 3 4")
    meta(folder, "element_both", ElementSize="2 3 4")
    for i, spacing in enumerate(["-0.5 1.25 3", "0 1 2", "nan 1 2"]):
        meta(folder, f"spacing{i}", ElementSpacing=spacing)
    meta(folder, "matrix_zero", TransformMatrix="0 0 0 0 0 0 0 0 0")
    meta(folder, "matrix_shear", TransformMatrix="1 0 0 0.5 1 0 0 0 1")
    meta(folder, "no_place", TransformMatrix=None, Offset=None, ElementSpacing=None)
    odd = np.array([NAN, np.inf, -np.inf, 1, 2, 3] * 4)
    for word in ("MET_FLOAT", "MET_DOUBLE"):
        meta(folder, f"notfinite_{word}", word, data=odd.astype(META_TYPES[word]))


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    all_nifti(out)
    all_nrrd(out)
    all_meta(out)
    print(len(list(out.iterdir())), "files")
