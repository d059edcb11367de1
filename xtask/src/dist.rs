//! A release: one static file that runs on any Linux machine of its kind, an archive of it and the suites, an image of both where
//! a container engine is there to make it, and the SHA-256 of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::build;

/// What the image is called, as `export` and the README have it.
const IMAGE: &str = "coexist";
const ARCHIVE: &str = "coexist.tar.gz";
const IMAGE_FILE: &str = "coexist-image.tar";

/// What `dist` is told.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    profile: Profile,
    /// The folder that is written; none is `target/dist`.
    output: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
enum Profile {
    /// What is handed out.
    Release,
    /// The very file that a run in containers is made of, which is built already where such a run was.
    Dev,
}

impl Options {
    fn read(words: &[String]) -> anyhow::Result<Options> {
        let mut options = Options { profile: Profile::Release, output: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), words.next().map(String::as_str)),
            };
            match (name, value) {
                ("--profile", Some("release")) => options.profile = Profile::Release,
                ("--profile", Some("dev")) => options.profile = Profile::Dev,
                ("--output", Some(folder)) if !folder.is_empty() => options.output = Some(folder.into()),
                _ => bail!(
                    "`cargo xtask dist` takes `--profile release`, `--profile dev` and `--output DIR`, and was given `{}`",
                    [Some(name), value].into_iter().flatten().collect::<Vec<_>>().join(" ")
                ),
            }
        }
        Ok(options)
    }
}

/// Makes `coexist` with the container host in it, `coexist.tar.gz`, which other projects unpack (`docker/run`), the image
/// `coexist` and `coexist-image.tar`, which `docker load` takes, and a `.sha256` beside each.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::read(arguments)?;
    let built = match options.profile {
        Profile::Release => release(root)?,
        Profile::Dev => build::contained(root)?,
    };
    let dist = match options.output {
        Some(folder) => std::path::absolute(&folder).with_context(|| folder.display().to_string())?,
        // TARGET/dist/coexist, or TARGET/docker/coexist
        None => built.ancestors().nth(2).context(NO_TARGET)?.join("dist"),
    };
    put(&built, &dist)?;
    archive(root, &dist)?;
    let mut names = vec!["coexist", ARCHIVE];
    match image(root, &built, &dist.join(IMAGE_FILE))? {
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

/// What is wrong where a binary's path is too short.
const NO_TARGET: &str = "cargo's target folder is not where the binary is";

/// Builds `target/dist/coexist`, from where an image is made too: all else of `target` is hidden from the engine.
fn release(root: &Path) -> anyhow::Result<PathBuf> {
    let triple = build::host_triple()?;
    // The triple is given although it is the host's: otherwise the flag reaches proc macros, which cannot be static.
    let mut command = build::cargo(root);
    command
        .args(["build", "--release", "--features", "docker", "--target", &triple])
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C strip=symbols");
    let built = build::coexist(&mut command)?;
    // TARGET/TRIPLE/release/coexist
    put(&built, &built.ancestors().nth(3).context(NO_TARGET)?.join("dist"))
}

/// Copies the binary into a folder, which is made.
fn put(binary: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = folder.join("coexist");
    // A copy onto itself would be empty.
    if file.canonicalize().ok() != binary.canonicalize().ok() {
        fs::copy(binary, &file).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(file)
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
    /// It is in the engine, and in a file.
    Saved,
    /// There is none, and why.
    Not(String),
}

/// Has the engine make the image, and saves it in a file. A machine without an engine makes none, and says so.
fn image(root: &Path, binary: &Path, file: &Path) -> anyhow::Result<Made> {
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
    let saved = Command::new("docker").args(["save", "--output"]).arg(file).arg(IMAGE).status();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_either_spelling_and_others_are_refused() {
        let read =
            |line: &str| Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let dev = Options { profile: Profile::Dev, output: Some("out".into()) };
        assert_eq!(read("--profile dev --output out").unwrap(), dev);
        assert_eq!(read("--output=out --profile=dev").unwrap(), dev);
        assert_eq!(read("").unwrap(), Options { profile: Profile::Release, output: None });
        for line in ["--profile", "--profile fast", "--output", "--output=", "out", "--help"] {
            let says = read(line).unwrap_err().to_string();
            assert!(says.ends_with(&format!("was given `{}`", line.replace('=', " "))), "{says}");
        }
    }
}
