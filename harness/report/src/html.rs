//! What a report page needs to know beside the verdicts.

/// What a case left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its folder, relative to the report.
    pub folder: String,
    /// The files in it.
    pub files: Vec<String>,
    /// The DNS queries of its time, a sentence each.
    pub dns: Vec<String>,
}
