"""Runs nnU-Net v2's commands on finished cross-validations beside ours on the same folders, and compares all files they
write.

    python selection_v2.py compare FOLDER   (nnunetv2==2.8.1, SimpleITK, scipy; FOLDER holds nnunet and nnunet-torch)
    python selection_v2.py store            writes tests/golden/v2_selection

The cross-validations are made from the references: blurred, with noise and stray components, so that some postprocessings
improve the Dice and others do not. Both programs work at the same paths, one after the other. Prints every difference; ends
with code 1 if there is any.
"""
import copy
import json
import pickle
import re
import shutil
import sys
from pathlib import Path

import v2_commands as base
import numpy as np
from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from scipy.ndimage import gaussian_filter

v2, work = base.v2, base.work
raw, preprocessed, results = work / "nnUNet_raw", work / "nnUNet_preprocessed", work / "nnUNet_results"
SIZE, FOLDS, CASES = (9, 15, 13), (0, 1), 5
FULL, LOW, FLAT, CASCADE = "3d_fullres", "3d_lowres", "2d", "3d_cascade_fullres"
golden = Path(__file__).parent.parent / "golden" / "v2_selection"

# Labels, trainers and configurations with their noise and number of stray components per case.
DATASETS = {
    "Dataset910_Labels": ({"background": 0, "a": 1, "b": 2, "c": 3}, ["nnUNetTrainer"],
                          {FLAT: (0.30, 2), FULL: (0.22, 1), CASCADE: (0.24, 0), LOW: (0.3, 0)}),
    "Dataset911_Regions": ({"background": 0, "whole": [1, 2, 3], "core": [2, 3], "inner": 3}, ["nnUNetTrainer"],
                           {FLAT: (0.30, 1), FULL: (0.26, 2)}),
    "Dataset912_Ignore": ({"background": 0, "a": 1, "b": 2, "ignore": 3}, ["nnUNetTrainer", "nnUNetTrainer_5epochs"],
                          {FULL: (0.25, 1)}),
    "Dataset913_One": ({"background": 0, "a": 1}, ["nnUNetTrainer"], {FLAT: (0.2, 0), FULL: (0.25, 3)}),
}
# Labels with a part that lies apart, which is lost where only the largest component stays.
SECOND = {"Dataset912_Ignore": 2, "Dataset913_One": 1}


def description(labels):
    found = {"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": CASES, "file_ending": ".nii.gz"}
    if any(isinstance(value, list) for value in labels.values()):
        found["regions_class_order"] = [1, 2, 3]
    return found


def plans_of(name, configurations):
    plans = {**copy.deepcopy(v2.plans), "dataset_name": name, "configurations": {}}
    for configuration in configurations:
        plans["configurations"][configuration] = copy.deepcopy(v2.low)
        plans["configurations"][configuration].pop("next_stage", None)
    if CASCADE in configurations:
        plans["configurations"][CASCADE]["previous_stage"] = LOW
    return plans


def truth(random, labels, second):
    """Nested labels, of which the highest is in the middle; and a part of one of them that lies apart."""
    z, y, x = np.ogrid[tuple(slice(n) for n in SIZE)]
    center = [n / 2 + random.uniform(-1, 1) for n in SIZE]
    far = np.sqrt(sum(((axis - c) / (0.42 * n)) ** 2 for axis, c, n in zip((z, y, x), center, SIZE)))
    far = far + 0.1 * gaussian_filter(random.normal(size=SIZE), 1)
    highest = max(int(i) for value in labels.values() for i in np.ravel(value))
    made = np.clip(np.ceil((1 - far) * highest), 0, highest).astype(np.uint8)
    if second:
        made[:3, -3:, :4] = second
    return made


def probabilities(random, reference, manager, noise, strays):
    """One array a head. A stray component is small and far from the others."""
    wrong = reference.copy()
    if manager.has_ignore_label:
        wrong[wrong == manager.ignore_label] = 0
    for _ in range(strays):
        z, y, x = random.integers(0, SIZE[0] - 2), random.integers(0, 2), random.integers(0, SIZE[2] - 2)
        wrong[z:z + 2, y:y + 2, x:x + 2] = random.choice(manager.foreground_labels)
    classes = manager.foreground_regions if manager.has_regions else manager.all_labels
    heads = np.stack([np.isin(wrong, np.ravel(c)).astype(np.float32) for c in classes])
    rough = np.stack([gaussian_filter(random.normal(size=SIZE), 1.0) for _ in classes])
    heads = np.clip(0.15 + 0.7 * heads + noise * rough / rough.std(), 0, 1)
    # Coarse numbers, which need little space, and no two heads alike.
    heads = (np.round(heads * 50) + 0.01 * np.arange(len(heads))[:, None, None, None]) / 51
    return (heads if manager.has_regions else heads / heads.sum(0)).astype(np.float32)


def make():
    """Everything that find_best_configuration reads."""
    writer = SimpleITKIO()
    for number, (name, (labels, trainers, configurations)) in enumerate(DATASETS.items()):
        random = np.random.default_rng(number)
        dataset, plans = description(labels), plans_of(name, configurations)
        manager = PlansManager(plans).get_label_manager(dataset)
        for folder in (preprocessed / name / "gt_segmentations", raw / name / "labelsTr"):
            folder.mkdir(parents=True)
        (preprocessed / name / "nnUNetPlans.json").write_text(json.dumps(plans, indent=4))
        (raw / name / "dataset.json").write_text(json.dumps(dataset, indent=4))
        where = {"sitk_stuff": {"spacing": (1.0, 1.2, 2.0), "origin": (3.0, -2.0, 7.0),
                                "direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, "spacing": [2.0, 1.2, 1.0]}
        references = {f"case_{i}": truth(random, labels, SECOND.get(name)) for i in range(CASES)}
        for case, reference in references.items():
            file = preprocessed / name / "gt_segmentations" / f"{case}.nii.gz"
            writer.write_seg(reference, str(file), where)
            shutil.copy(file, raw / name / "labelsTr" / file.name)
        models = [(trainer, configuration) for trainer in trainers for configuration in configurations]
        for trainer, configuration in models:
            model = results / name / f"{trainer}__nnUNetPlans__{configuration}"
            for fold in FOLDS:
                folder = model / f"fold_{fold}" / "validation"
                folder.mkdir(parents=True)
                for case in list(references)[fold::len(FOLDS)]:
                    heads = probabilities(random, references[case], manager, *configurations[configuration])
                    np.savez_compressed(folder / f"{case}.npz", probabilities=heads)
                    (folder / f"{case}.pkl").write_bytes(pickle.dumps(where))
                    segmentation = manager.convert_probabilities_to_segmentation(heads)
                    writer.write_seg(np.asarray(segmentation), str(folder / f"{case}.nii.gz"), where)
                classes = manager.foreground_regions if manager.has_regions else manager.foreground_labels
                compute_metrics_on_folder(str(raw / name / "labelsTr"), str(folder), str(folder / "summary.json"), writer,
                                          ".nii.gz", classes, manager.ignore_label, 1)
                # For export_model_to_zip.
                (folder.parent / "checkpoint_final.pth").write_bytes(b"weights")
                (folder.parent / "progress.png").write_bytes(b"curves")
            (model / "plans.json").write_text(json.dumps(plans, indent=4))
            (model / "dataset.json").write_text(json.dumps(dataset, indent=4))
            (model / "dataset_fingerprint.json").write_text("{}")


def commands():
    """Each with the folder or file it writes, below the results or the program's own folder."""
    find, folds = "nnUNetv2_find_best_configuration", ["-f", *FOLDS]
    accumulate, determine = "nnUNetv2_accumulate_crossval_results", "nnUNetv2_determine_postprocessing"
    yield accumulate, ["910", "-c", FULL, "-o", "merged", *folds]
    yield accumulate, ["Dataset911_Regions", "-c", FLAT, *folds]
    yield determine, ["-i", "merged", "-ref", raw / "Dataset910_Labels" / "labelsTr", "-np", 2]
    model = results / "Dataset911_Regions" / f"nnUNetTrainer__nnUNetPlans__{FLAT}"
    yield determine, ["-i", model / "crossval_results_folds_0_1", "-ref", raw / "Dataset911_Regions" / "labelsTr",
                      "-plans_json", model / "plans.json", "-dataset_json", model / "dataset.json", "--remove_postprocessed"]
    yield find, ["Dataset910_Labels", "-c", FLAT, FULL, CASCADE, "3d_other", *folds, "-np", 2]
    yield find, ["911", "-c", FLAT, FULL, *folds, "-np", 2]
    yield find, ["912", "-c", FULL, "-tr", *DATASETS["Dataset912_Ignore"][1], "-p", "nnUNetPlans", *folds, "-np", 2]
    yield find, ["913", "-c", FLAT, FULL, *folds, "--disable_ensembling", "-np", 2]
    yield find, ["911", "-c", FLAT, FULL, *folds, "--no_overwrite", "-np", 2]
    for name, number, more in (("labels", 910, [FLAT, FULL, CASCADE]), ("regions", 911, [FLAT, FULL, "--exp_cv_preds"]),
                               ("one", 912, [FULL])):
        yield "nnUNetv2_export_model_to_zip", ["-d", number, "-o", f"{name}.zip", *folds, "-c", *more]


def run(side):
    """All commands in the folders as they were made; moves what came out to the side's folder."""
    for folder in ("nnUNet_results", "nnUNet_preprocessed"):
        shutil.copytree(work / "made" / folder, work / folder)
    for command, words in commands():
        code, text = side.run(command, *words)
        if code:
            base.differ(command, f"{type(side).__name__} ends with {code}: {words}: {text[-1500:]}")
    for archive in side.folder.glob("*.zip"):
        shutil.unpack_archive(archive, side.folder / "unpacked" / archive.stem)
        archive.unlink()
    for folder in ("nnUNet_results", "nnUNet_preprocessed"):
        shutil.move(work / folder, side.folder / folder)


def instructions(path):
    """The commands of inference_instructions.txt. The words around them are each program's own."""
    return [line.split() for line in path.read_text().splitlines() if line.startswith("nnUNetv2_")]


def compare(python, ours):
    a, b = base.files(python), base.files(ours)
    # v2 writes inference_instructions.txt, but exports inference_information.txt.
    more = {f"unpacked/{name}/{dataset}/inference_instructions.txt" for name, dataset in
            zip(("labels", "regions", "one"), DATASETS)}
    if a - b or b - a - more:
        base.differ("files", f"only in Python {sorted(a - b)}, only in ours {sorted(b - a - more)}")
    for name in sorted(a & b):
        what = of_file(python / name, ours / name)
        if what:
            base.differ(name, what)
    return len(a & b)


def without_previous(words):
    if "-prev_stage_predictions" not in words:
        return words
    place = words.index("-prev_stage_predictions")
    return words[:place] + words[place + 2:]


def of_file(a, b):
    if a.name == "inference_instructions.txt":
        a, b = instructions(a), instructions(b)
        # v2 forgets the stage before a cascade.
        b = [without_previous(words) for words in b if words[words.index("-o") + 1] != "OUTPUT_FOLDER_PREV_STAGE"]
        return None if a == b and a else f"{a} in Python, {b} in ours"
    if a.name == "postprocessing.pkl":
        return postprocessing(pickle.loads(a.read_bytes()), pickle.loads(b.read_bytes()))
    if a.name == "summary.json" and a.parent.name == "postprocessed":
        # v2 names the files in folders that it has removed since.
        text = re.sub("postprocessed/temp/keep_largest_[A-Za-z]+/", "postprocessed/", a.read_text())
        return base.value(json.loads(text), json.loads(b.read_text()))
    if a.suffix == ".json":
        same = a.read_bytes() == b.read_bytes()
        return None if same else base.of_file(a, b, True)
    if a.name.endswith(".nii.gz"):
        return base.of_file(a, b, True)
    return None if a.read_bytes() == b.read_bytes() else "other bytes"


def postprocessing(a, b):
    """Equal, with lists and tuples told apart."""
    plain = lambda pair: ([f.__name__ for f in pair[0]], json.dumps([str(k) for k in map(shown, pair[1])]))
    return None if a[0] == b[0] and plain(a) == plain(b) and type(a) is type(b) else f"{a} in Python, {b} in ours"


def shown(arguments):
    labels = arguments["labels_or_regions"]
    if isinstance(labels, list):
        return [int(label) if np.isscalar(label) else tuple(map(int, label)) for label in labels]
    return tuple(map(int, labels)) if isinstance(labels, tuple) else int(labels)


def chosen(folder):
    """What was decided, which must not be the same everywhere."""
    found = {}
    for file in sorted(folder.rglob("postprocessing.pkl")):
        found.setdefault(str([shown(k) for k in pickle.loads(file.read_bytes())[1]]), str(file.parent.name))
    return found


def store():
    """Python's results for the tests that need no Python: two data sets, with paths below `@`."""
    make()
    (work / "made").mkdir()
    for folder in ("nnUNet_results", "nnUNet_preprocessed"):
        shutil.move(work / folder, work / "made" / folder)
    python = base.Python()
    run(python)
    shutil.rmtree(golden, ignore_errors=True)
    for dataset in ("Dataset910_Labels", "Dataset911_Regions"):
        unused = shutil.ignore_patterns("checkpoint*", "progress*", "*lowres", "dataset_fingerprint*")
        shutil.copytree(work / "made/nnUNet_results" / dataset, golden / "results" / dataset, ignore=unused)
        shutil.copytree(work / "made/nnUNet_preprocessed" / dataset, golden / "preprocessed" / dataset)
        made = python.folder / "nnUNet_results" / dataset
        for file in [*made.rglob("*.json"), *made.rglob("*.pkl"), *made.rglob("*.txt"), *made.rglob("*.nii.gz")]:
            name = file.relative_to(made)
            is_result = len(name.parts) == 1 or (len(name.parts) > 2 and not name.parts[1].startswith("fold_"))
            if not is_result or (name.suffix == ".gz" and "postprocessed" not in name.parts):
                continue
            to = golden / "expected" / dataset / name
            to.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix in (".json", ".txt"):
                to.write_text(file.read_text().replace(str(work), "@"))
            else:
                shutil.copy(file, to)
    print(golden, sum(file.stat().st_size for file in golden.rglob("*") if file.is_file()) // 1024, "KiB")


def main():
    if sys.argv[1] == "store":
        return store()
    make()
    (work / "made").mkdir()
    for folder in ("nnUNet_results", "nnUNet_preprocessed"):
        shutil.move(work / folder, work / "made" / folder)
    python, ours = base.Python(), base.Ours(Path(sys.argv[2]).resolve())
    for side in (python, ours):
        run(side)
    count = compare(python.folder, ours.folder)
    found = chosen(python.folder)
    print(f"{count} files; postprocessings: {found}")
    if len(found) < 4:
        base.differ("postprocessing", "nearly the same everywhere: little is compared")
    print(f"{len(base.differences)} differences, {work}")
    if not base.differences:
        shutil.rmtree(work)
    sys.exit(1 if base.differences else 0)


if __name__ == "__main__":
    main()
