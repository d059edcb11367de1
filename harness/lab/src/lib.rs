//! Brings a topology up and takes it down: ground, DNS, certificates, servers, the seat.

pub mod clock;
pub mod dns;
pub mod ground;
pub mod pki;
pub mod seat;

/// A folder of a test's own, which the test removes.
#[cfg(test)]
pub(crate) fn tests_folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("coexist-lab-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files takes a new one");
    folder
}
