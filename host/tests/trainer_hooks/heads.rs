//! Heads: what the outputs of a network mean, in trainings of v1 and v2.

use super::*;

/// A head of a plugin: trained, killed, continued; it writes numbers, and its metric is the criterion.
#[test]
fn a_head_that_regresses() {
    let world = world_with("nnUNetTrainerV2", "head = \"Numbers\"\nloss = \"SquaredError\"");
    let (world, text) = trains_with(world, "regression_head", "Numbers");
    assert_eq!(text.lines().filter(|line| line.contains("AbsoluteError: ")).count(), 2, "{text}");
    let fold = world.path("results").join(FOLD);
    assert!(fold.join("model_best.model").is_file() && !fold.join("validation_raw/summary.json").exists());
    let predicted = world.path("predicted").read_dir().unwrap().flatten().map(|file| file.path());
    let images: Vec<_> = predicted.filter(|path| path.to_string_lossy().ends_with(".nii.gz")).collect();
    for path in images {
        let image = nnunet_formats::nifti::read(&path).unwrap();
        assert!(image.data.iter().any(|value| value.fract() != 0.0), "{}", path.display());
    }
}

/// The built-in heads are what a training without one uses, to the bit.
#[test]
fn the_heads_of_classes_and_regions_change_nothing() {
    let regions = "regions = { regions = [{ name = \"all\", labels = [1, 2] }, { name = \"core\", labels = [2] }], \
                   class_order = [1, 2] }\nloss = { name = \"DC_and_BCE_loss\" }";
    for (head, settings) in [("Softmax", ""), ("Sigmoid", regions)] {
        let world = world_with("nnUNetTrainerV2", settings);
        let run = |set: &str, predicted: &str| {
            world.succeed(&format!(
                "train 3d_fullres Mine 900 0 -p nnUNetPlansSmall --overwrite --set max_num_epochs=1 {set}"
            ));
            let checkpoint = final_checkpoint(&world.path("results"));
            world.succeed(&format!(
                "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o {predicted} -t 900 -m 3d_fullres -tr Mine \
                 -p nnUNetPlansSmall -f 0"
            ));
            let mut files: Vec<_> = world.path(predicted).read_dir().unwrap().flatten().collect();
            files.retain(|file| file.file_name().to_string_lossy().ends_with(".nii.gz"));
            files.sort_by_key(std::fs::DirEntry::file_name);
            let labels = files.iter().map(|file| std::fs::read(file.path()).unwrap()).collect::<Vec<_>>();
            assert!(!labels.is_empty());
            let state = checkpoint.root.get("state_dict").cloned();
            (state, checkpoint.tensors, labels)
        };
        let named = run(&format!("--set head={head}"), "named");
        assert!(run("", "unnamed") == named, "{head} differs");
    }
}

/// Two tasks of one network: the labels are evaluated as ever.
#[test]
fn a_head_of_two_tasks() {
    let world = world_with("nnUNetTrainerV2", "head = \"WithPresence\"\nloss = \"WithPresence\"");
    let (world, _) = trains_with(world, "multi_task", "WithPresence");
    let summary = world.path("results").join(FOLD).join("validation_raw/summary.json");
    let summary = json::load(&summary).unwrap();
    let cases = summary.get("results").and_then(|results| results.get("all")?.items()).unwrap();
    assert!(!cases.is_empty());
}

const FOLD_V2: &str = "nnUNet_results/Dataset900_Phantom/Mine__nnUNetPlansSmall__3d_fullres/fold_0";

/// A world of v2 whose trainer `Mine` has a head.
fn world_of_v2(settings: &str) -> World {
    let world = World::with_phantoms_of_v2();
    world.configure(&format!("\n[trainers.Mine]\nextends = \"Short\"\nsave_every = 1\n{settings}\n"));
    world
}

/// The weights of the last checkpoint.
fn weights_of_v2(folder: &Path) -> Vec<TensorData> {
    torch_zip::load(&folder.join("checkpoint_final.pth")).unwrap().tensors
}

/// As `trains_resumes_and_predicts`, for v2; returns the files that were predicted.
fn trains_resumes_and_predicts_in_v2(world: &World, file: &str) -> Vec<std::path::PathBuf> {
    let plugin = plugin(file).display().to_string();
    let line =
        format!("--plugin {plugin} v2 train 900 3d_fullres 0 -tr Mine -p nnUNetPlansSmall -device cpu");
    let fold = world.path(FOLD_V2);
    world.succeed(&line);
    let whole = weights_of_v2(&fold);
    std::fs::remove_dir_all(&fold).unwrap();
    let mut child = world.command(&line).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines {
        if line.ends_with("Epoch 1") {
            Command::new("kill").args(["-KILL", &child.id().to_string()]).status().unwrap();
        }
    }
    assert_eq!(child.wait().unwrap().code(), None, "the kill came too late");
    world.succeed(&format!("{line} --c"));
    assert!(weights_of_v2(&fold) == whole, "the end differs from that of an uninterrupted run");
    world.succeed(&format!(
        "--plugin {plugin} v2 predict -i nnUNet_raw/Dataset900_Phantom/imagesTs -o predicted -d 900 -c 3d_fullres -tr Mine \
         -p nnUNetPlansSmall -f 0 --device cpu"
    ));
    let files = world.path("predicted").read_dir().unwrap().flatten().map(|file| file.path());
    let mut images: Vec<_> = files.filter(|path| path.to_string_lossy().ends_with(".nii.gz")).collect();
    images.sort();
    assert!(!images.is_empty());
    images
}

#[test]
fn a_head_that_regresses_in_v2() {
    let world = world_of_v2("head = \"Numbers\"\nloss = \"SquaredError\"");
    let images = trains_resumes_and_predicts_in_v2(&world, "regression_head");
    for path in images {
        let image = nnunet_formats::nifti::read(&path).unwrap();
        assert!(image.data.iter().any(|value| value.fract() != 0.0), "{}", path.display());
    }
    let fold = world.path(FOLD_V2);
    assert!(fold.join("checkpoint_best.pth").is_file() && !fold.join("validation/summary.json").exists());
}

#[test]
fn a_head_of_two_tasks_in_v2() {
    let world = world_of_v2("head = \"WithPresence\"\nloss = \"WithPresence\"");
    let images = trains_resumes_and_predicts_in_v2(&world, "multi_task");
    for path in images {
        let image = nnunet_formats::nifti::read(&path).unwrap();
        assert!(image.data.iter().all(|value| [0.0, 1.0, 2.0].contains(value)), "{}", path.display());
    }
    assert!(world.path(FOLD_V2).join("validation/summary.json").is_file());
}

/// A model whose head is in a plugin says so when the plugin is not there.
#[test]
fn a_model_names_the_plugin_of_its_head() {
    let world = world_with("nnUNetTrainerV2", "head = \"Numbers\"\nloss = \"SquaredError\"");
    world.succeed(&line("regression_head", "--disable_validation_inference --set max_num_epochs=1"));
    let predict = world.run(
        "predict -i raw/nnUNet_raw_data/Task900_Phantom/imagesTs -o predicted -t 900 -m 3d_fullres -tr Mine \
         -p nnUNetPlansSmall -f 0",
    );
    let message = "the model was made with plugin regression-head";
    assert!(predict.code == 1 && predict.text.contains(message), "{}", predict.text);
}
