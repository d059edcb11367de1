//! Brings a topology up and takes it down: ground, DNS, certificates, servers, the seat
