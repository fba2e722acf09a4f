"""Computes the stored metrics again from ref/ and pred/, with nnU-Net v1, and prints the values that differ.

    python recompute.py      (nnunet 1.7.1)
"""
import json
import math
import os
import tempfile
from os.path import abspath, dirname, join

for variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
    os.environ.setdefault(variable, tempfile.mkdtemp())

from nnunet.evaluation.evaluator import aggregate_scores

HERE = dirname(abspath(__file__))


def numbers(value, at=""):
    """The numbers of a summary by their path."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in numbers(inner, f"{at}/{key}")]
    if isinstance(value, list):
        return [one for index, inner in enumerate(value) for one in numbers(inner, f"{at}/{index}")]
    return [] if isinstance(value, str) else [(at, float(value))]


def same(a, b):
    return a == b or math.isclose(a, b, rel_tol=1e-12) or (math.isnan(a) and math.isnan(b))


def main():
    names = sorted(os.listdir(join(HERE, "ref")))
    pairs = [(join(HERE, "pred", name), join(HERE, "ref", name)) for name in names]
    for stored, labels, advanced in [("summary_default", [0, 1, 2, 3], False), ("summary_advanced", [1, 2, 3], True)]:
        path = join(tempfile.mkdtemp(), "summary.json")
        aggregate_scores(pairs, labels=labels, json_output_file=path, num_threads=1, advanced=advanced)
        found = dict(numbers(json.load(open(path))["results"]))
        expected = dict(numbers(json.load(open(join(HERE, f"{stored}.json")))["results"]))
        assert found.keys() == expected.keys(), stored
        differing = [key for key in found if not same(found[key], expected[key])]
        print(f"{stored}: {len(found)} numbers, {len(differing)} differ {differing[:5]}")


if __name__ == "__main__":
    main()
