//! What an import has to say beside its topology: what was missing, left out, doubtful, assumed.

use std::fmt;

/// How an import came to say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// No export says it: the output of a cmdlet, or a value, is not there.
    Missing,
    /// An export says it, and a topology cannot.
    LeftOut,
    /// An export says it in a way that may not be what Exchange has.
    Doubtful,
    /// Nobody says it, and it had to be something.
    Assumed,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Missing => "missing",
            Kind::LeftOut => "left out",
            Kind::Doubtful => "doubtful",
            Kind::Assumed => "assumed",
        })
    }
}

/// One thing to know about an import; printed, it is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How it came to be said.
    pub kind: Kind,
    /// `FILE:LINE`, the cmdlet, the server: whatever it is about.
    pub at: String,
    /// In a sentence.
    pub says: String,
}

impl Note {
    pub(crate) fn new(kind: Kind, at: impl fmt::Display, says: impl Into<String>) -> Note {
        Note { kind, at: at.to_string(), says: says.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<8} {}: {}", self.kind, self.at, self.says)
    }
}
