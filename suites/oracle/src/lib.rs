//! The rule book as a decision table: predicts the legs of any mailbox in any topology.
//!
//! Literals judge; the oracle must predict every one of them, and then predicts where there are none. So it shares
//! nothing with the fakes and the reference but the nouns of `model`: same site, internet-facing, candidates, fit for
//! silent single sign-on are worked out in `facts`, here. `table` decides, `predict` and `answer` turn a decision into
//! legs.
//!
//! Of servers that do not answer as they should it knows three things: one fault of ActiveSync (X-EAS-3), what takes no
//! requests, out of service or by its health, which `health` works out, and a mail service that is stopped.
//!
//! Absent: RPC over TCP, Outlook Anywhere, and every other fault.

mod answer;
mod columns;
mod facts;
pub mod health;
mod journeys;
mod mail;
mod outcome;
mod predict;
pub mod random;
mod table;

use std::fmt;

pub use columns::{
    Asks, Channel, Conditions, Credentials, CrossSite, Device, Gate, Holds, Outcome, Place, PlainRedirect,
    Reached, Seat, Selection, Service, SingleSignOn, Speaks, Whose,
};
pub use journeys::journeys;
pub use predict::{Prediction, Trouble, predict, predict_under};
pub use table::{Row, Table};

/// What the oracle cannot predict, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpredicted {
    /// In a sentence.
    pub why: String,
}

impl Unpredicted {
    pub(crate) fn new(why: impl Into<String>) -> Unpredicted {
        Unpredicted { why: why.into() }
    }
}

impl fmt::Display for Unpredicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not predicted: {}", self.why)
    }
}

impl std::error::Error for Unpredicted {}
