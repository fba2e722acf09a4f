"""Runs nnU-Net v2's commands after training beside ours on the same models and data, and compares all files they write.

    python v2_commands.py FOLDER      (nnunetv2==2.8.1, SimpleITK, scipy; FOLDER holds nnunet and nnunet-torch)

Models are untrained networks that v2's own trainer saved: labels in a cascade, regions, an ignored label, pictures, stacks,
labels above 255. Both programs get the same words in folders of their own. Prints every difference; ends with code 1 if
there is any.
"""
import contextlib
import copy
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "stored"))
import make_v2_cascade as v2
import python_v2
import numpy as np
import SimpleITK as sitk
import tifffile
import torch
from PIL import Image
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from scipy.ndimage import gaussian_filter

# Untrained networks are undecided between labels in some voxels, so a few of a predicted map may differ.
VOXELS, PROBABILITY = 3, 3e-3
# What only we write.
OWN = {"predictions.json"}
work, results = v2.work, v2.work / "nnUNet_results"
differences = []


def differ(where, what):
    differences.append(f"{where}: {what}")
    print("DIFFERENT", differences[-1], flush=True)


# ---------------------------------------------------------------- models and data

def names(axes):
    """The configuration of 3D networks, for networks of fewer axes too."""
    configuration = v2.configuration([1.6, 1.1, 1.2][-axes:], [16, 24, 24][-axes:])
    arguments = configuration["architecture"]["arch_kwargs"]
    for key, value in arguments.items():
        if isinstance(value, str):
            arguments[key] = value.replace("3d", f"{axes}d")
        elif key in ("kernel_sizes", "strides"):
            arguments[key] = [sizes[-axes:] for sizes in value]
    return configuration


def save_model(dataset_name, configuration, folds, plans, dataset, sharp=3.0):
    """Saves untrained checkpoints as training would leave them."""
    # The trainer looks at the ending of preprocessed cases.
    cases = work / "nnUNet_preprocessed" / dataset_name / "nnUNetPlans_x"
    cases.mkdir(parents=True, exist_ok=True)
    (cases / "case.npz").touch()
    plans = {**plans, "dataset_name": dataset_name}
    for number, fold in enumerate(folds):
        torch.manual_seed(3 + number)
        trainer = nnUNetTrainer({**copy.deepcopy(plans), "continue_training": False}, configuration, fold, dataset,
                                device=torch.device("cpu"))
        trainer.initialize()
        for parameter in trainer.network.decoder.seg_layers.parameters():
            parameter.data *= sharp
        trainer.optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
        folder = Path(trainer.output_folder)
        trainer.save_checkpoint(str(folder / "checkpoint_final.pth"))
        shutil.copy(folder / "checkpoint_final.pth", folder / "checkpoint_best.pth")
        (folder / "validation").mkdir(exist_ok=True)
        (folder / "validation" / "summary.json").write_text("{}")
        Image.fromarray(np.eye(2, dtype=np.uint8)).save(folder / "progress.png")
        for log in folder.glob("training_log*"):
            log.unlink()
    for file, content in (("plans", plans), ("dataset", dataset), ("dataset_fingerprint", {})):
        (folder.parent / f"{file}.json").write_text(json.dumps(content, indent=4))
    (cases / "case.npz").unlink()


def volume(seed, size):
    random = np.random.default_rng(seed)
    smooth = gaussian_filter(random.normal(size=size), 2.5)
    smooth = np.round(40 + 25 * smooth / smooth.std()).clip(1, 120).astype(np.uint8)
    grid = np.ogrid[tuple(slice(n) for n in size)]
    smooth[sum(((axis - n / 2) / (0.45 * n)) ** 2 for axis, n in zip(grid, size) if n > 1) > 1] = 0
    return smooth


def write(path, array, spacing=(1.2, 1.5, 1.0), direction=(0, 1, 0, 0, 0, 1, 1, 0, 0)):
    if path.suffix == ".png":
        return Image.fromarray(array[0] if array.ndim == 3 and array.shape[0] == 1 else array).save(path)
    if path.suffix == ".tif":
        tifffile.imwrite(path, array)
        name = path.name[:-len("_0000.tif")] if path.parent.name.startswith("images") else path.stem
        return path.with_name(f"{name}.json").write_text(json.dumps({"spacing": list(spacing)[::-1]}))
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin((3, -2, 7))
    image.SetDirection(direction)
    sitk.WriteImage(image, str(path), True)


def raw_data(name, dataset, files, size=(22, 20, 26)):
    """Three images, and labels that follow their intensities."""
    folder = work / "nnUNet_raw" / name
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / part).mkdir(parents=True)
    ending, count = dataset["file_ending"], len({int(i) for v in dataset["labels"].values() for i in np.ravel(v)})
    for number in range(3):
        case = f"case {number}" if number == 1 else f"case_{number}"
        shape = (1, *size[1:]) if ending == ".png" else size
        channels = [volume(10 * number + channel, shape) for channel in range(len(dataset["channel_names"]))]
        for place in ("imagesTr", "imagesTs"):
            if ending == ".png":
                write(folder / place / f"{case}_0000.png", np.stack([c[0] for c in channels], -1))
                continue
            for channel in range(files):
                write(folder / place / f"{case}_{channel:04d}{ending}", channels[channel])
        labels = np.minimum(channels[0].astype(int) * count // 121, min(count - 1, 3)).astype(np.uint8)
        write(folder / "labelsTr" / f"{case}{ending}", labels)
    (folder / "dataset.json").write_text(json.dumps(dataset, indent=4))


def datasets():
    """Names of the data sets with their configurations, folds, plans and descriptions."""
    volumes = {**v2.dataset, "numTraining": 3}
    intensities = v2.plans["foreground_intensity_properties_per_channel"]["0"]
    plans = lambda reader, **configurations: {
        **v2.plans, "image_reader_writer": reader, "configurations": configurations,
        "foreground_intensity_properties_per_channel": {str(i): intensities for i in range(3)}}
    low, high = copy.deepcopy(v2.low), copy.deepcopy(v2.high)
    channels = lambda n: {str(i): f"c{i}" for i in range(n)}
    two = names(3)
    two.update(normalization_schemes=["ZScoreNormalization"] * 2, use_mask_for_norm=[True, False])
    flat = names(2)
    flat.update(normalization_schemes=["RGBTo01Normalization"] * 3, use_mask_for_norm=[False] * 3, spacing=[1.0, 1.0])
    picture_plans = plans("NaturalImage2DIO", **{"2d": flat})
    picture_plans.update(transpose_forward=[0, 1, 2], transpose_backward=[0, 1, 2])
    slices = names(2)
    regions = {"background": 0, "whole": [1, 2], "core": [2], "other": 3}
    many = {"background": 0, **{f"l{i}": i for i in range(1, 300)}}
    return {
        "Dataset900_Cascade": ([("3d_lowres", [0, 1, "all"]), ("3d_cascade_fullres", [0]), ("2d", [0])],
                               plans("SimpleITKIO", **{"3d_lowres": low, "3d_cascade_fullres": high, "2d": slices}), volumes),
        "Dataset901_Regions": ([("3d_fullres", [0])], plans("NibabelIOWithReorient", **{"3d_fullres": two}),
                               {**volumes, "channel_names": channels(2), "labels": regions, "regions_class_order": [3, 1, 2]}),
        "Dataset902_Ignore": ([("3d_fullres", [0])], plans("SimpleITKIO", **{"3d_fullres": names(3)}),
                              {**volumes, "labels": {"background": 0, "a": 1, "b": 2, "ignore": 3}}),
        "Dataset903_Pictures": ([("2d", [0])], picture_plans,
                                {**volumes, "channel_names": channels(3), "file_ending": ".png"}),
        "Dataset904_Stacks": ([("3d_fullres", [0])], plans("Tiff3DIO", **{"3d_fullres": names(3)}),
                              {**volumes, "file_ending": ".tif"}),
        "Dataset905_Many": ([("3d_fullres", [0])], plans("SimpleITKIO", **{"3d_fullres": names(3)}),
                            {**volumes, "labels": many}),
    }


# ---------------------------------------------------------------- both programs

class Side:
    """One of the programs, in a folder of its own."""

    def __init__(self, name):
        self.folder = work / name
        self.folder.mkdir()

    def links(self, *names):
        for name in names:
            (self.folder / name).symlink_to(work / name)


class Python(Side):
    """v2's commands, in this process, with threads for their processes."""

    def __init__(self):
        super().__init__("python")
        python_v2.use_threads()

    def run(self, command, *words):
        os.chdir(self.folder)
        return python_v2.run(command, *words)


class Ours(Side):
    def __init__(self, programs):
        super().__init__("ours")
        subprocess.run([programs / "nnunet", "aliases", "--dir", work / "links"], check=True, stdout=subprocess.DEVNULL)

    def run(self, command, *words):
        done = subprocess.run([work / "links" / command, *map(str, words)], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout


# ---------------------------------------------------------------- comparing

def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name not in OWN}


def compare(python, ours, exact=False, more=()):
    """Compares folders; files in `more` may be ours alone."""
    where = ours.relative_to(work)
    a, b = files(python), files(ours)
    if a - b or b - a - set(more):
        differ(where, f"only in Python {sorted(a - b)}, only in ours {sorted(b - a - set(more))}")
    for name in sorted(a & b):
        what = of_file(python / name, ours / name, exact)
        if what:
            differ(where / name, what)


def of_file(a, b, exact):
    name = a.name
    if name.endswith(".json"):
        return value(json.loads(a.read_text()), json.loads(b.read_text()))
    if name.endswith(".pkl"):
        a, b = pickle.loads(a.read_bytes()), pickle.loads(b.read_bytes())
        # Of the second stage of a cascade, positions for training batches, drawn at random.
        if isinstance(a, dict):
            a.pop("class_locations", None)
        return value(a, b)
    if name.endswith(".npz"):
        a, b = np.load(a), np.load(b)
        if a.files != b.files:
            return f"{a.files} {b.files}"
        return next(filter(None, (close(a[k], b[k], 1e-6 if exact else PROBABILITY) for k in a.files)), None)
    if name.endswith((".nii.gz", ".nii")):
        a, b = (sitk.ReadImage(str(path)) for path in (a, b))
        for get in ("GetSpacing", "GetOrigin", "GetDirection"):
            if not np.allclose(getattr(a, get)(), getattr(b, get)(), atol=1e-5):
                return f"{get} {getattr(a, get)()} {getattr(b, get)()}"
        return labels(sitk.GetArrayFromImage(a), sitk.GetArrayFromImage(b), exact)
    if name.endswith(".tif"):
        return labels(tifffile.imread(a), tifffile.imread(b), exact)
    if name.endswith(".png"):
        a, b = (Image.open(path) for path in (a, b))
        return labels(np.asarray(a.convert("RGB") if exact else a), np.asarray(b.convert("RGB") if exact else b), exact)
    return None if a.read_bytes() == b.read_bytes() else "other bytes"


def labels(a, b, exact):
    if a.dtype != b.dtype or a.shape != b.shape:
        return f"{a.dtype} {a.shape} in Python, {b.dtype} {b.shape} in ours"
    count = int((a != b).sum())
    if len(np.unique(a)) < 2:
        return f"only {np.unique(a)} in it: nothing is compared"
    return f"{count} of {a.size} voxels" if count > (0 if exact else VOXELS) else None


def close(a, b, most):
    if a.dtype != b.dtype or a.shape != b.shape:
        return f"{a.dtype} {a.shape} in Python, {b.dtype} {b.shape} in ours"
    worst = float(np.abs(a.astype(np.float64) - b).max())
    return f"differs by {worst}" if worst > most else None


def value(a, b, at=""):
    """Where two values of JSON or a pickle differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        if set(a) != set(b):
            return f"{at}: keys {sorted(map(str, a))} and {sorted(map(str, b))}"
        return next(filter(None, (value(a[k], b[k], f"{at}/{k}") for k in a)), None)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        if len(a) != len(b):
            return f"{at}: {a} and {b}"
        return next(filter(None, (value(x, y, f"{at}/{i}") for i, (x, y) in enumerate(zip(a, b)))), None)
    if isinstance(a, (float, np.ndarray)) or isinstance(b, np.ndarray):
        same = np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-6, atol=1e-6, equal_nan=True)
    else:
        same = a == b
    return None if same else f"{at}: {a!r} in Python, {b!r} in ours"


# ---------------------------------------------------------------- the comparison

class Comparison:
    def __init__(self, programs):
        self.python, self.ours = Python(), Ours(programs)
        for side in (self.python, self.ours):
            side.links("nnUNet_raw")

    def both(self, command, *words, fails=False):
        """Runs a command in both; says so when one of them fails."""
        start = time.time()
        codes = []
        for side in (self.python, self.ours):
            began = time.time()
            code, text = side.run(command, *words)
            codes.append(code)
            if (code != 0) != fails:
                differ(command, f"{type(side).__name__} ends with {code}: {' '.join(map(str, words))}: {text[-1200:]}")
            side.seconds = time.time() - began
        print(f"{command} {' '.join(map(str, words))}: python {self.python.seconds:.1f} s, ours {self.ours.seconds:.1f} s",
              flush=True)
        return time.time() - start

    def folders(self, name, exact=False, more=()):
        compare(self.python.folder / name, self.ours.folder / name, exact, more)

    def predict(self, output, dataset, configuration, *words, command="nnUNetv2_predict", compare=True):
        images = f"nnUNet_raw/{dataset}/imagesTs"
        if command == "nnUNetv2_predict":
            # By name and by number.
            model = ["-d", dataset if "-f" in words else dataset[7:10], "-c", configuration]
        else:
            model = ["-m", results / dataset / f"nnUNetTrainer__nnUNetPlans__{configuration}"]
        self.both(command, "-i", images, "-o", output, *model, "-device", "cpu", *words)
        if compare:
            self.folders(output)

    def predictions(self):
        sequential = ["-npp", 0, "-nps", 0]
        cascade = "Dataset900_Cascade"
        self.predict("low", cascade, "3d_lowres", "-f", 0, *sequential, "--save_probabilities")
        self.predict("low_all", cascade, "3d_lowres", "-f", "all", "-npp", 1, "-nps", 1, "-step_size", 1, "--disable_tta")
        return self

    def more_predictions(self):
        sequential = ["-npp", 0, "-nps", 0]
        cascade = "Dataset900_Cascade"
        self.predict("low_folds", cascade, "3d_lowres", "-f", 0, 1, *sequential, "--save_probabilities", "-chk",
                     "checkpoint_best.pth")
        self.predict("high", cascade, "3d_cascade_fullres", "-f", 0, *sequential, "-prev_stage_predictions", "low_all",
                     "--disable_tta", "--save_probabilities")
        self.predict("flat", cascade, "2d", "-f", 0, "-npp", 1, "-nps", 1,
                     command="nnUNetv2_predict_from_modelfolder")
        self.predict("regions", "Dataset901_Regions", "3d_fullres", "-f", 0, *sequential, "--save_probabilities")
        self.predict("ignore", "Dataset902_Ignore", "3d_fullres", "-f", 0, *sequential, "--disable_tta")
        self.predict("pictures", "Dataset903_Pictures", "2d", "-f", 0, *sequential, "--save_probabilities")
        self.predict("stacks", "Dataset904_Stacks", "3d_fullres", "-f", 0, *sequential, "--save_probabilities")
        self.predict("many", "Dataset905_Many", "3d_fullres", "-f", 0, *sequential, "--disable_tta")

    def parts(self):
        for part in range(4):
            self.predict(f"part{part}", "Dataset902_Ignore", "3d_fullres", "-f", 0, "-npp", 1, "-nps", 1, "--disable_tta",
                         "-num_parts", 4, "-part_id", part, compare=False)
            compare(self.python.folder / f"part{part}", self.ours.folder / f"part{part}",
                    more=[f"predictions_{part}_of_4.json"])

    def continued(self):
        for side in (self.python, self.ours):
            shutil.copytree(side.folder / "ignore", side.folder / "continued")
            (side.folder / "continued" / "case_2.nii.gz").unlink()
            shutil.copy(side.folder / "continued" / "case_0.nii.gz", side.folder / "continued" / "case 1.nii.gz")
        self.predict("continued", "Dataset902_Ignore", "3d_fullres", "-f", 0, "-npp", 0, "-nps", 0, "--disable_tta",
                     "--continue_prediction")

    def same_input(self, name, source):
        """Gives both programs Python's files."""
        shutil.copytree(self.python.folder / source, work / name)
        self.python.links(name)
        self.ours.links(name)

    def ensembles(self):
        for name in ("low", "low_folds", "regions", "pictures", "stacks"):
            self.same_input(f"in_{name}", name)
        # Python leaves no plans.json, without which its own nnUNetv2_apply_postprocessing stops.
        for name, inputs in (("merged", ["in_low", "in_low_folds"]), ("merged_regions", ["in_regions"] * 2),
                             ("merged_pictures", ["in_pictures"]), ("merged_stacks", ["in_stacks"])):
            self.both("nnUNetv2_ensemble", "-i", *inputs, "-o", name, "-np", 2, "--save_npz")
            self.folders(name, exact=True, more=["plans.json"])

    def postprocessings(self):
        from nnunetv2.postprocessing.remove_connected_components import \
            remove_all_but_largest_component_from_segmentation as function
        for name, source, arguments in (("labels", "in_low", [[1, 2], 1]), ("regions", "in_regions", [[(1, 2), 3], (1, 2)]),
                                        ("pictures", "in_pictures", [1]), ("stacks", "in_stacks", [[1], 2])):
            kwargs = [{"labels_or_regions": labels} for labels in arguments]
            file = work / f"{name}.pkl"
            file.write_bytes(pickle.dumps(([function] * len(kwargs), kwargs)))
            self.both("nnUNetv2_apply_postprocessing", "-i", source, "-o", f"kept_{name}", "-pp_pkl_file", file, "-np", 2)
            self.folders(f"kept_{name}", exact=True, more=["plans.json", "dataset.json"])
            as_json = work / f"{name}.json"
            as_json.write_text(json.dumps({"postprocessing_fns": [function.__name__] * len(kwargs),
                                           "postprocessing_kwargs": kwargs}))
            code, text = self.ours.run("nnUNetv2_apply_postprocessing", "-i", source, "-o", f"json_{name}", "-pp_pkl_file",
                                       as_json, "-plans_json", work / source / "plans.json", "-dataset_json",
                                       work / source / "dataset.json")
            if code:
                differ("nnUNetv2_apply_postprocessing", text)
            compare(self.ours.folder / f"kept_{name}", self.ours.folder / f"json_{name}", exact=True)

    def evaluations(self):
        self.same_input("in_ignore", "ignore")
        for name, dataset in (("low", "Dataset900_Cascade"), ("regions", "Dataset901_Regions"),
                              ("ignore", "Dataset902_Ignore"), ("pictures", "Dataset903_Pictures"),
                              ("stacks", "Dataset904_Stacks")):
            truth, model = f"nnUNet_raw/{dataset}/labelsTr", f"in_{name}"
            out = ["-o", f"{name}.json", "-np", 2]
            self.both("nnUNetv2_evaluate_folder", truth, model, "-djfile", f"{model}/dataset.json", "-pfile",
                      f"{model}/plans.json", *out)
            self.json(f"{name}.json")
        truth = "nnUNet_raw/Dataset902_Ignore/labelsTr"
        self.both("nnUNetv2_evaluate_simple", truth, "in_ignore", "-l", 2, 1, 7, "-il", 3, "-o", "simple.json")
        self.json("simple.json")
        self.both("nnUNetv2_evaluate_simple", truth, "in_ignore", "-l", 0, 1, "-o", "background.json")
        self.json("background.json")
        self.chill(truth)

    def chill(self, truth):
        (work / "in_ignore" / "case_2.nii.gz").unlink()
        self.both("nnUNetv2_evaluate_simple", truth, "in_ignore", "-l", 1, "-o", "x.json", fails=True)
        self.both("nnUNetv2_evaluate_simple", truth, "in_ignore", "-l", 1, "-o", "chill.json", "--chill")
        self.json("chill.json")

    def json(self, name):
        paths = [side.folder / name for side in (self.python, self.ours)]
        if not all(path.is_file() for path in paths):
            return differ(name, f"is there: {[path.is_file() for path in paths]}")
        what = of_file(*paths, exact=True)
        if what:
            differ(name, what)

    def overlays(self):
        from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2, nnUNetDatasetNumpy
        for dataset, channel in (("Dataset900_Cascade", 0), ("Dataset901_Regions", 1), ("Dataset903_Pictures", 0)):
            out = f"drawn_{dataset}"
            self.both("nnUNetv2_plot_overlay_pngs", "-d", dataset, "-o", out, "--use_raw", "-channel_idx", channel, "-np", 1,
                      "-overlay_intensity", 0.3 if channel else 0.6)
            self.folders(out, exact=True)
        for dataset, store in (("Dataset901_Regions", nnUNetDatasetNumpy), ("Dataset902_Ignore", nnUNetDatasetBlosc2)):
            folder = work / "nnUNet_preprocessed" / dataset
            model = results / dataset / "nnUNetTrainer__nnUNetPlans__3d_fullres"
            shutil.copy(model / "plans.json", folder / "nnUNetPlans.json")
            for case in range(2):
                data = np.stack([volume(case, (9, 12, 14)), volume(case + 1, (9, 12, 14))]).astype(np.float32) - 50
                seg = (data[:1] > -20).astype(np.int16) + (data[:1] > 5) - (data[:1] == -50)
                store.save_case(data, seg, {"spacing": [1, 1, 1]}, str(folder / "nnUNetPlans_x" / f"case_{case}"))
            for words in ([], ["-p", "nnUNetPlans", "-c", "3d_fullres", "-channel_idx", 1, "-overlay_intensity", 0.9]):
                out = f"drawn_{dataset}_{len(words)}"
                self.both("nnUNetv2_plot_overlay_pngs", "-d", dataset[7:10], "-o", out, "-np", 1, *words)
                self.folders(out, exact=True)

    def archives(self):
        """A model that one program exports is installed by the other and predicts the same."""
        for name, words in (("low", ["-c", "3d_lowres", "-f", 0, 1]), ("all", ["-c", "3d_lowres", "-f", "all", "-chk",
                            "checkpoint_best.pth", "--exp_cv_preds"]), ("two", ["-c", "3d_lowres", "2d", "-f", 0])):
            self.both("nnUNetv2_export_model_to_zip", "-d", 900, "-o", f"{name}.zip", *words)
            for side in (self.python, self.ours):
                shutil.unpack_archive(side.folder / f"{name}.zip", side.folder / f"unpacked_{name}")
            self.folders(f"unpacked_{name}", exact=True)
        images = work / "nnUNet_raw" / "Dataset900_Cascade" / "imagesTs"
        shutil.rmtree(work / "nnUNet_raw" / "Dataset900_Cascade" / "labelsTr")
        results.rename(work / "trained")
        for side, other in ((self.python, self.ours), (self.ours, self.python)):
            results.mkdir()
            code, text = side.run("nnUNetv2_install_pretrained_model_from_zip", other.folder / "low.zip")
            if code:
                differ("nnUNetv2_install_pretrained_model_from_zip", f"{type(side).__name__}: {text}")
            compare(other.folder / "unpacked_low", results, exact=True)
            code, text = side.run("nnUNetv2_predict", "-i", images, "-o", "installed", "-d", 900, "-c", "3d_lowres", "-f", 0,
                                  "-device", "cpu", "-npp", 0, "-nps", 0)
            if code:
                differ("nnUNetv2_predict", f"{type(side).__name__}: {text}")
            for case in ("case_0", "case 1"):
                what = of_file(work / "in_low" / f"{case}.nii.gz", side.folder / "installed" / f"{case}.nii.gz", False)
                if what:
                    differ(f"installed/{case}", what)
            shutil.rmtree(results)


def main():
    torch.set_num_threads(1)
    start = time.time()
    for name, (configurations, plans, dataset) in datasets().items():
        files = 1 if dataset["file_ending"] == ".png" else len(dataset["channel_names"])
        raw_data(name, dataset, files)
        with contextlib.redirect_stdout(io.StringIO()):
            for configuration, folds in configurations:
                save_model(name, configuration, folds, plans, dataset)
    print(f"models and data: {time.time() - start:.0f} s")
    comparison = Comparison(Path(sys.argv[1]).resolve())
    steps = ["predictions", "more_predictions", "parts", "continued", "ensembles", "postprocessings", "evaluations",
             "overlays", "archives"]
    for step in steps:
        began = time.time()
        getattr(comparison, step)()
        print(f"--- {step}: {time.time() - began:.0f} s", flush=True)
    print(f"{len(differences)} differences, {time.time() - start:.0f} s, {work}")
    if not differences:
        shutil.rmtree(work)
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
