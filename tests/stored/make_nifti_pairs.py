"""Writes NIfTI-1 images in two files (.hdr and .img), and what SimpleITK reads in them.

Run with a Python that has SimpleITK and nibabel, in tests/stored: python make_nifti_pairs.py
"""

import gzip
import json
import os

import nibabel
import numpy as np
import SimpleITK as sitk

TO = "nifti_pairs"
SHAPE = (3, 4, 5)  # z, y, x
TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


def geometry(image):
    """A rotation by 30 degrees about z, with an axis reversed."""
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    image.SetSpacing((0.5, 0.75, 2.5))
    image.SetOrigin((-10.0, 20.5, 7.25))
    image.SetDirection((cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, -1.0))
    return image


def values(name):
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    if name.startswith("float"):
        return (array / 8 - 3).astype(name)
    return (array - (0 if name.startswith("u") else 30)).astype(name)


def main():
    os.makedirs(TO, exist_ok=True)
    for name in TYPES:
        image = geometry(sitk.GetImageFromArray(values(name)))
        sitk.WriteImage(image, f"{TO}/{name}.hdr")
        # The same, other byte order, by nibabel.
        little = nibabel.load(f"{TO}/{name}.hdr")
        header = little.header.as_byteswapped(">")
        big = nibabel.Nifti1Pair(np.asanyarray(little.dataobj), None, header)
        big.set_data_dtype(name)
        big.header.set_qform(little.header.get_qform(), 1)
        big.header.set_sform(little.header.get_sform(), 1)
        nibabel.save(big, f"{TO}/{name}_big_endian.img")
    sitk.WriteImage(geometry(sitk.GetImageFromArray(values("int16"))), f"{TO}/zipped.img.gz", True)
    # Only the voxels are compressed.
    with open(f"{TO}/zipped.hdr", "wb") as out:
        out.write(gzip.decompress(open(f"{TO}/zipped.hdr.gz", "rb").read()))
    os.remove(f"{TO}/zipped.hdr.gz")
    scaled = nibabel.load(f"{TO}/int16.hdr")
    scaled.header.set_slope_inter(0.5, -1.0)
    raw = np.asanyarray(scaled.dataobj)
    with open(f"{TO}/scaled.hdr", "wb") as out:
        out.write(scaled.header.binaryblock + b"\0\0\0\0")
    with open(f"{TO}/scaled.img", "wb") as out:
        # 16 bytes in front of the voxels.
        out.write(b"\0" * 16 + raw.astype("<i2").tobytes(order="F"))
    header = bytearray(open(f"{TO}/scaled.hdr", "rb").read())
    header[108:112] = np.float32(16).tobytes()
    header[112:120] = np.array([0.5, -1.0], "<f4").tobytes()
    open(f"{TO}/scaled.hdr", "wb").write(header)
    nibabel.save(nibabel.AnalyzeImage(values("int16").T, np.eye(4)), f"{TO}/analyze.img")

    expected = {}
    for file in sorted(os.listdir(TO)):
        if not file.endswith(".hdr") or file.startswith("analyze"):
            continue
        image = sitk.ReadImage(f"{TO}/{file}")
        expected[file] = {
            "values": sitk.GetArrayFromImage(image).ravel().astype(float).tolist(),
            "spacing": image.GetSpacing(),
            "origin": image.GetOrigin(),
            "direction": image.GetDirection(),
        }
    with open(f"{TO}/expected.json", "w") as out:
        json.dump(expected, out)


if __name__ == "__main__":
    main()
