//! Rows of the rule book, decided over small topologies.
