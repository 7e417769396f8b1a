//! The real binaries as child processes: run to the end, or killed in the middle.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// A userflow binary with a clean environment for settings, run from the repository's root.
pub fn binary(name: &str) -> Command {
    let folder = std::env::var_os("USERFLOW_TEST_BIN")
        .map_or_else(|| root().join("target/release"), PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} does not exist: run `make build` first",
        path.display()
    );
    let mut command = Command::new(path);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("USERFLOW_") {
            command.env_remove(key);
        }
    }
    command.current_dir(root());
    command
}

/// The same command in the build that has fail points (`userflow_lake::failpoint`): it ends the n-th time that it reaches a point.
pub fn dying_at(command: &Command, point: &str, times: u32) -> Command {
    let folder = std::env::var_os("USERFLOW_TEST_FAILPOINT_BIN")
        .map_or_else(|| root().join("target/failpoints"), PathBuf::from);
    let program = Path::new(command.get_program());
    let path = folder.join(program.file_name().unwrap_or_default());
    assert!(
        path.exists(),
        "{} does not exist: `tests/run rust` builds it",
        path.display()
    );
    let mut dying = Command::new(path);
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => dying.env(key, value),
            None => dying.env_remove(key),
        };
    }
    dying
        .args(command.get_args())
        .current_dir(root())
        .env("USERFLOW_TEST_FAILPOINT", format!("{point}:{times}"));
    dying
}

/// Whether a process that was to end at a point did; an error for any other end but a good one.
pub fn died_at(point: &str, status: ExitStatus, log: &str) -> Result<bool> {
    use std::os::unix::process::ExitStatusExt;
    let said = log.lines().any(|line| line == format!("failpoint {point}"));
    match (said, status.signal()) {
        (true, Some(_)) => Ok(true),
        (false, None) if status.success() => Ok(false),
        _ => bail!("{point}: it ended with {status}:\n{log}"),
    }
}

/// Runs to the end and fails with the log when it does not exit 0.
pub fn must(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(output)
}

/// Starts in the background with its log in a file.
pub fn start(command: &mut Command, log: &Path) -> Result<Running> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)?;
    let child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    Ok(Running(child))
}

/// Runs to the end like [`must`], and says the most memory that the process had, in bytes.
///
/// The kernel keeps the peak (`VmHWM`), so only what the very last instant adds can be missed.
pub fn must_with_peak(command: &mut Command) -> Result<(Output, u64)> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let (ended, has_ended) = std::sync::mpsc::channel();
    let peak = std::thread::spawn(move || {
        let mut peak = 0;
        loop {
            // A process that has ended has no such line any more.
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
            if let Some(kib) = kib.and_then(|kib| kib.trim().parse::<u64>().ok()) {
                peak = peak.max(kib * 1024);
            }
            if has_ended.recv_timeout(Duration::from_millis(5)).is_ok() {
                return peak;
            }
        }
    });
    let output = child.wait_with_output()?;
    ended.send(())?;
    let peak = peak
        .join()
        .map_err(|_| anyhow!("the look at its memory panicked"))?;
    if !output.status.success() || peak == 0 {
        bail!(
            "{command:?} ended with {} (peak {peak}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok((output, peak))
}

/// A background process, killed when dropped.
pub struct Running(Child);

impl Running {
    /// SIGKILL, and waits until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Sends a signal such as `STOP`, `CONT` or `TERM`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.0.id().to_string())
            .status()?;
        if !status.success() {
            bail!("kill -{name} {}: {status}", self.0.id());
        }
        Ok(())
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The most memory that it has had at once so far, in bytes; nothing once it has ended.
    pub fn peak_memory(&self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    /// The memory that it has now, in bytes; nothing once it has ended.
    pub fn current_memory(&self) -> Option<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, line: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let kilobytes = status.lines().find_map(|found| found.strip_prefix(line))?;
        let number = kilobytes.trim().strip_suffix(" kB")?;
        Some(number.parse::<u64>().ok()? << 10)
    }

    /// The exit status, once it has ended by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits for the end.
    pub fn wait(mut self, patience: Duration) -> Result<ExitStatus> {
        wait_for("the process to end", patience, || self.ended())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ending twice is no error worth a word.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Polls until a state is reached.
pub fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if started.elapsed() > patience {
            bail!("waited {patience:?} in vain for {what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
