//! Whose a run is: the process that made it, told apart from every other one there was. What a dead process left is removed by
//! the next run, and what a living one has is left alone.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process of a machine since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The kernel's start: processes of another one cannot be seen.
    boot: String,
    /// The namespace of process numbers: those of another one mean something else.
    namespace: String,
    pid: u32,
    /// When it began, in the kernel's ticks: a number is used again.
    began: u64,
}

/// What can be said of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It does not.
    Dead,
    /// It cannot be seen from here.
    Unseen,
}

/// Of a run whose owner cannot be seen from here: for how many seconds nothing of it has been made when it is over.
const SURELY_OVER: u64 = 600;

impl Life {
    /// Whether what an engine holds of such an owner's run may be taken away. `runs` is whether some of its containers run, `made`
    /// when the youngest thing of it was made, if the engine says it, and `now` this moment, both in seconds since 1970.
    pub fn has_left(self, runs: bool, made: Option<u64>, now: u64) -> bool {
        match self {
            Life::Alive => false,
            Life::Dead => true,
            // Another machine's, or of this one before it started anew, or of another container that shares the engine: its
            // inner half ends with its owner.
            Life::Unseen => !runs && made.is_some_and(|made| made + SURELY_OVER < now),
        }
    }
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// A system without `/proc`.
    pub fn this() -> io::Result<Owner> {
        let pid = std::process::id();
        let began = began(pid)?.ok_or_else(|| io::Error::other("this process is not in /proc"))?;
        Ok(Owner { boot: boot()?, namespace: namespace()?, pid, began })
    }

    /// Whether it still runs.
    pub fn life(&self) -> Life {
        let here = |known: io::Result<String>, own: &str| known.is_ok_and(|known| known == own);
        if !here(boot(), &self.boot) || !here(namespace(), &self.namespace) {
            return Life::Unseen;
        }
        match began(self.pid) {
            Ok(Some(began)) if began == self.began => Life::Alive,
            Ok(_) => Life::Dead,
            Err(_) => Life::Unseen,
        }
    }

    /// Whether nobody uses its files on this machine's disk any more: it does not run, or the machine has started anew since.
    /// Of what an engine holds a start says nothing, since other machines may share the engine.
    pub fn has_left_its_files(&self) -> bool {
        self.life() == Life::Dead || boot().is_ok_and(|known| known != self.boot)
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// `pid:[4026531836]`
fn namespace() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned())
}

/// When a process began; none for one that is not, or is a zombie.
///
/// # Errors
/// It cannot be told: with `hidepid` (proc(5)) those of other users are not in /proc, and a signal finds them nevertheless.
fn began(pid: u32) -> io::Result<Option<u64>> {
    began_of(fs::read_to_string(format!("/proc/{pid}/stat")), || {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        pid.map_or(Err(Errno::SRCH), test_kill_process)
    })
}

/// The 22nd field of proc(5)'s stat.
fn began_of(stat: io::Result<String>, signal: impl FnOnce() -> Result<(), Errno>) -> io::Result<Option<u64>> {
    let stat = match stat {
        Ok(stat) => stat,
        Err(error) if error.kind() == io::ErrorKind::NotFound && signal() == Err(Errno::SRCH) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    // The program's name may hold blanks and brackets; what follows the last bracket does not.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let gone = matches!(fields.first(), Some(&("Z" | "X")));
    Ok(fields.get(19).filter(|_| !gone).and_then(|began| began.parse().ok()))
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.boot, self.namespace, self.pid, self.began)
    }
}

impl FromStr for Owner {
    type Err = ();
    fn from_str(written: &str) -> Result<Owner, ()> {
        let [boot, namespace, pid, began] = written.split(' ').collect::<Vec<_>>()[..] else {
            return Err(());
        };
        let (pid, began) = (pid.parse().map_err(drop)?, began.parse().map_err(drop)?);
        Ok(Owner { boot: boot.to_owned(), namespace: namespace.to_owned(), pid, began })
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_alive_until_it_is_not_and_a_number_used_again_is_another() {
        let this = Owner::this().unwrap();
        assert_eq!(this.to_string().parse(), Ok(this.clone()));
        assert_eq!(this.life(), Life::Alive);
        assert_eq!(Owner { began: this.began + 1, ..this.clone() }.life(), Life::Dead);
        assert!(!this.has_left_its_files());
        let before = Owner { boot: "another".into(), ..this.clone() };
        assert_eq!(before.life(), Life::Unseen);
        assert!(before.has_left_its_files());
        let elsewhere = Owner { namespace: "another".into(), ..this.clone() };
        assert_eq!(elsewhere.life(), Life::Unseen);
        assert!(!elsewhere.has_left_its_files());

        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        let owner = Owner { pid, began: began(pid).unwrap().unwrap(), ..this };
        assert_eq!(owner.life(), Life::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner.life(), Life::Dead);
    }

    #[test]
    fn a_process_that_is_hidden_is_not_dead() {
        let hidden = || Err(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(began_of(hidden(), || Err(Errno::SRCH)).unwrap(), None);
        assert!(began_of(hidden(), || Err(Errno::PERM)).is_err());
        assert!(began_of(hidden(), || Ok(())).is_err());
    }

    #[test]
    fn what_an_unseen_owner_left_is_taken_away_once_it_is_old_and_nothing_of_it_runs() {
        let now = 2_000_000_000;
        let old = Some(now - SURELY_OVER - 1);
        assert!(Life::Unseen.has_left(false, old, now));
        assert!(!Life::Unseen.has_left(true, old, now));
        assert!(!Life::Unseen.has_left(false, Some(now - 1), now));
        assert!(!Life::Unseen.has_left(false, None, now));
        assert!(Life::Dead.has_left(true, None, now));
        assert!(!Life::Alive.has_left(false, old, now));
    }

    #[test]
    fn what_is_no_owner_is_refused() {
        for written in ["", "a b c", "a b c d", "a b 1 2 3"] {
            assert_eq!(written.parse::<Owner>(), Err(()), "{written}");
        }
    }
}
