//! The faults that can be wrapped around the reference's ports. The reference cannot know them: each is a value that
//! exchanges what stands behind one port, and says so wherever it really lies.

mod backs;
pub mod catalogue;
mod choices;
mod clock;
mod decisions;
mod discoveries;
mod fired;
mod fronts;
mod identity;
mod lanes;
mod octets;
mod orders;
mod pulses;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use model::Role;
use reference::ports::Ports;

pub use catalogue::catalogue;
pub use fired::Fired;
pub use identity::identity;

/// One deliberate fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// Its name, `redirects-bare`.
    pub id: &'static str,
    /// What the broken proxy does.
    pub title: &'static str,
    /// The rules of which one at least must fail.
    pub rules: &'static [&'static str],
    /// What kind of harm it does.
    pub class: Class,
    /// The port that it wraps.
    pub port: Port,
    /// The seat in which it is run.
    pub role: Role,
    /// Whether it exists, or is a row of the catalogue only.
    pub built: bool,
}

/// A kind of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// To the wrong server.
    Routing,
    /// By the wrong kind of redirect.
    Redirect,
    /// Bytes, heads or connections spoiled.
    Transport,
    /// To whoever must not.
    Security,
    /// Servers taken for up or down wrongly.
    Health,
}

/// A port of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Whose mailbox, where.
    Discover,
    /// What happens.
    Decide,
    /// Which of several servers.
    Choose,
    /// Which mail targets, in which order.
    Order,
    /// Whom to ask for health, and what the answer means.
    Pulse,
    /// Which connection behind.
    Lane,
    /// Towards the client.
    Front,
    /// Towards servers.
    Back,
    /// The octets of a connection: a relay, no port of the reference.
    Bytes,
}

/// A defect as the reference is started with it; `None` for one that is not built.
pub fn spoiler(id: &str, fired: Fired) -> Option<reference::Spoil> {
    let built = id == "identity" || catalogue().iter().any(|defect| defect.id == id && defect.built);
    let id = id.to_owned();
    built.then(|| -> reference::Spoil {
        Box::new(move |ports| spoil(&id, ports.clone(), fired).unwrap_or(ports))
    })
}

/// Every defect that is built.
pub(crate) fn built() -> impl Iterator<Item = &'static str> {
    decisions::ids()
        .chain(discoveries::ids())
        .chain(fronts::ids())
        .chain(backs::ids())
        .chain(octets::ids())
        .chain(lanes::ids())
        .chain(choices::ids())
        .chain(pulses::ids())
        .chain(orders::ids())
}

/// Whether a defect is more than a row of the catalogue.
pub(crate) fn is_built(id: &str) -> bool {
    built().any(|known| known == id)
}

/// Wraps one port so that it lies as the defect of this id does; `identity` wraps every port and changes nothing.
/// `None` for a defect that is not built.
pub fn spoil(id: &str, ports: Ports, fired: Fired) -> Option<Ports> {
    if id == "identity" {
        return Some(identity(ports));
    }
    if let Some((id, lie)) = decisions::lie(id) {
        let decide = Arc::new(decisions::Spoiled { id, lie, truth: ports.decide.clone(), fired });
        return Some(Ports { decide, ..ports });
    }
    if let Some(front) = fronts::spoil(id, &ports, &fired) {
        return Some(Ports { front, ..ports });
    }
    if let Some((id, lie)) = backs::lie(id) {
        let back = Arc::new(backs::Spoiled::new(id, lie, ports.back.clone(), fired));
        return Some(Ports { back, ..ports });
    }
    if let Some(lane) = lanes::spoil(id, &ports, &fired) {
        return Some(Ports { lane, ..ports });
    }
    if let Some(choose) = choices::spoil(id, &ports, &fired) {
        return Some(Ports { choose, ..ports });
    }
    if let Some((id, lie)) = pulses::lie(id) {
        let pulse = Arc::new(pulses::Spoiled { id, lie, truth: ports.pulse.clone(), fired });
        return Some(Ports { pulse, ..ports });
    }
    if let Some(order) = orders::spoil(id, &ports, &fired) {
        return Some(Ports { order, ..ports });
    }
    if let Some(bytes) = octets::spoil(id, &ports, &fired) {
        return Some(Ports { bytes, ..ports });
    }
    let (id, lie) = discoveries::lie(id)?;
    let discover = Arc::new(discoveries::Spoiled::new(id, lie, ports.discover.clone(), fired));
    Some(Ports { discover, ..ports })
}
