//! What can be wrong on purpose: the reference, the lab, or nothing at all, which must show in no case.

use defects::{Class, Defect, Port};
use model::Role;

use crate::findings::fault::{CHECK_FAULTS, CheckFault};
use crate::lab_fault::{LAB_FAULTS, LabFault};

/// The rules whose cases run against the time that the subject declares for a session.
const OWA_TIMEOUT: [&str; 2] = ["CX-OWA-7", "CX-OWA-9"];

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

/// Beside whom a fault is tried, in the order of trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Company {
    /// What must show in no case has the machine to itself: in some of them a time runs that a subject declares.
    Nobody,
    /// What spoils such a time is tried beside its like: on a machine that is too slow for it nothing can be told.
    FewWhoWait,
    /// Everything else.
    All,
}

/// Everything that is built, in the order of the catalogue. A relay of octets stands within a connection of the reference,
/// whatever its role, and every front end chooses among servers: such a fault is tried in another seat too, where `has_case` of a rule
/// that it breaks there.
pub(super) fn all(has_case: impl Fn(Role, &str) -> bool) -> Vec<Fault> {
    let identities = [Role::FrontEnd2013, Role::FrontEnd2010, Role::Edge].map(Fault::Identity);
    let elsewhere = |defect: &Defect| {
        let role = match (defect.port, defect.role) {
            (Port::Bytes, Role::FrontEnd2013 | Role::FrontEnd2010) => Role::Edge,
            (Port::Choose, Role::FrontEnd2013) => Role::FrontEnd2010,
            _ => return None,
        };
        let tried = defect.rules.iter().any(|rule| has_case(role, rule));
        tried.then(|| Defect { role, ..defect.clone() })
    };
    let built = defects::catalogue().into_iter().filter(|defect| defect.built);
    let seats = built.flat_map(|defect| {
        let other = elsewhere(&defect);
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

    pub(super) fn company(&self) -> Company {
        match self {
            Fault::Identity(_) => Company::Nobody,
            fault if fault.rules().iter().any(|rule| OWA_TIMEOUT.contains(rule)) => Company::FewWhoWait,
            _ => Company::All,
        }
    }

    /// Whether its cases mostly wait: for octets that are held back until a client gives up, or for rounds of health.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Fault::Defect(defect) if defect.port == Port::Bytes || defect.class == Class::Health)
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
            Fault::Defect(defect) => {
                format!("{}, {}", format!("{:?}", defect.port).to_lowercase(), defect.role)
            }
            Fault::Lab(_) => "topology".to_owned(),
            Fault::Check(_) => "findings".to_owned(),
            Fault::Identity(role) => format!("all, {role}"),
        }
    }
}
