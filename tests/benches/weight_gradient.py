"""Weight gradients of 3D convolutions on the CPU, as oneDNN computes them and as three of 2D convolutions.

    [ONEDNN_MAX_CPU_ISA=AVX2] v2/bin/python tests/benches/weight_gradient.py    (torch==2.11.0)

Prints milliseconds, the fastest of five, for convolutions of the full hippocampus plan (batch 9), with the channels innermost in
memory, as this program has them, and outermost.
"""
import time

import torch

# Input and output features, and lengths of the axes.
SHAPES = [(32, 32, (40, 56, 40)), (64, 64, (20, 28, 20)), (128, 128, (10, 14, 10)), (256, 256, (5, 7, 5))]
BATCH = 9


def weight_gradient(gradient, x, shape):
    axes = len(shape) - 2
    return torch.ops.aten.convolution_backward(
        gradient, x, torch.empty(shape), None, [1] * axes, [1] * axes, [1] * axes, False, [0] * axes, 1,
        [False, True, False])[1]


def slices(x, begin, end, innermost):
    """Slices of all samples from `begin` to before `end` as images."""
    x = x[:, :, begin:end].transpose(1, 2)
    merged = x.reshape(-1, *x.shape[2:])
    return merged.contiguous(memory_format=torch.channels_last) if innermost else merged


def as_three(gradient, x, shape, innermost):
    depth = x.shape[2]
    parts = []
    for shift in (-1, 0, 1):
        begin, end = max(0, -shift), depth - max(0, shift)
        parts.append(weight_gradient(slices(gradient, begin, end, innermost),
                                     slices(x, begin + shift, end + shift, innermost), shape[:2] + shape[3:]))
    return torch.stack(parts, 2)


def fastest(work):
    work()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def main():
    print("| features | patch | channels | 3D | three 2D | times faster |\n|---|---|---|---|---|---|")
    for inputs, outputs, patch in SHAPES:
        for innermost in (True, False):
            layout = torch.channels_last_3d if innermost else torch.contiguous_format
            x = torch.randn(BATCH, inputs, *patch).contiguous(memory_format=layout)
            gradient = torch.randn(BATCH, outputs, *patch).contiguous(memory_format=layout)
            shape = [outputs, inputs, 3, 3, 3]
            whole, three = weight_gradient(gradient, x, shape), as_three(gradient, x, shape, innermost)
            assert (whole - three).abs().max() <= 1e-3 * whole.abs().max()
            a = fastest(lambda: weight_gradient(gradient, x, shape))
            b = fastest(lambda: as_three(gradient, x, shape, innermost))
            name = "innermost" if innermost else "outermost"
            print(f"| {inputs} to {outputs} | {' x '.join(map(str, patch))} | {name} | {a:.1f} ms | {b:.1f} ms | {a / b:.2f} |",
                  flush=True)


if __name__ == "__main__":
    main()
