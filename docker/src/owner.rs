//! Whose a run is: the process that made it, told apart from every other one there was. What a dead process left is removed by
//! the next run, and what a living one has is left alone.

use std::fmt;
use std::fs;
use std::io;
use std::str::FromStr;

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

/// The 22nd field of proc(5)'s stat; none for a process that is not, or is a zombie.
fn began(pid: u32) -> io::Result<Option<u64>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
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
        assert_eq!(Owner { boot: "another".into(), ..this.clone() }.life(), Life::Unseen);

        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        let owner = Owner { pid, began: began(pid).unwrap().unwrap(), ..this };
        assert_eq!(owner.life(), Life::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(owner.life(), Life::Dead);
    }

    #[test]
    fn what_is_no_owner_is_refused() {
        for written in ["", "a b c", "a b c d", "a b 1 2 3"] {
            assert_eq!(written.parse::<Owner>(), Err(()), "{written}");
        }
    }
}
