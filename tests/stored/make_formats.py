"""Makes the stored images: small files by SimpleITK, tifffile, Pillow and imagecodecs, and some written by hand, with what
nnU-Net v2's readers make of them in expected.json.

    python tests/stored/make_formats.py      (in an environment with nnunetv2==2.8.1 and imagecodecs)
"""
import gzip
import json
import shutil
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import SimpleITK as sitk
import tifffile
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.imageio.tif_reader_writer import Tiff3DIO
from PIL import Image
from scipy.spatial.transform import Rotation

OUT = Path(__file__).parent / "formats"
RANDOM = np.random.default_rng(7)
SPACING, ORIGIN = (0.75, 1.25, 2.5), (-12.5, 30.25, 7.125)
DIRECTION = (Rotation.from_euler("zyx", [25, -10, 40], degrees=True).as_matrix() @ np.diag([1, -1, 1])).ravel().tolist()


def values(kind, shape=(5, 3, 4)):
    if np.issubdtype(kind, np.floating):
        return RANDOM.normal(0, 50, shape).astype(kind).round(2)
    info = np.iinfo(kind)
    return RANDOM.integers(max(info.min, -3000), min(info.max, 3000), shape, dtype=kind, endpoint=True)


def itk(name, kind, compress, flat=False):
    image = sitk.GetImageFromArray(values(kind, (3, 4) if flat else (5, 3, 4)))
    n = image.GetDimension()
    image.SetSpacing(SPACING[:n])
    image.SetOrigin(ORIGIN[:n])
    image.SetDirection((0.6, 0.8, -0.8, 0.6) if flat else DIRECTION)
    sitk.WriteImage(image, str(OUT / name), compress)


def by_hand(name, header, voxels):
    (OUT / name).write_bytes(header.encode() + voxels)


def meta_image(name, kind, voxels, lines):
    by_hand(name, f"NDims = 3\nDimSize = 4 3 5\n{lines}ElementType = {kind}\nElementDataFile = LOCAL\n", voxels)


def nrrd(name, kind, voxels, lines, magic="NRRD0004"):
    by_hand(name, f"{magic}\n# by hand\ntype: {kind}\ndimension: 3\nsizes: 4 3 5\n{lines}\n\n", voxels)


def meta_images():
    itk("short.mha", np.int16, False)
    itk("labels.mha", np.uint8, True)
    itk("float.mha", np.float32, True)
    itk("double.mha", np.float64, False)
    itk("slice.mha", np.uint16, True, flat=True)
    itk("long.mha", np.int64, True)
    meta_image("big_endian.mha", "MET_SHORT", values(np.int16).astype(">i2").tobytes(),
               "ElementByteOrderMSB = True\nPosition = 1 2 3\nOrientation = 0 1 0 0 0 1 1 0 0\nElementSize = 1 2 3\n")
    meta_image("unsized.mha", "MET_USHORT", zlib.compress(values(np.uint16).tobytes()),
               "ObjectType = Image\nBinaryData = True\nCompressedData = True\nOrigin = 3 2 1\n"
               "Rotation = 1 0 0 0 1 0 0 0 -1\nElementSpacing = 0.5 1 2\n")
    meta_image("plain.mha", "MET_LONG", values(np.int32).tobytes(),
               "Comment = MET_LONG has four bytes\nElementSpacing = 1 -2 3\n")


def nrrds():
    itk("short.nrrd", np.int16, True)
    itk("labels.nrrd", np.uint8, True)
    itk("float.nrrd", np.float32, False)
    itk("double.nrrd", np.float64, True)
    itk("slice.nrrd", np.uint16, True, flat=True)
    itk("long.nrrd", np.uint64, True)
    places = "space directions: (0,0.5,0) (1.5,0,0) (0,0.6,2.4)\nspace origin: (1,2,3)\n"
    nrrd("ras.nrrd", "unsigned short int", values(np.uint16).astype(">u2").tobytes(),
         f"space: right-anterior-superior\n{places}endian: big\nencoding: raw")
    nrrd("las.nrrd", "int32_t", gzip.compress(values(np.int32).tobytes(), mtime=0),
         f"space: LAS\n{places}kinds: space space space\nendian: little\nencoding: gz\nkey:=value")
    nrrd("unplaced.nrrd", "signed char", values(np.int8).tobytes(), "spacings: 0.5 nan -2\nencoding: raw", "NRRD0001")


def tiffs():
    def stack(name, kind, spacing=None, shape=(5, 6, 7), **options):
        tifffile.imwrite(OUT / name, values(kind, shape), **options)
        if spacing:
            (OUT / (name.removesuffix("_0000.tif").removesuffix(".tif") + ".json")).write_text(json.dumps({"spacing": spacing}))

    stack("stack_0000.tif", np.int16, [2.5, 0.75, 1.25], compression="zlib")
    stack("labels.tif", np.uint8, [3, 1.5, 1], compression="zlib")
    stack("unplaced.tiff", np.float32, compression="lzw", predictor=True)
    stack("big.tif", np.uint16, byteorder=">", bigtiff=True)
    stack("tiled.tif", np.uint32, tile=(16, 16))
    stack("gray.tif", np.uint16, shape=(6, 7))
    stack("colors.tif", np.uint8, shape=(6, 7, 3), photometric="rgb", compression="lzw")


def pictures():
    gray, wide = values(np.uint8, (6, 7)), values(np.uint16, (6, 7))
    colors = values(np.uint8, (6, 7, 3))
    Image.fromarray(gray).save(OUT / "gray.png")
    Image.fromarray(gray).save(OUT / "gray.bmp")
    Image.fromarray(wide).save(OUT / "gray16.png")
    Image.fromarray(colors).save(OUT / "colors.png")
    Image.fromarray(colors).save(OUT / "colors.bmp")
    Image.fromarray(values(np.uint8, (6, 7, 4))).save(OUT / "alpha.png")
    few = Image.fromarray((gray % 5).astype(np.uint8), mode="P")
    few.putpalette(values(np.uint8, (5, 3)).tobytes())
    few.save(OUT / "palette.png")
    few.save(OUT / "palette.bmp")
    few.save(OUT / "glass.png", transparency=bytes([0, 255, 7]))
    for ending in ("png", "bmp"):
        Image.fromarray(gray > 100).save(OUT / f"bits.{ending}")
    (OUT / "colors16.png").write_bytes(imagecodecs.png_encode(values(np.uint16, (6, 7, 3)) * 20))
    # Two bits a pixel, seven pixels a row.
    rows = b"".join(b"\0" + RANDOM.bytes(2) for _ in range(6))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 7, 6, 2, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    (OUT / "bits2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks))


def sized(path):
    """SimpleITK needs the length of compressed voxels."""
    header, voxels = path.read_bytes().split(b"LOCAL\n", 1)
    copy = path.with_name("sized.mha")
    size = f"CompressedDataSize = {len(voxels)}\n".encode()
    copy.write_bytes(size + header + b"LOCAL\n" + voxels)
    return copy


def expected(path):
    name = str(path)
    if path.suffix in (".mha", ".nrrd"):
        copy = sized(path) if path.stem == "unsized" else path
        array, properties = SimpleITKIO().read_images((str(copy),))
        if copy != path:
            copy.unlink()
        place = properties["sitk_stuff"]
        n = len(place["spacing"])
        direction = np.eye(3)
        direction[:n, :n] = np.reshape(place["direction"], (n, n))
        more = {"origin": [*place["origin"], 0.0][:3], "direction": direction.ravel().tolist()}
    else:
        flat = path.suffix in (".png", ".bmp") or path.stem in ("gray", "colors")
        is_label = path.stem == "labels"
        if flat:
            array, properties = NaturalImage2DIO().read_images((name,))
        elif is_label:
            array, properties = Tiff3DIO().read_seg(name)
        else:
            # Its name for the file beside a stack has no channel.
            copy = path if path.stem.endswith("_0000") else Path(shutil.copy(path, path.with_name(path.stem + "_0000" + path.suffix)))
            array, properties = Tiff3DIO().read_images((str(copy),))
            if copy != path:
                copy.unlink()
        more = {}
    return {"shape": array.shape, "spacing": [float(x) for x in properties["spacing"]], **more,
            "values": [float(x) for x in array.astype(np.float32).ravel()]}


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    meta_images()
    nrrds()
    tiffs()
    pictures()
    files = sorted(path for path in OUT.iterdir() if path.suffix != ".json")
    document = {path.name: expected(path) for path in files}
    lines = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in document.items()]
    (OUT / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
