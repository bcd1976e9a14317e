//! A folder of its own for each test, and the command run in it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A fresh folder in which commands run.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    /// Held while clusters run: two at once would fight for the processors.
    _turn: Option<fs::File>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n-- stdout\n{}\n-- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("quorate-test-").tempdir().unwrap();
        Self { folder, _turn: None }
    }

    /// A folder in which clusters run, one test after the other, whatever runs the tests.
    pub(crate) fn for_clusters() -> Self {
        let turn = fs::File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/turn")).unwrap();
        turn.lock().unwrap();
        Self { _turn: Some(turn), ..Self::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `quorate` to its end.
    pub(crate) fn quorate(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// Runs `quorate` to its end, with a limit on open files that it cannot raise.
    pub(crate) fn quorate_with_open_files(&self, limit: u32, arguments: &[&str]) -> Ended {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {limit} && exec \"$0\" \"$@\""));
        shell.arg(env!("CARGO_BIN_EXE_quorate")).args(arguments);
        Ended::of(shell.current_dir(self.path()).stdin(Stdio::null()).output().unwrap())
    }

    /// Starts `quorate` and leaves it running.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts `quorate`, with what it says on standard error to be read.
    pub(crate) fn start_heard(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// The folder of the last run that ended.
    pub(crate) fn latest(&self) -> PathBuf {
        self.path().join("store/latest").canonicalize().unwrap()
    }

    /// The one history in the store, whether its run has ended or not.
    pub(crate) fn only_history(&self) -> PathBuf {
        let found = self.histories();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    /// Waits until the one run's history has so many lines.
    pub(crate) fn wait_for_events(&self, lines: usize) {
        let patience = Instant::now() + Duration::from_mins(1);
        while Instant::now() < patience {
            let written = self.histories().first().map_or(0, |history| {
                fs::read_to_string(history).map_or(0, |text| text.lines().count())
            });
            if written >= lines {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no {lines} events within a minute");
    }

    fn histories(&self) -> Vec<PathBuf> {
        let runs = list(&self.path().join("store")).into_iter().flat_map(|test| list(&test));
        runs.filter(|run| !run.is_symlink())
            .map(|run| run.join("history.jsonl"))
            .filter(|history| history.is_file())
            .collect()
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    if folder.is_symlink() {
        return Vec::new();
    }
    fs::read_dir(folder).map_or(Vec::new(), |dir| dir.map(|entry| entry.unwrap().path()).collect())
}

/// The command lines of all processes that have a path below `folder` among their arguments or as their
/// working directory.
pub(crate) fn processes_mentioning(folder: &Path) -> Vec<String> {
    let me = std::process::id().to_string();
    let folder = folder.canonicalize().unwrap();
    let mentions = |process: &Path| {
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        let inside = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
        let named = arguments.contains(&*folder.to_string_lossy());
        let alive = !fs::read_to_string(process.join("stat")).unwrap_or_default().contains(") Z ");
        ((inside || named) && alive).then_some(arguments)
    };
    list(Path::new("/proc"))
        .iter()
        .filter(|process| process.file_name().is_some_and(|name| name != &*me))
        .filter_map(|process| mentions(process))
        .collect()
}

/// Presses Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
}
