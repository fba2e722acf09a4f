//! `download_pretrained_model` and `download_pretrained_model_by_url`, from a server on the loopback interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::io::Write;

use nnunet_test_support::http::{Server, send};
use nnunet_tests::World;
use zip::write::SimpleFileOptions;

const V1: &str = "3d_fullres/Task004_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1";
const V2: &str = "Dataset004_Hippocampus/nnUNetTrainer__nnUNetPlans__2d";

/// An archive with these files.
fn archive(files: &[String]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for file in files {
        zip.start_file(file, SimpleFileOptions::default()).unwrap();
        zip.write_all(b"content").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The files of a model of v1.
fn v1_files() -> [String; 3] {
    ["fold_0/model_final_checkpoint.model", "fold_0/model_final_checkpoint.model.pkl", "plans.pkl"]
        .map(|name| format!("{V1}/{name}"))
}

/// Serves an archive of v1 and one of v2. The first connection breaks in the middle.
fn server() -> Server {
    let v1 = archive(&v1_files());
    let v2 = archive(&[format!("{V2}/plans.json"), format!("{V2}/fold_0/checkpoint_final.pth")]);
    Server::new(move |request, number, stream| {
        let all = if request.path.contains("v2") { &v2 } else { &v1 };
        let sent = if number == 0 { all.len() / 2 } else { all.len() };
        send(stream, &format!("200 OK\r\nContent-Length: {}", all.len()), &all[..sent]);
    })
}

#[test]
fn models_of_both_versions_are_installed_where_they_belong() {
    let (world, server) = (World::new(), server());
    let v2 = world.path("v2").display().to_string();
    let v2 = [("nnUNet_results", v2.as_str())];
    let refused = world.run(&format!("download_pretrained_model_by_url {}", server.url("v1.zip")));
    assert!(refused.code == 1 && refused.text.contains("--accept_license"), "{}", refused.text);
    assert_eq!(server.requests(), 0, "downloaded before the license was accepted");
    let line = |name: &str| format!("download_pretrained_model_by_url {} --accept-license", server.url(name));
    let text = world.succeed(&line("v1.zip?download=1"));
    assert!(text.contains("may be used as the license of the data allows"), "{text}");
    let installed = world.path("results/nnUNet").join(V1).join("fold_0/model_final_checkpoint.model");
    assert!(installed.is_file() && server.requests() == 2, "{text}");
    let again = world.run(&line("v1.zip"));
    assert!(again.code == 1 && again.text.contains("exist already"), "{}", again.text);
    // What is there already is not downloaded a third and a fourth time.
    assert_eq!(world.run(&line("v1.zip")).code, 1);
    let text = world.succeed(&format!("{} --overwrite", line("v1.zip")));
    assert!(text.contains("is there already") && server.requests() == 3, "{text}");
    assert_eq!(std::fs::read_dir(world.path("cache/nnunet/downloads")).unwrap().count(), 0);
    let outcome = world.run_with(&line("v2.zip"), &v2);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(world.path("v2").join(V2).join("plans.json").is_file(), "{}", outcome.text);
    let unset = world.run(&line("v2.zip"));
    assert!(unset.code == 1 && unset.text.contains("nnUNet_results"), "{}", unset.text);
}

#[test]
fn a_published_model_comes_from_a_mirror_or_from_hand() {
    let (world, server) = (World::new(), server());
    let line = "download_pretrained_model 4 --accept_license";
    let dead = [("HTTPS_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "127.0.0.1")];
    let outcome = world.run_with(line, &dead);
    let place = "nnunet/downloads/Task004_Hippocampus.zip";
    for part in ["zenodo.org", "Without a connection, fetch https://zenodo.org/record/", place] {
        assert!(outcome.code == 1 && outcome.text.contains(part), "{part}: {}", outcome.text);
    }
    let nonsense = world.run("download_pretrained_model_by_url nonsense --accept_license");
    let text = &nonsense.text;
    assert!(nonsense.code == 1 && text.contains("nothing can be downloaded"), "{text}");
    assert!(!text.contains("The next attempt continues"), "{text}");
    let mirrored = world.run_with(&format!("{line} --mirror {}", server.url("mirror/")), &dead);
    assert_eq!(mirrored.code, 0, "{}", mirrored.text);
    let installed = world.path("results/nnUNet").join(V1).join("fold_0");
    std::fs::remove_dir_all(&installed).unwrap();
    std::fs::remove_file(world.path("results/nnUNet").join(V1).join("plans.pkl")).unwrap();
    let by_hand = archive(&v1_files());
    std::fs::write(world.path("cache").join(place), by_hand).unwrap();
    let outcome = world.run_with(line, &dead);
    assert!(outcome.code == 0 && installed.is_dir(), "{}", outcome.text);
}

/// A file in the cache is used by the next call, so what is no archive must not stay there.
#[test]
fn what_is_no_archive_is_not_kept_and_files_put_there_are_checked() {
    let world = World::new();
    let good = archive(&v1_files());
    let sent = good.clone();
    let server = Server::new(move |request, _, stream| {
        let body = if request.path.contains("bad") { &b"no archive"[..] } else { &sent[..] };
        send(stream, &format!("200 OK\r\nContent-Length: {}", body.len()), body);
    });
    let line = |mirror: &str, more: &str| {
        format!("download_pretrained_model 4 --accept_license --mirror {} {more}", server.url(mirror))
    };
    let place = world.path("cache/nnunet/downloads/Task004_Hippocampus.zip");
    let bad = world.run(&line("bad", ""));
    assert!(bad.code == 1 && bad.text.contains("is not a zip archive") && !place.exists(), "{}", bad.text);
    std::fs::write(&place, "no archive either").unwrap();
    let wrong = world.run(&line("good", ""));
    assert!(wrong.code == 1 && wrong.text.contains("remove it to download it"), "{}", wrong.text);
    std::fs::write(&place, &good).unwrap();
    let zeros = "00".repeat(16);
    let wrong = world.run(&line("good", &format!("--checksum md5:{zeros}")));
    assert!(wrong.code == 1 && wrong.text.contains(&format!("should be md5:{zeros}")), "{}", wrong.text);
    assert!(place.is_file() && !world.path("results/nnUNet").exists(), "{}", wrong.text);
    std::fs::remove_file(&place).unwrap();
    world.succeed(&line("good", ""));
}

#[test]
fn a_wrong_checksum_installs_nothing() {
    let (world, server) = (World::new(), server());
    let line = format!(
        "download_pretrained_model_by_url {} --accept_license --checksum md5:900150983cd24fb0d6963f7d28e17f72",
        server.url("v1.zip")
    );
    let outcome = world.run(&line);
    assert!(outcome.code == 1 && outcome.text.contains("the file was deleted"), "{}", outcome.text);
    assert!(!world.path("results/nnUNet").exists());
}
