//! The containers that cases need: one for each position of every lab.

use docker::Positions;
use model::case::{Case, Steering};

use super::say;
use crate::exit::Exit;
use crate::suite::Suite;

/// One container for each position of every lab that these cases need.
pub(super) fn of(suite: &Suite, cases: &[&Case]) -> Result<Positions, Exit> {
    let played = cases.iter().filter(|case| case.finds.is_none());
    let topologies: Result<Vec<_>, _> = played.map(|case| suite.topology_of(case)).collect();
    let topologies = topologies.map_err(|error| say::suite_error(&error))?;
    let moves = |case: &&Case| {
        let done = case.steps.iter().flat_map(|step| &step.before);
        done.filter_map(Steering::moves_address).next().is_some()
    };
    Ok(Positions::of(topologies.iter().map(|topology| &**topology), cases.iter().any(moves)))
}
