//! What a process has: memory, and files that it may open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The memory of a process that is resident, in bytes; of this one where none is named. Linux alone says so.
pub(super) fn resident(pid: Option<u32>) -> Option<u64> {
    let whose = pid.map_or("self".to_owned(), |pid| pid.to_string());
    let status = std::fs::read_to_string(format!("/proc/{whose}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Lets this process, and those that it starts, have as many files open; says how many it may. Beyond the hard limit only an
/// administrator can go.
pub(super) fn raise_descriptors(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let may = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    if may(limit.current) >= wanted {
        return may(limit.current);
    }
    let hard = may(limit.maximum).max(wanted);
    for (current, maximum) in [(wanted, hard), (may(limit.maximum).min(wanted), may(limit.maximum))] {
        let maximum = (maximum != u64::MAX).then_some(maximum);
        if setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).is_ok() {
            return current;
        }
    }
    may(limit.current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_somewhere_in_memory_and_no_process_nowhere() {
        assert!(resident(None).unwrap() > 64 * 1024);
        assert_eq!(resident(Some(u32::MAX)), None);
    }

    #[test]
    fn what_is_allowed_already_is_not_changed() {
        let before = getrlimit(Resource::Nofile);
        assert!(raise_descriptors(1) >= 1);
        assert_eq!(getrlimit(Resource::Nofile), before);
    }
}
