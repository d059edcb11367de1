//! What IIS and ASP.NET write around every answer.

/// A reason phrase other than the status code's own, carried as an extension of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(pub String);
