//! The outer half of a lab in containers that is left running: it has them made, enters the lab where other commands look, and
//! shows what the inner half says.

use std::path::Path;

use docker::{Here, Positions, Wanted};
use tokio_util::sync::CancellationToken;

use super::{Asked, Up, asked, say};
use crate::commands::LAID;
use crate::commands::contained::{
    Seen, absolute, bad_input, binary, bring_their_own, broken, environment, fits, named_or_at,
};
use crate::exit::Exit;
use crate::up::outside::outer::Desk;

pub(super) fn up(root: &Path, options: &Up) -> Result<Exit, Exit> {
    bring_their_own(options.ground)?;
    let lab = asked(root, options)?;
    fits(&lab.subject.0)?;
    let positions = Positions::of([&lab.topology], false);
    positions.fit().map_err(bad_input)?;
    let wanted = Wanted {
        binary: binary("up")?,
        positions,
        arguments: arguments(root, options)?,
        // Whoever is in the source tree is told so.
        env: environment(&["COEXIST_SUITES"]),
        mounts: seen(root, options, &lab)?.mounts(),
    };
    let runtime = say::runtime()?;
    runtime.block_on(async {
        let (entered, stop) = (CancellationToken::new(), say::interrupted());
        let beside = |here, over| desk(here, entered.clone(), over);
        let ended = docker::run(wanted, beside, stop.clone()).await.map_err(broken)?;
        // A lab that was up has come to its usual end, even where its subject had to be killed.
        let usual = entered.is_cancelled() && stop.is_cancelled();
        match Exit::of_code(ended) {
            Exit::Interrupted if usual => Ok(Exit::AsExpected),
            exit => Ok(exit),
        }
    })
}

/// Where the inner half has its lab entered.
fn desk(
    Here { folder, shared }: Here,
    entered: CancellationToken,
    over: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let desk = Desk::open(&shared, &folder);
    async move {
        let served = match desk {
            Ok(desk) => desk.serve(entered, over).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            say::error(format!("the lab cannot be entered in {}: {error}", folder.display()));
        }
    }
}

/// What the inner half is told: the same, with paths that are the same in its container.
fn arguments(root: &Path, options: &Up) -> Result<Vec<String>, Exit> {
    let Up { topology, subject, host: _, ground: _, pings } = options;
    let suites = absolute(root)?.display().to_string();
    let laid = format!("{LAID}{}", docker::LAYOUT);
    let mut words = vec!["up".to_owned(), "--host".to_owned(), laid, "--suites".to_owned(), suites];
    words.extend(["--topology".to_owned(), named_or_at(topology)?]);
    if let Some(subject) = subject {
        words.extend(["--subject".to_owned(), named_or_at(subject)?]);
    }
    words.extend(pings.then(|| "--pings".to_owned()));
    Ok(words)
}

/// What of this machine the inner half sees: the suite, the folders of whoever fills a place, a topology's file.
fn seen(root: &Path, options: &Up, lab: &Asked) -> Result<Seen, Exit> {
    let mut seen = Seen::default();
    seen.read(root)?;
    for (_, folder) in std::iter::once(&lab.subject).chain(&lab.front_end) {
        seen.read(folder)?;
    }
    let topology = Path::new(&options.topology);
    if topology.is_file() {
        seen.read(topology)?;
    }
    Ok(seen)
}
