//! A release: one static file that runs on any Linux machine of its kind, an archive of it and the suites, an image of both where
//! a container engine is there to make it, and the SHA-256 of each.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, ensure};

use crate::build;

/// What the image is called, as `export` and the README have it.
const IMAGE: &str = "coexist";
const ARCHIVE: &str = "coexist.tar.gz";
const IMAGE_FILE: &str = "coexist-image.tar";

/// Builds `target/dist/coexist` with the container host in it, `coexist.tar.gz`, which other projects unpack (`docker/run`), the
/// image `coexist` and `coexist-image.tar`, which `docker load` takes, and a `.sha256` beside each.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let triple = build::host_triple()?;
    // The triple is given although it is the host's: otherwise the flag reaches proc macros, which cannot be static.
    let mut command = build::cargo(root);
    command
        .args(["build", "--release", "--features", "docker", "--target", &triple])
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
    let built = build::coexist(&mut command)?;

    // TARGET/TRIPLE/release/coexist
    let target = built.ancestors().nth(3).context("cargo's target folder is not where the binary is")?;
    let dist = target.join("dist");
    fs::create_dir_all(&dist).with_context(|| format!("{} cannot be made", dist.display()))?;
    let file = dist.join("coexist");
    fs::copy(&built, &file).with_context(|| format!("{} cannot be written", file.display()))?;
    archive(root, &dist)?;
    let mut names = vec!["coexist", ARCHIVE];
    match image(root, &file)? {
        Made::Saved => names.push(IMAGE_FILE),
        Made::Not(why) => {
            println!("no image: {why}; later, `docker build -t {IMAGE} -f docker/Dockerfile .` makes it")
        }
    }
    for name in names {
        println!("{}", dist.join(name).display());
        sum(&dist, name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The binary and the suites, below one folder.
fn archive(root: &Path, dist: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["-czf", ARCHIVE, "--transform", "s,^,coexist/,", "coexist", "-C"]).arg(root).arg("suites");
    let ended = tar.current_dir(dist).status();
    ended
        .ok()
        .filter(|ended| ended.success())
        .with_context(|| format!("{ARCHIVE} cannot be written: is there a `tar`?"))?;
    Ok(())
}

/// Whether there is an image.
enum Made {
    /// It is in the engine, and in a file beside the binary.
    Saved,
    /// There is none, and why.
    Not(String),
}

/// Has the engine make the image, and saves it beside the binary. A machine without an engine makes none, and says so.
fn image(root: &Path, binary: &Path) -> anyhow::Result<Made> {
    let answers = Command::new("docker").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !answers.is_ok_and(|ended| ended.success()) {
        return Ok(Made::Not("no container engine answers `docker version`".to_owned()));
    }
    let Ok(within) = binary.strip_prefix(root) else {
        return Ok(Made::Not(format!(
            "{} is outside this tree, which an image is made of",
            binary.display()
        )));
    };
    let argument = format!("BINARY={}", within.display());
    let mut build = Command::new("docker");
    build.args([
        "build",
        "--quiet",
        "--tag",
        IMAGE,
        "--file",
        "docker/Dockerfile",
        "--build-arg",
        &argument,
        ".",
    ]);
    let built = build.current_dir(root).stdout(Stdio::null()).status().context("docker does not start")?;
    ensure!(built.success(), "docker makes no image of docker/Dockerfile: its messages are above");
    let file = binary.with_file_name(IMAGE_FILE);
    let saved = Command::new("docker").args(["save", "--output"]).arg(&file).arg(IMAGE).status();
    ensure!(saved.is_ok_and(|ended| ended.success()), "docker does not save the image to {}", file.display());
    Ok(Made::Saved)
}

/// Writes the SHA-256 of a file beside it, as `sha256sum --check` takes it.
fn sum(dist: &Path, name: &str) -> anyhow::Result<()> {
    let output = Command::new("sha256sum").arg(name).current_dir(dist).output();
    let output = output.context("there is no `sha256sum` on this machine, and a release has checksums")?;
    ensure!(output.status.success(), "sha256sum refuses {name}: {}", String::from_utf8_lossy(&output.stderr));
    let beside = format!("{name}.sha256");
    fs::write(dist.join(&beside), &output.stdout).with_context(|| format!("{beside} cannot be written"))?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
