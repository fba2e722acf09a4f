//! Prediction and training on the CUDA device of the tests, which computes on the CPU: everything runs there, results are
//! those of the CPU, and operators, copies and waiting reads stay below ceilings.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use nnunet_formats::pickle::{self, Value};
use nnunet_formats::{json, nifti, torch_zip};
use nnunet_test_support::reference;
use nnunet_tests::rehearsal::Counts;
use nnunet_tests::{World, copy_folder, repository};

const FOLD: &str = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall/fold_0";
const PREDICT: &str =
    "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -t 900 --tr Short -p nnUNetPlansSmall -f 0";

/// Files of label maps of a folder, and what is in them.
fn labels(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut maps: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(".nii.gz")).collect();
    maps.sort();
    assert!(!maps.is_empty(), "no label maps in {}", folder.display());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    maps.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

fn assert_same_labels(world: &World, a: &str, b: &str) {
    assert!(labels(&world.path(a)) == labels(&world.path(b)), "{a} and {b} differ");
}

/// At most a share of the voxels differs: the scores of a network this little trained are often close to each other.
fn assert_similar_labels(world: &World, a: &str, b: &str, share: f64) {
    for (case, _) in labels(&world.path(a)) {
        let [a, b] = [a, b].map(|folder| nifti::read(&world.path(folder).join(&case)).unwrap().data);
        let differing = a.iter().zip(&b).filter(|(a, b)| a != b).count();
        assert!(
            differing as f64 <= share * a.len() as f64,
            "{case}: {differing} of {} voxels differ",
            a.len()
        );
    }
}

fn all_values(checkpoint: &Path) -> Vec<f32> {
    torch_zip::load(checkpoint)
        .unwrap()
        .tensors
        .iter()
        .filter_map(|tensor| tensor.to_f32())
        .flatten()
        .collect()
}

/// Largest difference of a parameter or its momentum after three steps.
const THREE_STEPS: f32 = 1e-6;

#[test]
fn training_and_prediction_give_what_the_cpu_gives() {
    let world = World::with_phantoms().with_libtorch_operators();
    // On the second of two devices: nothing may be left on the first.
    let two = [("REHEARSAL_GPUS", "2")];
    world.configure(
        "\n[trainers.Three]\nextends = \"Short\"\nmax_num_epochs = 1\nnum_batches_per_epoch = 3\n",
    );
    let three = "train 3d_fullres Three 900 0 -p nnUNetPlansSmall --fp32 --disable_validation_inference";
    let folder = world.path(&FOLD.replace("Short__", "Three__"));
    world.succeed(&format!("{three} --device cpu"));
    std::fs::rename(&folder, world.path("cpu")).unwrap();
    let (text, counts) = world.succeed_on_gpu(&format!("{three} --device cuda:1"), &two);
    assert!(text.contains("device: cuda:1; one of 2 GPUs"), "{text}");
    assert!(counts.peak_bytes[0] == 0 && counts.peak_bytes[1] > 0, "{counts:?}");
    let file = "model_final_checkpoint.model";
    let (ours, cpus) = (all_values(&folder.join(file)), all_values(&world.path("cpu").join(file)));
    assert!(ours.len() == cpus.len() && ours.len() > 1000, "{} and {} values", ours.len(), cpus.len());
    let largest = ours.iter().zip(&cpus).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    eprintln!("largest difference after three steps: {largest}");
    assert!(largest <= THREE_STEPS, "parameters or momentum differ by {largest}");

    let train = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --fp32";
    world.succeed_on_gpu(&format!("{train} --device cuda:1"), &two);
    std::fs::rename(world.path(FOLD).join("validation_raw"), world.path("gpu_validation")).unwrap();
    world.succeed(&format!("{train} -val --device cpu"));
    assert_same_labels(&world, "gpu_validation", &format!("{FOLD}/validation_raw"));

    // "1": two folds.
    copy_folder(&world.path(FOLD), &world.path(&FOLD.replace("fold_0", "fold_1")));
    for flags in ["", "1", "--disable_tta", "--all_in_gpu False", "--precision bf16"] {
        let folder = |device: &str| format!("{device}{}", flags.replace([' ', '-'], ""));
        let (cpu, gpu) = (folder("out_cpu"), folder("out_gpu"));
        let is_bf16 = flags.contains("bf16");
        let precision = if is_bf16 { "" } else { "--precision fp32" };
        world.succeed(&format!("{PREDICT} {flags} {precision} -o {cpu} --device cpu"));
        world.succeed_on_gpu(&format!("{PREDICT} {flags} {precision} -o {gpu} --device cuda"), &[]);
        if is_bf16 {
            assert_similar_labels(&world, &cpu, &gpu, 0.01);
        } else {
            assert_same_labels(&world, &cpu, &gpu);
        }
    }
    world.succeed_on_gpu(&format!("{PREDICT} --precision fp16 -o half --device cuda"), &[]);
    world.succeed_on_gpu(&format!("{train} -c --device cuda"), &[]);
    let none = world.run_beside_gpu(&format!("{PREDICT} -o none --device cuda:2"), &two);
    assert!(none.code != 0 && none.text.contains("the last of 2 is cuda:1"), "{}", none.text);
}

/// Multiplies the spacing of a NIfTI image, (x, y, z).
fn change_spacing(path: &Path, factors: [f32; 3]) {
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    for (axis, factor) in factors.into_iter().enumerate() {
        // pixdim, and a column of srow_x, srow_y and srow_z.
        for at in [80 + 4 * axis, 280 + 4 * axis, 296 + 4 * axis, 312 + 4 * axis] {
            let value = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) * factor;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    let file = std::fs::File::create(path).unwrap();
    let mut file = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    file.write_all(&bytes).unwrap();
    file.finish().unwrap();
}

/// Images of other spacings than the model's: their scores are resampled and reduced to labels on the device, and labels are
/// all that leaves it.
#[test]
fn scores_are_resampled_where_they_are() {
    let world = World::with_phantoms().with_libtorch_operators();
    world.succeed(
        "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --fp32 --disable_validation_inference --device cpu",
    );
    let model = "--model-folder results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall -f 0";
    for (name, factors) in
        [("finer", [0.6, 0.7, 0.5]), ("thick", [1.0, 0.8, 4.5]), ("mixed", [1.4, 0.6, 1.0])]
    {
        let images = world.path(name);
        copy_folder(&world.path("raw/nnUNet_raw_data/Task900_Phantom/imagesTs"), &images);
        for (file, _) in labels(&images) {
            change_spacing(&images.join(file), factors);
        }
        let predict = format!("predict -i {name} {model} --disable_tta --precision fp32");
        world.succeed(&format!("{predict} -o {name}_cpu --device cpu"));
        let (_, counts) = world.succeed_on_gpu(&format!("{predict} -o {name}_gpu --device cuda"), &[]);
        assert_same_labels(&world, &format!("{name}_cpu"), &format!("{name}_gpu"));
        let voxels: usize = labels(&world.path(&format!("{name}_gpu")))
            .iter()
            .map(|(file, _)| nifti::read(&world.path(&format!("{name}_gpu")).join(file)).unwrap().data.len())
            .sum();
        // A byte for each voxel, and some sums.
        let downloaded = counts.downloaded_bytes;
        assert!(downloaded <= voxels as u64 + 4096, "{name}: {downloaded} bytes for {voxels} voxels");
        // Without room for it the scores go on in main memory.
        let less = (counts.peak_bytes[0] / 10 * 9).to_string();
        let short = [("REHEARSAL_BYTES", less.as_str())];
        world.succeed_on_gpu(&format!("{predict} -o {name}_short --device cuda --max-vram 100G"), &short);
        assert_same_labels(&world, &format!("{name}_cpu"), &format!("{name}_short"));
    }
}

/// Gives a model of v1 the rule by which it resamples scores.
fn set_export(model: &Path, order: i64, order_z: i64) {
    let file = model.join("fold_0/model_final_checkpoint.model.pkl");
    let mut info = pickle::load(&file).unwrap();
    let rule = Value::dict(vec![
        ("force_separate_z", Value::None),
        ("interpolation_order", Value::Int(order)),
        ("interpolation_order_z", Value::Int(order_z)),
    ]);
    let (Value::Dict(entries) | Value::OrderedDict(entries)) = &mut info else { panic!("no dictionary") };
    let plans = entries.iter_mut().find(|(key, _)| key.as_str() == Some("plans")).unwrap();
    let (Value::Dict(plans) | Value::OrderedDict(plans)) = &mut plans.1 else { panic!("no plans") };
    plans.retain(|(key, _)| key.as_str() != Some("segmentation_export_params"));
    plans.push((Value::str("segmentation_export_params"), rule));
    pickle::save(&file, &info).unwrap();
}

/// Scores that are resampled by cubic splines, all axes together and with an axis on its own, become labels on the device too;
/// the program goes on in main memory where the device has no room for them.
#[test]
fn splines_are_computed_where_scores_are() {
    let world = World::with_phantoms().with_libtorch_operators();
    world.succeed(
        "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --fp32 --disable_validation_inference --device cpu",
    );
    let model = "results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall";
    for (name, factors, orders) in [
        ("finer", [0.6, 0.7, 0.5], (3, 0)),
        ("thick", [1.0, 0.8, 4.5], (3, 0)),
        ("deep", [1.0, 0.8, 4.5], (3, 3)),
    ] {
        let images = world.path(name);
        copy_folder(&world.path("raw/nnUNet_raw_data/Task900_Phantom/imagesTs"), &images);
        for (file, _) in labels(&images) {
            change_spacing(&images.join(file), factors);
        }
        set_export(&world.path(model), orders.0, orders.1);
        let mirrored: &[&str] = if name == "finer" { &["", "--disable_tta"] } else { &["--disable_tta"] };
        for flags in mirrored {
            let predict = format!("predict -i {name} --model-folder {model} -f 0 {flags} --precision fp32");
            let (cpu, gpu) = (format!("{name}_cpu{flags}"), format!("{name}_gpu{flags}"));
            world.succeed(&format!("{predict} -o {cpu} --device cpu"));
            let (_, counts) = world.succeed_on_gpu(&format!("{predict} -o {gpu} --device cuda"), &[]);
            assert_same_labels(&world, &cpu, &gpu);
            let maps = labels(&world.path(&gpu));
            let voxels = |file: &String| nifti::read(&world.path(&gpu).join(file)).unwrap().data.len();
            let voxels: usize = maps.iter().map(|(file, _)| voxels(file)).sum();
            let downloaded = counts.downloaded_bytes;
            assert!(downloaded <= voxels as u64 + 4096, "{name}: {downloaded} bytes for {voxels} voxels");
            let planned = planned_bytes(&world.path(&gpu).join("predictions.json"));
            let used = counts.peak_bytes[0];
            assert!(
                used as f64 <= planned as f64 * 1.3,
                "{name}: {planned} bytes are planned and {used} used"
            );
            if !flags.is_empty() {
                // Told of more memory than there is, large cases that follow each other closely may not find room for a tile.
                let told: &[&str] = if name == "finer" { &["", "--max-vram 100G"] } else { &[""] };
                assert_works_in_less(&world, &predict, &cpu, used, told);
            }
        }
    }
}

/// Predicts on a GPU with less memory than the `used` bytes, once for each of the flags, and compares with the CPU's labels.
/// How much is used depends on how closely the cases follow each other; the limit is never below what one tile needs
/// where sums are kept in the machine's memory.
fn assert_works_in_less(world: &World, predict: &str, cpu: &str, used: u64, flags: &[&str]) {
    let tile = format!("{cpu}_tile");
    let (_, counts) = world.succeed_on_gpu(&format!("{predict} -o {tile} --device cuda --max-vram 1M"), &[]);
    assert_same_labels(world, cpu, &tile);
    let least = counts.peak_bytes[0];
    for (flag, share) in flags.iter().zip([0.75, 0.9]) {
        let limit = ((used as f64 * share) as u64).max(least).to_string();
        let short = format!("{cpu}_short{limit}");
        let line = format!("{predict} -o {short} --device cuda {flag}");
        world.succeed_on_gpu(&line, &[("REHEARSAL_BYTES", limit.as_str())]);
        assert_same_labels(world, cpu, &short);
    }
}

/// v2's models, whose logits are summed in half precision.
#[test]
fn splines_of_v2_are_computed_where_scores_are() {
    let world = World::new().with_libtorch_operators();
    copy_folder(&repository().join("tests/stored/v2_cascade"), &world.path("v2"));
    change_spacing(&world.path("v2/images/case_0000.nii.gz"), [0.8, 0.7, 0.6]);
    let model = "v2/nnUNetTrainer__nnUNetPlans__3d_lowres";
    let plans = world.path(model).join("plans.json");
    let text = std::fs::read_to_string(&plans).unwrap();
    let parts: Vec<String> = text
        .split("\"resampling_fn_probabilities_kwargs\"")
        .enumerate()
        .map(
            |(i, part)| {
                if i == 0 { part.to_owned() } else { part.replacen("\"order\": 1", "\"order\": 3", 1) }
            },
        )
        .collect();
    assert!(parts.len() > 1, "no rule for probabilities in the plans");
    std::fs::write(&plans, parts.join("\"resampling_fn_probabilities_kwargs\"")).unwrap();
    for flags in ["", "--disable_tta"] {
        let predict = format!("predict -i v2/images --model-folder {model} -f 0 {flags} --precision fp32");
        let (cpu, gpu) = (format!("cpu{flags}"), format!("gpu{flags}"));
        world.succeed(&format!("{predict} -o {cpu} --device cpu"));
        let (_, counts) = world.succeed_on_gpu(&format!("{predict} -o {gpu} --device cuda"), &[]);
        assert_same_labels(&world, &cpu, &gpu);
        let map = &labels(&world.path(&gpu))[0].0;
        let voxels = nifti::read(&world.path(&gpu).join(map)).unwrap().data.len();
        assert!(counts.downloaded_bytes <= voxels as u64 + 4096, "{counts:?} for {voxels} voxels");
    }
}

/// An image of many voxels for the grid of the network is resampled on the device before the network.
#[test]
fn large_images_are_resampled_on_the_device() {
    let world = World::with_phantoms().with_libtorch_operators();
    world.succeed(
        "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --fp32 --disable_validation_inference --device cpu",
    );
    let file = &labels(&world.path("raw/nnUNet_raw_data/Task900_Phantom/imagesTs"))[0].0;
    let small = world.path("raw/nnUNet_raw_data/Task900_Phantom/imagesTs").join(file);
    let volume = nifti::read(&small).unwrap();
    let (z, y, x) = volume.data.dim();
    // Voxels are repeated and as much smaller, so that the network sees the size that it knows.
    let times = [z, y, x].map(|len| LARGE.div_ceil(len));
    let (low, high) =
        volume.data.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let fine = ndarray::Array3::from_shape_fn([z * times[0], y * times[1], x * times[2]], |(i, j, k)| {
        let value = volume.data[[i / times[0], j / times[1], k / times[2]]];
        // Nothing is zero, and so nothing is cropped.
        (1.0 + (value - low) / (high - low) * 250.0) as u8
    });
    let mut geometry = volume.geometry;
    for axis in 0..3 {
        geometry.size[axis] = fine.shape()[2 - axis];
        geometry.spacing[axis] /= times[2 - axis] as f64;
    }
    std::fs::create_dir(world.path("large")).unwrap();
    nifti::write_labels(&world.path("large").join(file), fine.view(), &geometry).unwrap();
    let model = "--model-folder results/nnUNet/3d_fullres/Task900_Phantom/Short__nnUNetPlansSmall -f 0";
    let predict = format!("predict -i large {model} --disable_tta --precision fp32");
    world.succeed(&format!("{predict} -o cpu --device cpu"));
    let (_, counts) = world.succeed_on_gpu(&format!("{predict} -o gpu --device cuda"), &[]);
    assert_same_labels(&world, "cpu", "gpu");
    let voxels = fine.len() as u64;
    // Labels leave the device as bytes, and the resampled image in single precision.
    let least = voxels + 4 * (z * y * x) as u64 / 2;
    assert!(counts.downloaded_bytes >= least, "{counts:?} for {voxels} voxels");
    assert!(counts.peak_bytes[0] > 4 * voxels, "{counts:?} for {voxels} voxels");
    let planned = planned_bytes(&world.path("gpu/predictions.json")) as f64;
    assert!(counts.peak_bytes[0] as f64 <= planned * 1.3, "{planned} bytes are planned: {counts:?}");
}

/// Voxels along an axis of an image that is large enough for it: 2^24 together.
const LARGE: usize = 257;

#[test]
fn training_in_half_precision_runs_and_resumes() {
    let world = World::with_phantoms().with_libtorch_operators();
    for format in ["bf16", "fp16"] {
        world.configure(&format!(
            "\n[trainers.{format}]\nextends = \"Short\"\nprecision = \"{format}\"\nsave_every = 1\n"
        ));
        let train = format!("train 3d_fullres {format} 900 0 -p nnUNetPlansSmall --device cuda");
        let (text, _) = world.succeed_on_gpu(&train, &[]);
        assert!(!text.to_lowercase().contains("nan"), "{text}");
        // The state goes back to the device.
        world.configure(&format!(
            "\n[trainers.{format}_longer]\nextends = \"{format}\"\nmax_num_epochs = 3\n"
        ));
        let folder = |name: &str| world.path(&FOLD.replace("Short__", &format!("{name}__")));
        copy_folder(&folder(format), &folder(&format!("{format}_longer")));
        for file in ["model_final_checkpoint.model", "model_final_checkpoint.model.pkl"] {
            let longer = folder(&format!("{format}_longer"));
            std::fs::rename(longer.join(file), longer.join(file.replace("final_checkpoint", "latest")))
                .unwrap();
        }
        let again = train.replace(&format!("3d_fullres {format} "), &format!("3d_fullres {format}_longer "));
        let (text, _) = world.succeed_on_gpu(&format!("{again} -c"), &[]);
        assert!(text.contains("epoch:  2"), "{text}");
    }
}

#[test]
fn a_cascade_of_v2_runs_there() {
    let world = World::new().with_libtorch_operators();
    copy_folder(&repository().join("tests/stored/v2_cascade"), &world.path("v2"));
    let predict =
        "predict -i v2/images --model-folder v2/nnUNetTrainer__nnUNetPlans__3d_cascade_fullres --disable_tta";
    world.succeed(&format!("{predict} -o cpu -device cpu"));
    world.succeed_on_gpu(&format!("{predict} -o gpu -device cuda --precision fp32"), &[]);
    assert_same_labels(&world, "cpu", "gpu");
    assert_same_labels(&world, "cpu/3d_lowres_predictions", "gpu/3d_lowres_predictions");
}

/// The plan is close to what is used, and with a third of it everything still gives the same labels.
#[test]
fn memory_that_is_short_costs_time_and_not_results() {
    let world = World::with_phantoms().with_libtorch_operators();
    let train = "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --fp32";
    world.succeed(&format!("{train} --device cpu"));
    std::fs::rename(world.path(FOLD).join("validation_raw"), world.path("validation_cpu")).unwrap();
    let predict = format!("{PREDICT} --precision fp32 --device cuda");
    let (_, counts) = world.succeed_on_gpu(&format!("{predict} -o plenty"), &[]);
    let planned = planned_bytes(&world.path("plenty/predictions.json"));
    let used = counts.peak_bytes[0];
    let ratio = planned as f64 / used as f64;
    assert!((1.0 / 1.3..=1.3).contains(&ratio), "{planned} bytes are planned and {used} used");

    let third = (planned / 3).to_string();
    let limit = [("REHEARSAL_BYTES", third.as_str())];
    world.succeed_on_gpu(&format!("{predict} -o planned"), &limit);
    // A plan for more memory than there is: what does not fit is done in smaller parts.
    world.succeed_on_gpu(&format!("{predict} -o surprised --max-vram 100G"), &limit);
    for folder in ["planned", "surprised"] {
        assert_same_labels(&world, "plenty", folder);
    }
    // The validation after a training has a plan too.
    let (text, counts) = world.succeed_on_gpu(&format!("{train} --device cuda --val"), &[]);
    let plan = text.split("planned GPU memory: ").nth(1).and_then(|text| text.split(';').next()).unwrap();
    let (planned, used) = (bytes_of(plan), counts.peak_bytes[0] as f64);
    assert!((1.0 / 1.3..=1.3).contains(&(planned / used)), "{plan} are planned and {used} bytes used");
    assert_same_labels(&world, "validation_cpu", &format!("{FOLD}/validation_raw"));
    let third = ((planned / 3.0) as u64).to_string();
    let (text, counts) =
        world.succeed_on_gpu(&format!("{train} --device cuda --val"), &[("REHEARSAL_BYTES", third.as_str())]);
    assert!(text.contains("planned GPU memory") && counts.peak_bytes[0] as f64 <= planned / 3.0, "{text}");
    assert_same_labels(&world, "validation_cpu", &format!("{FOLD}/validation_raw"));

    let (none, _) = world.run_on_gpu(&format!("{predict} -o none"), &[("REHEARSAL_BYTES", "3000000")]);
    assert!(none.code != 0 && none.text.contains("as --max-vram"), "{}", none.text);
}

/// Two GPUs with networks of their own share the cases, also where memory is short.
#[test]
fn two_gpus_share_the_cases() {
    let world = World::with_phantoms().with_libtorch_operators();
    world.succeed(
        "train 3d_fullres Short 900 0 -p nnUNetPlansSmall --fp32 --device cpu --disable_validation_inference",
    );
    let predict = format!("{} --precision fp32", PREDICT.replace("imagesTs", "imagesTr"));
    world.succeed(&format!("{predict} -o cpu --device cpu"));
    let two = ("REHEARSAL_GPUS", "2");
    let (text, counts) = world.succeed_on_gpu(&format!("{predict} -o gpus --devices cuda:0,cuda:1"), &[two]);
    assert!(
        text.contains("devices: cuda:0, cuda:1") && text.contains("cuda:1: planned GPU memory"),
        "{text}"
    );
    assert!(counts.peak_bytes.iter().all(|bytes| *bytes > 0), "{counts:?}");
    assert_same_labels(&world, "cpu", "gpus");
    // More than there is: what does not fit is done in smaller parts, on each device.
    let third = (counts.peak_bytes[0] / 3).to_string();
    let short = [two, ("REHEARSAL_BYTES", third.as_str())];
    world.succeed_on_gpu(&format!("{predict} -o surprised --devices cuda:0,cuda:1 --max-vram 100G"), &short);
    assert_same_labels(&world, "cpu", "surprised");
    let short = [two, ("REHEARSAL_BYTES", "3000000")];
    let (none, _) = world.run_on_gpu(&format!("{predict} -o none --devices cuda:0,cuda:1"), &short);
    assert!(none.code != 0 && none.text.contains("as --max-vram"), "{}", none.text);
    // A mixture.
    world.succeed_on_gpu(&format!("{predict} -o mixed --devices cuda:0,cpu"), &[two]);
    assert_same_labels(&world, "cpu", "mixed");
}

/// "12.5 MB" as the program writes it.
fn bytes_of(text: &str) -> f64 {
    let (number, unit) = text.trim().split_once(' ').unwrap();
    let powers = ["B", "KB", "MB", "GB"];
    let power = powers.iter().position(|name| *name == unit).unwrap_or_else(|| panic!("unit of `{text}`"));
    number.parse::<f64>().unwrap() * 1024_f64.powi(power as i32)
}

fn planned_bytes(record: &Path) -> u64 {
    let record = json::load(record).unwrap();
    record.get("planned_device_bytes").unwrap().as_f64().unwrap() as u64
}

/// The models that Python trained.
#[test]
fn reference_models_predict_what_they_predict_on_the_cpu() {
    let name = "rehearsal::reference_models";
    let Some(images) = reference("hippocampus/Task004_Hippocampus/imagesTs", name) else { return };
    let world = World::new().with_libtorch_operators();
    std::fs::create_dir(world.path("images")).unwrap();
    let first = labels(&images).into_iter().next().unwrap();
    std::fs::write(world.path("images").join(&first.0), first.1).unwrap();
    let models = [
        "model_v1/results/nnUNet/3d_fullres/Task004_Hippocampus/nnUNetTrainerV2_tiny__nnUNetPlansSmall",
        "model_v2/results/Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlansSmall__3d_fullres",
        "model_v2/results/Dataset004_Hippocampus/nnUNetTrainer__nnUNetResEncSmallPlans__3d_fullres",
        "model_v2/results/Dataset005_HippoRegions/nnUNetTrainer__nnUNetPlansSmall__3d_fullres",
    ];
    for (i, model) in models.iter().enumerate() {
        let Some(model) = reference(model, name) else { continue };
        for flags in ["", "--disable_tta"] {
            let (cpu, gpu) = (format!("cpu{i}{flags}"), format!("gpu{i}{flags}"));
            let predict = format!("predict -i images --model-folder {} -f 0 {flags}", model.display());
            world.succeed(&format!("{predict} -o {cpu} --device cpu"));
            world.succeed_on_gpu(&format!("{predict} -o {gpu} --device cuda --precision fp32"), &[]);
            assert_same_labels(&world, &cpu, &gpu);
        }
    }
}

/// A recorded step has few operators and gives what the same step gives operator by operator.
#[test]
fn steps_that_are_recorded_give_the_same_model() {
    let world = World::with_phantoms().with_libtorch_operators();
    for (precision, optimizer) in [
        ("fp32", ""),
        ("fp16", ""),
        ("fp32", "optimizer = { name = \"Adam\" }"),
        ("fp16", "optimizer = { name = \"Ranger\" }"),
    ] {
        let train = |name: &str, steps: usize, flags: &str| {
            world.configure(&format!(
                "\n[trainers.{name}]\nextends = \"Short\"\nprecision = \"{precision}\"\nmax_num_epochs = 2\n\
                 num_batches_per_epoch = {steps}\n{optimizer}\n"
            ));
            let line = format!("train 3d_fullres {name} 900 0 -p nnUNetPlansSmall --device cuda {flags}");
            let (text, counts) = world.succeed_on_gpu(&format!("{line} --disable_validation_inference"), &[]);
            assert!(!text.contains("cannot be recorded"), "{text}");
            let folder = world.path(&FOLD.replace("Short__", &format!("{name}__")));
            (all_values(&folder.join("model_final_checkpoint.model")), counts)
        };
        let name = |what: &str| format!("{what}{precision}{}", optimizer.len());
        let (eager, _) = train(&name("Eager"), 6, "");
        let (recorded, six) = train(&name("Recorded"), 6, "--cuda-graph auto");
        assert!(eager == recorded, "{precision} {optimizer}: other parameters");
        let (_, eight) = train(&name("Longer"), 8, "--cuda-graph auto");
        // Two epochs of two more steps: copies of the batch into the graph's memory, and the graph.
        let kernels = (eight.kernels - six.kernels) / 4;
        assert!(kernels <= 10, "{kernels} operators in a recorded step");
        assert_eq!(eight.waits, six.waits);
    }
}

/// Counts of a training of some steps and validation batches.
fn counted(world: &World, precision: &str, optimizer: &str, steps: usize, checks: usize) -> Counts {
    let name = format!("{precision}{optimizer}_{steps}_{checks}");
    world.configure(&format!(
        "\n[trainers.{name}]\nextends = \"Short\"\nprecision = \"{precision}\"\nmax_num_epochs = 1\n\
         num_batches_per_epoch = {steps}\nnum_val_batches_per_epoch = {checks}\n\
         optimizer = {{ name = \"{optimizer}\" }}\n"
    ));
    let line = format!(
        "train 3d_fullres {name} 900 0 -p nnUNetPlansSmall --device cuda --disable_validation_inference"
    );
    world.succeed_on_gpu(&line, &[]).1
}

/// Operators and waiting reads of one training step, and of one validation batch: what three have more than one, halved.
#[test]
fn a_training_step_has_few_kernels_and_no_waits() {
    let world = World::with_phantoms().with_libtorch_operators();
    let runs = [
        ("fp32", "SGD"),
        ("bf16", "SGD"),
        ("fp16", "SGD"),
        ("fp32", "Adam"),
        ("fp32", "Ranger"),
        ("fp16", "Ranger"),
    ];
    for (precision, optimizer) in runs {
        let what = format!("{precision}, {optimizer}");
        let counted = |steps, checks| counted(&world, precision, optimizer, steps, checks);
        let (one, three) = (counted(1, 1), counted(3, 1));
        let kernels = (three.kernels - one.kernels) / 2;
        eprintln!("{what}: {kernels} operators in a training step");
        if precision == "fp32" {
            let most = if optimizer == "Ranger" { KERNELS + RANGER } else { KERNELS };
            assert!(kernels <= most, "{what}: {kernels} operators in a training step");
        }
        assert_eq!(three.waits, one.waits, "{what}: reads in a training step that wait for the device");
        // Images and labels at each resolution are copied from pinned memory, beside the kernels.
        let early = (three.early_uploads - one.early_uploads) / 2;
        assert!(early >= 2, "{what}: {early} early copies in a training step");
        assert_eq!(three.pinned_uploads - one.pinned_uploads, three.early_uploads - one.early_uploads);
        let more = counted(1, 3);
        assert_eq!(more.waits, one.waits, "{what}: reads in a validation batch that wait for the device");
    }
}

/// Largest difference of a value between the two ways to compute a gradient, after three steps, as a share of the largest value:
/// libtorch's batch norm on the CPU, which only the second way uses, has sums in single precision.
const RECOMPUTED: f32 = 1e-3;

#[test]
fn low_memory_takes_less_and_gives_the_same_weights() {
    let world = World::with_phantoms().with_libtorch_operators();
    world.configure(
        "\n[trainers.Three]\nextends = \"Short\"\nmax_num_epochs = 1\nnum_batches_per_epoch = 3\n",
    );
    let train = |memory: &str| {
        let three = "train 3d_fullres Three 900 0 -p nnUNetPlansSmall --fp32 --disable_validation_inference";
        let (_, counts) =
            world.succeed_on_gpu(&format!("{three} --device cuda --overwrite --memory {memory}"), &[]);
        let values =
            all_values(&world.path(&FOLD.replace("Short__", "Three__")).join("model_final_checkpoint.model"));
        (counts, values)
    };
    let ((normal, wanted), (low, found)) = (train("normal"), train("low"));
    let bytes = [normal.peak_bytes[0], low.peak_bytes[0]];
    eprintln!("peak: {bytes:?} bytes; operators of three steps: {} and {}", normal.kernels, low.kernels);
    assert!(bytes[1] as f64 <= 0.85 * bytes[0] as f64, "low memory takes {} of {} bytes", bytes[1], bytes[0]);
    let largest = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let size = wanted.iter().fold(0.0_f32, |size, value| size.max(value.abs()));
    eprintln!("largest difference: {largest} of {size}");
    assert!(found.len() == wanted.len() && largest <= RECOMPUTED * size, "values differ by {largest}");
}

/// Ranger computes the size of a step on the device.
const RANGER: u64 = 60;

/// Of the small plan of the tests.
const KERNELS: u64 = 420;

#[test]
fn a_device_that_is_not_there_is_said_to_be_missing() {
    let world = World::new().with_libtorch_operators();
    let outcome = world.run("doctor --device cuda:7");
    assert_eq!(outcome.code, 1, "{}", outcome.text);
    assert!(outcome.text.contains("PROBLEM: --device cuda:7"), "{}", outcome.text);
    let outcome = world.run_beside_gpu("doctor --device cuda:1 --json", &[("REHEARSAL_GPUS", "2")]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains(r#""device":"cuda:1""#), "{}", outcome.text);
}
