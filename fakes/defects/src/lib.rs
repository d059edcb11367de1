//! Faults that can be wrapped around the reference's ports
