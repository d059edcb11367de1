//! oab
