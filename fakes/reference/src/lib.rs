//! Our own proxy for each role, built from ports, written as a product would be
