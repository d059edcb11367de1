//! What can be wrong on purpose: the reference, the lab, or nothing at all, which must show in no case.

use defects::{Defect, Port};
use model::Role;

use crate::findings::fault::{CHECK_FAULTS, CheckFault};
use crate::lab_fault::{LAB_FAULTS, LabFault};

/// One fault that is tried.
pub(super) enum Fault {
    /// A port of the reference lies.
    Defect(Defect),
    /// The lab is another one than its topology says.
    Lab(&'static LabFault),
    /// What `check` found is spoiled.
    Check(&'static CheckFault),
    /// Every port of this role's reference is wrapped, and none lies.
    Identity(Role),
}

/// Everything that is built, in the order of the catalogue. A relay of octets stands within a connection of the reference,
/// whatever its role: where an edge has cases of a rule that it breaks, it is tried there too.
pub(super) fn all(at_edge: impl Fn(&str) -> bool) -> Vec<Fault> {
    let identities = [Role::FrontEnd2013, Role::FrontEnd2010, Role::Edge].map(Fault::Identity);
    let as_edge = |defect: &Defect| {
        let relay = defect.port == Port::Bytes && defect.role != Role::Edge;
        let tried = relay && defect.rules.iter().any(|rule| at_edge(rule));
        tried.then(|| Defect { role: Role::Edge, ..defect.clone() })
    };
    let built = defects::catalogue().into_iter().filter(|defect| defect.built);
    let seats = built.flat_map(|defect| {
        let other = as_edge(&defect);
        [Some(defect), other].into_iter().flatten()
    });
    let defects = seats.map(Fault::Defect);
    let of_check = CHECK_FAULTS.iter().map(Fault::Check);
    identities.into_iter().chain(defects).chain(LAB_FAULTS.iter().map(Fault::Lab)).chain(of_check).collect()
}

impl Fault {
    pub(super) fn id(&self) -> &'static str {
        match self {
            Fault::Defect(defect) => defect.id,
            Fault::Lab(fault) => fault.id,
            Fault::Check(fault) => fault.id,
            Fault::Identity(_) => "identity",
        }
    }

    /// The rules of which one at least must catch it; none for what is no fault.
    pub(super) fn rules(&self) -> &'static [&'static str] {
        match self {
            Fault::Defect(defect) => defect.rules,
            Fault::Lab(fault) => fault.rules,
            Fault::Check(fault) => fault.rules,
            Fault::Identity(_) => &[],
        }
    }

    pub(super) fn is_identity(&self) -> bool {
        matches!(self, Fault::Identity(_))
    }

    pub(super) fn is_of_octets(&self) -> bool {
        matches!(self, Fault::Defect(defect) if defect.port == Port::Bytes)
    }

    /// The kind of harm, as a heading.
    pub(super) fn class(&self) -> String {
        match self {
            Fault::Defect(defect) => format!("{:?}", defect.class).to_lowercase(),
            Fault::Lab(_) => "lab".to_owned(),
            Fault::Check(_) => "check".to_owned(),
            Fault::Identity(_) => "identity".to_owned(),
        }
    }

    /// Where it lies.
    pub(super) fn place(&self) -> String {
        match self {
            Fault::Defect(defect) => match (format!("{:?}", defect.port).to_lowercase(), defect.role) {
                (port, Role::Edge) => format!("{port}, edge"),
                (port, _) => port,
            },
            Fault::Lab(_) => "topology".to_owned(),
            Fault::Check(_) => "findings".to_owned(),
            Fault::Identity(role) => format!("all, {role}"),
        }
    }
}
