//! The rule book as a decision table: predicts the legs of any mailbox in any topology
