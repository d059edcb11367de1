//! Object identifiers of controls, extended operations and matching rules.

/// Paged results (RFC 2696).
pub(super) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// No references to other naming contexts (MS-ADTS, section 3.1.1.3.4.1.2).
pub(super) const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
/// StartTLS (RFC 4511, section 4.14).
pub(super) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// Who am I? (RFC 4532)
pub(super) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// Notice of disconnection (RFC 4511, section 4.4.1).
pub(super) const DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
/// Every bit is set (MS-ADTS, section 3.1.1.3.4.4.1).
pub(super) const BIT_AND: &str = "1.2.840.113556.1.4.803";
/// Any bit is set (MS-ADTS, section 3.1.1.3.4.4.2).
pub(super) const BIT_OR: &str = "1.2.840.113556.1.4.804";
