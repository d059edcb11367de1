//! `coexist bench`: ratios, measured side by side in one run. Figures to read, never a gate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lab::ground::Ground;
use tokio_util::sync::CancellationToken;

pub(super) use held::hold;

use super::say;
use crate::exit::Exit;
use crate::suite::Suite;

mod article;
mod bare;
mod figures;
mod held;
mod lab_start;
mod memory;
mod scale;
mod throughput;

/// The most rounds; more tell nothing new.
const MOST_ROUNDS: usize = 1000;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bench {
    Article,
    LabStart,
    Scale,
    Throughput,
    Held,
}

impl Bench {
    const ALL: [Bench; 5] = [Bench::Article, Bench::LabStart, Bench::Scale, Bench::Throughput, Bench::Held];

    fn name(self) -> &'static str {
        match self {
            Bench::Article => "article",
            Bench::LabStart => "lab-start",
            Bench::Scale => "scale",
            Bench::Throughput => "throughput",
            Bench::Held => "held",
        }
    }
}

/// What every measurement needs.
struct Setting {
    suite: Arc<Suite>,
    ground: Arc<Ground>,
    folder: PathBuf,
    rounds: usize,
    stop: CancellationToken,
}

/// Why a measurement came to nothing.
#[derive(Debug, thiserror::Error)]
enum Unmeasured {
    /// The suite does not hold what is measured.
    #[error(transparent)]
    Suite(#[from] crate::suite::SuiteError),
    /// A lab did not start.
    #[error(transparent)]
    Lab(#[from] lab::LabError),
    /// There was no ground.
    #[error(transparent)]
    Ground(#[from] lab::ground::GroundError),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] lab::pki::PkiError),
    /// A socket.
    #[error("{0}: {1}")]
    Io(&'static str, std::io::Error),
    /// A peer broke off.
    #[error("a bare peer: {0}")]
    Http(#[from] hyper::Error),
    /// What was measured did not do what it must.
    #[error("{0}")]
    Wrong(String),
}

pub(super) fn bench(root: &Path, names: &[String], rounds: usize) -> Exit {
    inner(root, names, rounds).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, names: &[String], rounds: usize) -> Result<Exit, Exit> {
    let chosen = chosen(names)?;
    let sessions = held::sessions(chosen == [Bench::Held]);
    if chosen.contains(&Bench::Held) {
        // Before the ground, on which nobody is an administrator any more. What is missing is told where it is missed.
        memory::raise_descriptors(held::descriptors(sessions, true));
    }
    let ground = Arc::new(say::ground(None)?);
    let suite = Arc::new(say::suite(root)?);
    let folder = say::Folder::make()?;
    let runtime = say::runtime()?;
    runtime.block_on(async {
        let setting = Setting {
            suite,
            ground,
            folder: folder.path().to_owned(),
            rounds: rounds.clamp(1, MOST_ROUNDS),
            stop: say::interrupted(),
        };
        println!("ground {}, {} rounds each", setting.ground.kind(), setting.rounds);
        for bench in chosen {
            let measured = match bench {
                Bench::Article => article::measure(&setting).await,
                Bench::LabStart => lab_start::measure(&setting).await,
                Bench::Scale => scale::measure(&setting).await,
                Bench::Throughput => Box::pin(throughput::measure(&setting)).await,
                Bench::Held => held::measure(&setting, sessions).await,
            };
            match measured {
                _ if setting.stop.is_cancelled() => return Ok(Exit::Interrupted),
                Ok(lines) => println!("\n{}\n{lines}", bench.name()),
                Err(Unmeasured::Wrong(says)) => {
                    say::error(format!("{}: {says}", bench.name()));
                    return Ok(Exit::NotAsExpected);
                }
                Err(error) => {
                    say::error(format!("{}: {error}", bench.name()));
                    return Ok(Exit::Broken);
                }
            }
        }
        Ok(Exit::AsExpected)
    })
}

fn chosen(names: &[String]) -> Result<Vec<Bench>, Exit> {
    if names.is_empty() {
        return Ok(Bench::ALL.to_vec());
    }
    let named = |name: &String| {
        Bench::ALL.into_iter().find(|bench| bench.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Bench::ALL.iter().map(|bench| bench.name()).collect();
            say::error(format!("nothing called `{name}` is measured; there are: {}", known.join(", ")));
            Exit::BadInput
        })
    };
    names.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_that_there_is_not_is_bad_input() {
        assert_eq!(chosen(&["lab-start".to_owned()]), Ok(vec![Bench::LabStart]));
        assert_eq!(chosen(&["speed".to_owned()]), Err(Exit::BadInput));
        assert_eq!(chosen(&[]).map(|all| all.len()), Ok(5));
    }
}
