"""Makes the stored arrays of Blosc2: every codec and filter that is read, some that are refused, and chunks of one value.

    python tests/stored/make_b2nd.py      (in an environment with nnunetv2==2.8.1, which comes with blosc2)

The values are those of `formula` in host/formats/tests/b2nd.rs.
"""
import shutil
from pathlib import Path

import blosc2
import numpy as np
from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

OUT = Path(__file__).parent / "b2nd"
SHAPE, CHUNKS, BLOCKS = (2, 7, 9, 11), (1, 6, 6, 8), (1, 4, 3, 8)


def formula(dtype):
    c, z, y, x = np.indices(SHAPE)
    return ((7 * c + 5 * z + 3 * y + x * x) % 23).astype(dtype)


def save(name, array, codec, filters, **more):
    blosc2.asarray(array, urlpath=str(OUT / f"{name}.b2nd"), mode="w", chunks=CHUNKS, blocks=BLOCKS,
                   cparams={"codec": codec, "clevel": more.pop("clevel", 5), "nthreads": 1, "filters": filters, **more})


if __name__ == "__main__":
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    for codec in (blosc2.Codec.BLOSCLZ, blosc2.Codec.LZ4, blosc2.Codec.LZ4HC, blosc2.Codec.ZLIB, blosc2.Codec.ZSTD):
        for name in ("NOFILTER", "SHUFFLE"):
            save(f"{codec.name}_{name}", formula(np.float32) / 4, codec, [blosc2.Filter[name]])
    for dtype in ("int8", "int16", "uint8", "float16", "float64"):
        save(dtype, formula(dtype), blosc2.Codec.ZSTD, [blosc2.Filter.SHUFFLE], clevel=8)
    save("copied", formula(np.float32) / 4, blosc2.Codec.LZ4, [blosc2.Filter.SHUFFLE], clevel=0)
    save("refused_bitshuffle", formula(np.float32), blosc2.Codec.LZ4, [blosc2.Filter.BITSHUFFLE])
    save("refused_delta", formula(np.float32), blosc2.Codec.LZ4, [blosc2.Filter.DELTA])
    where = {"chunks": CHUNKS, "blocks": BLOCKS, "mode": "w"}
    for name, value in (("zeros", 0), ("nan", np.nan), ("seven", 7)):
        blosc2.full(SHAPE, value, dtype=np.float32, urlpath=str(OUT / f"special_{name}.b2nd"), **where)
    blosc2.uninit(SHAPE, dtype=np.float32, urlpath=str(OUT / "special_uninit.b2nd"), **where)
    # Many chunks, so that their offsets are compressed.
    blosc2.asarray(formula(np.int16), urlpath=str(OUT / "many_chunks.b2nd"), mode="w", chunks=(1, 1, 2, 3), blocks=(1, 1, 1, 3))
    blosc2.asarray(formula(np.int16)[0], urlpath=str(OUT / "three_axes.b2nd"), mode="w")
    blosc2.asarray(formula(np.int16)[0, 0], urlpath=str(OUT / "refused_axes.b2nd"), mode="w")
    # As nnU-Net writes a case.
    data, seg = formula(np.float32) / 4, formula(np.int16)[:1]
    blocks, chunks = comp_blosc2_params(data.shape, (4, 6, 8), data.itemsize)
    blocks_seg, chunks_seg = comp_blosc2_params(seg.shape, (4, 6, 8), seg.itemsize)
    nnUNetDatasetBlosc2.save_case(data, seg, {"spacing": [1.0, 1.0, 1.0]}, str(OUT / "case"), chunks=chunks, blocks=blocks,
                                  chunks_seg=chunks_seg, blocks_seg=blocks_seg)
