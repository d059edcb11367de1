//! autodiscover
