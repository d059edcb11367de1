//! A finding: what `check` says of a file, as an error or a warning, with the rule and the place.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// By the rules some client does not get what it should.
    Error,
    /// It may be meant so.
    Warning,
}

/// One thing that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) level: Level,
    /// The rule that says so; where no rule does, `-`.
    pub(super) rule: &'static str,
    /// The server, virtual directory, namespace or field: `cas2010-s3/outlook-anywhere`.
    pub(super) at: String,
    /// In a sentence.
    pub(super) says: String,
}

impl Finding {
    pub(super) fn error(rule: &'static str, at: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding { level: Level::Error, rule, at: at.into(), says: says.into() }
    }

    pub(super) fn warning(rule: &'static str, at: impl Into<String>, says: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, rule, at: at.into(), says: says.into() }
    }

    /// As it is printed: `error TOP-3 coexistence cas2010-s3/outlook-anywhere: …`.
    pub(super) fn line(&self, file: &str) -> String {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        format!("{level:<7} {:<11} {file} {}: {}", self.rule, self.at, self.says)
    }
}
