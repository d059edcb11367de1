//! pox
