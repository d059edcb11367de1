//! A folder of a test's own, and `coexist` run in it: one verb drives, one function checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::clock::{self, LIMIT};

/// How a run of `coexist` ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Ended {
    /// It ended so, and said all of this.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, says: &[&str]) -> &Ended {
        assert_eq!(self.code, Some(code), "{self}");
        for words in says {
            assert!(self.out.contains(words) || self.err.contains(words), "it never says `{words}`\n{self}");
        }
        self
    }

    /// It said none of this.
    #[track_caller]
    pub(crate) fn check_never(&self, says: &[&str]) -> &Ended {
        for words in says {
            assert!(!self.out.contains(words) && !self.err.contains(words), "it says `{words}`\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ended { code, out, err } = self;
        write!(f, "ended with {code:?}\n--- stdout\n{out}\n--- stderr\n{err}")
    }
}

/// The folder of a test: `tmp` for the binary's own files, and whatever the test puts there.
pub(crate) struct Scratch {
    folder: PathBuf,
    suites: PathBuf,
    env: Vec<(&'static str, String)>,
    /// How many times `coexist` was started in it: each has files of its own for what it says.
    started: AtomicU32,
}

/// Runs `coexist` with the suites of this tree.
pub(crate) fn run(args: &[&str]) -> Ended {
    Scratch::new().run(args)
}

impl Scratch {
    /// With the suites of this tree.
    pub(crate) fn new() -> Scratch {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // The closing dash, so that no scratch folder's name begins another's: it is looked for in command lines.
        let name = format!("coexist-cli-{}-{number}-", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("tmp")).unwrap();
        Scratch {
            folder,
            suites: Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
            env: vec![],
            started: AtomicU32::new(0),
        }
    }

    /// With a copy of the suites that may be made wrong: every topology and subject, and these cases alone.
    pub(crate) fn with_cases(cases: &[&str]) -> Scratch {
        let mut scratch = Scratch::new();
        let copy = scratch.folder.join("suites");
        let cases: Vec<String> = cases.iter().map(|id| format!("cases/{id}.toml")).collect();
        let files = ["topologies", "subjects"].iter().flat_map(|folder| {
            let entries = fs::read_dir(scratch.suites.join(folder)).unwrap();
            let path = move |entry: fs::DirEntry| format!("{folder}/{}", entry.file_name().display());
            entries.map(move |entry| path(entry.unwrap())).filter(|path| path.ends_with(".toml"))
        });
        for path in files.chain(cases).chain(["rules.toml".to_owned()]) {
            let to = copy.join(&path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(scratch.suites.join(&path), to).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        fs::write(copy.join("floor"), "1\n").unwrap();
        scratch.suites = copy;
        scratch
    }

    /// With a copy of the suites that holds every topology of findings, and one other case.
    pub(crate) fn with_findings() -> Scratch {
        let scratch = Scratch::with_cases(&["coexistence/owa/red"]);
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies/findings");
        let copy = scratch.suites.join("topologies/findings");
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(own).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, copy.join(from.file_name().unwrap())).unwrap();
        }
        scratch
    }

    /// With the suites in this folder from now on.
    pub(crate) fn with_suites(mut self, folder: &str) -> Scratch {
        self.suites = PathBuf::from(folder);
        self
    }

    /// With a variable that `coexist` finds in its environment.
    pub(crate) fn with_env(mut self, name: &'static str, value: &str) -> Scratch {
        self.env.push((name, value.to_owned()));
        self
    }

    /// A path in the folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The suites' folder.
    pub(crate) fn suites(&self) -> String {
        self.suites.display().to_string()
    }

    /// Writes a file into the folder; gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.folder.join(name), text).unwrap();
        self.path(name)
    }

    /// Replaces the first of such words in a file of the copied suites; empty words stand for the end of the file.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.suites.join(file);
        assert!(path.starts_with(&self.folder), "only a copy is edited");
        let text = fs::read_to_string(&path).unwrap();
        let changed = match from {
            "" => format!("{text}\n{to}\n"),
            from => text.replacen(from, to, 1),
        };
        assert_ne!(text, changed, "{file} has no `{from}`");
        fs::write(path, changed).unwrap();
    }

    /// Runs `coexist` to its end. It leaves nothing behind, however it ends.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        let ended = self.start(args).ended();
        self.check_clean();
        ended
    }

    /// Runs `coexist` to its end, with standard output a pipe whose other end is closed.
    pub(crate) fn run_unread(&self, args: &[&str]) -> Ended {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = self.start_into(args, Some(writer.into())).ended();
        self.check_clean();
        ended
    }

    /// Starts `coexist`.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        self.start_into(args, None)
    }

    fn start_into(&self, args: &[&str], stdout: Option<Stdio>) -> Started {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_coexist"));
        command.arg("--suites").arg(&self.suites).args(args).current_dir(&self.folder);
        command
            .env("TMPDIR", self.folder.join("tmp"))
            .env_remove("COEXIST_SUITES")
            .env("COEXIST_CALLED", "cargo xtask");
        // What a workflow of GitHub's sets is for the runs that it means.
        for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"] {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        // Files and no pipes: what a process that is left over holds open would keep us waiting.
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["stdout", "stderr"].map(|name| self.folder.join(format!("{name}-{number}")));
        let file = |path: &Path| Stdio::from(fs::File::create(path).unwrap());
        let stdout = stdout.unwrap_or_else(|| file(&out));
        command.stdin(Stdio::null()).stdout(stdout).stderr(file(&err)).kill_on_drop(true);
        let child = runtime.block_on(async { command.spawn().unwrap() });
        Started { runtime, child, out, err, what: format!("coexist {}", args.join(" ")) }
    }

    /// No process names this folder any more, and no lab has left a folder.
    #[track_caller]
    pub(crate) fn check_clean(&self) {
        assert_eq!(self.processes(), [] as [String; 0], "processes are left");
        let left: Vec<_> =
            fs::read_dir(self.folder.join("tmp")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(left, [] as [PathBuf; 0], "temporary files are left");
    }

    /// Waits until nothing of it is left, neither a process nor a file: what a killed run leaves goes by itself, a moment later.
    pub(crate) fn wait_until_clean(&self) {
        self.wait_until_no_process_is_left();
        let left = || fs::read_dir(self.folder.join("tmp")).unwrap().count();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(clock::until("no file is left", || left() == 0));
    }

    /// Waits until no process names this folder: what a killed run leaves ends by itself, a moment later.
    pub(crate) fn wait_until_no_process_is_left(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(clock::until("no process is left", || self.processes().is_empty()));
    }

    /// Whether a lab of the running `coexist` has told its subject of itself.
    pub(crate) fn lab_is_up(&self) -> bool {
        self.lab_holds("lab.json")
    }

    /// Whether a lab of the running `coexist` has a file of this name.
    pub(crate) fn lab_holds(&self, name: &str) -> bool {
        let folders = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|e| e.path());
        folders(&self.folder.join("tmp")).any(|run| folders(&run).any(|lab| lab.join(name).is_file()))
    }

    /// The command lines of processes that work below `tmp`, as /proc has them: none where there is no /proc.
    pub(crate) fn processes(&self) -> Vec<String> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = entries.filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
        lines.filter(|line| line.contains(&self.path("tmp"))).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans temporary files.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// `coexist` while it runs.
pub(crate) struct Started {
    runtime: tokio::runtime::Runtime,
    child: Child,
    out: PathBuf,
    err: PathBuf,
    what: String,
}

impl Started {
    /// Waits until something is so.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        self.runtime.block_on(clock::until(what, is_so));
    }

    /// Waits until it has said these words; one that ends without them has failed.
    #[track_caller]
    pub(crate) fn wait_until_it_says(&mut self, words: &str) {
        let Started { runtime, child, out, err, what } = self;
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let says = async {
            tokio::select! {
                () = clock::until(words, || read(out).contains(words)) => None,
                status = child.wait() => Some(status.unwrap().code()),
            }
        };
        if let Some(code) = runtime.block_on(says) {
            panic!("{what} never says `{words}`\n{}", Ended { code, out: read(out), err: read(err) });
        }
    }

    /// What it has said so far on standard output.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// Does something beside it.
    pub(crate) fn beside<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap()));
        kill_process(pid.expect("it still runs"), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(self) -> Ended {
        self.ended_within(LIMIT)
    }

    /// Waits for its end, no longer than this.
    pub(crate) fn ended_within(self, limit: Duration) -> Ended {
        let Started { runtime, mut child, out, err, what } = self;
        let status = runtime.block_on(clock::within(limit, &what, child.wait())).unwrap();
        // There is no text of what went into a pipe.
        let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        Ended { code: status.code(), out: text(&out), err: text(&err) }
    }
}

/// A subject file of the 2013 seat that claims OWA, with this command (a TOML list) and more lines of `[run]` or below.
pub(crate) fn subject(command: &str, more: &str) -> String {
    format!(
        "contract = 1\nname = \"stub\"\nrole = \"front-end-2013\"\nfeatures = [\"owa\", \"silent-redirect\"]\n\n[run]\n\
         command = {command}\nready = {{ tcp = \"https\", within = \"10s\" }}\n\
         stop = {{ signal = \"TERM\", within = \"1s\" }}\n{more}\n"
    )
}

/// The command of the reference, sound or with this defect.
pub(crate) fn reference(defect: Option<&str>) -> String {
    let sound =
        "\"{coexist}\", \"reference\", \"--role\", \"front-end-2013\", \"--lab\", \"{work}/lab.json\"";
    match defect {
        None => format!("[{sound}]"),
        Some(id) => format!("[{sound}, \"--defect\", \"{id}\", \"--fired\", \"{{work}}/fired\"]"),
    }
}
