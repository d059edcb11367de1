//! A release: one static file that runs on any Linux machine of its kind, an archive of it and the suites, and the SHA-256 of
//! each.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::build;

/// Builds `target/dist/coexist` and `coexist.tar.gz`, which other projects unpack (`docker/run`), and a `.sha256` beside each.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let triple = build::host_triple()?;
    // The triple is given although it is the host's: otherwise the flag reaches proc macros, which cannot be static.
    let mut command = build::cargo(root);
    command
        .args(["build", "--release", "--target", &triple])
        .env("RUSTFLAGS", "-C target-feature=+crt-static");
    let built = build::coexist(&mut command)?;

    // TARGET/TRIPLE/release/coexist
    let target = built.ancestors().nth(3).context("cargo's target folder is not where the binary is")?;
    let dist = target.join("dist");
    fs::create_dir_all(&dist).with_context(|| format!("{} cannot be made", dist.display()))?;
    let file = dist.join("coexist");
    fs::copy(&built, &file).with_context(|| format!("{} cannot be written", file.display()))?;
    println!("{}", file.display());

    let archive = Command::new("tar")
        .args(["-czf", "coexist.tar.gz", "--transform", "s,^,coexist/,", "coexist", "-C"])
        .arg(root)
        .arg("suites")
        .current_dir(&dist)
        .status();
    archive
        .ok()
        .filter(|ended| ended.success())
        .context("coexist.tar.gz cannot be written: is there a `tar`?")?;
    println!("{}", dist.join("coexist.tar.gz").display());

    for name in ["coexist", "coexist.tar.gz"] {
        match Command::new("sha256sum").arg(name).current_dir(&dist).output() {
            Ok(output) if output.status.success() => {
                let beside = format!("{name}.sha256");
                fs::write(dist.join(&beside), &output.stdout)
                    .with_context(|| format!("{beside} cannot be written"))?;
                print!("{}", String::from_utf8_lossy(&output.stdout));
            }
            _ => println!("no SHA-256 written: there is no working `sha256sum` on this machine"),
        }
    }
    Ok(ExitCode::SUCCESS)
}
