//! Files on a file system in memory: `sealward file` against a plain copier, `age` and `cp`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sealward_tests::process::succeeds;
use sealward_tests::workspace;
use tempfile::TempDir;

use crate::Effort;
use crate::daemon::peak_memory;
use crate::stats::Spread;
use crate::table::{Row, Table, Verdict};
use crate::testbed::{KEY, Testbed};

/// A file system in memory.
const MEMORY: &str = "/dev/shm";
const MIB: usize = 1024 * 1024;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

/// Measures encryption or decryption of a file.
pub(crate) fn measure(
    bed: &Testbed,
    effort: Effort,
    direction: Direction,
    table: &mut Table,
) -> Result<()> {
    let files = Files::new(bed, effort.file_mib)?;
    let (verb, input) = match direction {
        Direction::Encrypt => ("encrypt", files.path("plain")),
        Direction::Decrypt => ("decrypt", files.path("sealed")),
    };
    let this = std::env::current_exe().context("where this program is")?;
    let out = files.path("out");
    let plain = |program: &[&str]| -> Vec<OsString> {
        let words = program.iter().map(OsString::from);
        words
            .chain([input.clone().into(), out.clone().into()])
            .collect()
    };
    let copier = [vec![this.into()], plain(&["copy"])].concat();
    let mut contenders = vec![
        Contender::new(files.ours(direction, &input, &out)),
        Contender::new(copier),
        Contender::new(plain(&["cp"])),
    ];
    match files.age(direction) {
        Ok(command) => contenders.push(Contender::new(command)),
        Err(error) => table.leave_out(
            format!("file {verb} against age"),
            format!("{error:#}; install it (Debian's package age)"),
        ),
    }
    for contender in &mut contenders {
        contender.peak = files.run_watched(&contender.command)?;
        fs::remove_file(&out).context("no output")?;
    }
    for _ in 0..effort.runs {
        for contender in &mut contenders {
            let started = Instant::now();
            files.run(&contender.command)?;
            contender.seconds.push(started.elapsed().as_secs_f64());
            fs::remove_file(&out).context("no output")?;
        }
    }
    report(verb, effort.file_mib, &contenders, table);
    Ok(())
}

/// A program that makes a file out of a file.
#[derive(Debug)]
struct Contender {
    command: Vec<OsString>,
    seconds: Vec<f64>,
    /// Its peak memory in bytes.
    peak: u64,
}

impl Contender {
    fn new(command: Vec<OsString>) -> Self {
        Self {
            command,
            seconds: Vec::new(),
            peak: 0,
        }
    }

    fn shown(&self) -> String {
        let seconds = Spread::of(self.seconds.iter().copied()).median;
        format!("{seconds:.3} s")
    }
}

fn report(verb: &str, mib: usize, contenders: &[Contender], table: &mut Table) {
    let [ours, copier, cp, age @ ..] = contenders else {
        return;
    };
    let size = if mib.is_multiple_of(1024) {
        format!("{} GiB", mib / 1024)
    } else {
        format!("{mib} MiB")
    };
    let mut add = |against: &str, other: &Contender, ratio: Spread, verdict: Verdict| {
        table.add(Row {
            what: format!("file {verb} of {size}, {against}"),
            ours: ours.shown(),
            other: other.shown(),
            ratio: Some(ratio),
            verdict,
        });
    };
    let ratio = Spread::of_ratios(&ours.seconds, &copier.seconds);
    let verdict = Verdict::at_most(1.3, " ×", ratio.median);
    add("time against a two-thread copier", copier, ratio, verdict);
    for age in age {
        let ratio = Spread::of_ratios(&age.seconds, &ours.seconds);
        let verdict = Verdict::at_least(1.7, " ×", ratio.median);
        add("times as fast as age", age, ratio, verdict);
    }
    let ratio = Spread::of_ratios(&ours.seconds, &cp.seconds);
    add("time against cp", cp, ratio, Verdict::Information);
    let shown = |bytes: u64| format!("{:.1} MiB", to_mib(bytes));
    table.add(Row {
        what: "  peak memory".to_owned(),
        ours: shown(ours.peak),
        other: shown(copier.peak),
        ratio: None,
        verdict: Verdict::at_most(16.0, " MiB", to_mib(ours.peak)),
    });
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn to_mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

/// The files, and what is needed to run programs on them.
struct Files {
    folder: TempDir,
    sealward: PathBuf,
    environment: [(&'static str, OsString); 2],
    /// Why there is no age, if there is none.
    age: Result<(), String>,
}

impl Files {
    /// Makes a plain file, encrypts it with ours and with age, and makes sure that each decrypts to the same again.
    fn new(bed: &Testbed, mib: usize) -> Result<Self> {
        let mut files = Self {
            folder: TempDir::with_prefix_in("sealward-bench-", MEMORY)
                .with_context(|| format!("cannot make a folder in {MEMORY}"))?,
            sealward: workspace::program("sealward", "sealward")?,
            environment: bed.environment(),
            age: Ok(()),
        };
        let room = rustix::fs::statvfs(files.folder.path())?;
        // Plain, sealed by each, and one output.
        let needed = 4 * mib * MIB + 64 * MIB;
        ensure!(
            room.f_bavail * room.f_frsize >= needed as u64,
            "{MEMORY} has less than {} MiB of room",
            needed / MIB
        );
        let (plain, sealed, out) = (files.path("plain"), files.path("sealed"), files.path("out"));
        write_random(&plain, mib).with_context(|| format!("cannot write {}", plain.display()))?;
        files.run(&files.ours(Direction::Encrypt, &plain, &sealed))?;
        files.run(&files.ours(Direction::Decrypt, &sealed, &out))?;
        files.verify_output("sealward")?;
        files.age = files.prepare_age().map_err(|error| format!("{error:#}"));
        if files.age.is_ok() {
            files.run(&files.age(Direction::Encrypt)?)?;
            fs::rename(files.path("out"), files.path("aged"))?;
            files.run(&files.age(Direction::Decrypt)?)?;
            files.verify_output("age")?;
        }
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ours(&self, direction: Direction, input: &Path, output: &Path) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.sealward.clone().into(), "file".into()];
        match direction {
            Direction::Encrypt => command.extend(["encrypt", "--key", KEY].map(OsString::from)),
            Direction::Decrypt => command.push("decrypt".into()),
        }
        command.extend([input.into(), output.into()]);
        command
    }

    /// From `plain` to `out`, or from `aged` to `out`.
    fn age(&self, direction: Direction) -> Result<Vec<OsString>> {
        if let Err(error) = &self.age {
            anyhow::bail!("{error}");
        }
        let (input, identity) = (self.path("plain"), self.path("identity"));
        let mut command: Vec<OsString> = vec!["age".into(), "-i".into(), identity.into()];
        match direction {
            Direction::Encrypt => command.extend(["-e".into(), "-o".into()]),
            Direction::Decrypt => command.extend(["-d".into(), "-o".into()]),
        }
        command.push(self.path("out").into());
        command.push(match direction {
            Direction::Encrypt => input.into(),
            Direction::Decrypt => self.path("aged").into(),
        });
        Ok(command)
    }

    fn prepare_age(&self) -> Result<()> {
        let identity = self.path("identity");
        succeeds(Command::new("age-keygen").arg("-o").arg(identity)).map(drop)
    }

    fn command(&self, words: &[OsString]) -> Command {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .envs(self.environment.clone())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[OsString]) -> Result<()> {
        // Captured, not shown: a progress bar must not be part of what is measured.
        succeeds(&mut self.command(words)).map(drop)
    }

    /// Runs a command and gives its peak memory in bytes. Watching costs time: nothing else is measured meanwhile.
    fn run_watched(&self, words: &[OsString]) -> Result<u64> {
        let mut command = self.command(words);
        let mut child = command.stderr(Stdio::null()).spawn()?;
        let mut peak = 0;
        // `ru_maxrss` would count this program's own memory, before exec. The last look may miss the end by a
        // millisecond, in which nothing is left but to exit.
        while child.try_wait()?.is_none() {
            peak = peak_memory(child.id()).map_or(peak, |now| now.max(peak));
            thread::sleep(Duration::from_millis(1));
        }
        ensure!(child.wait()?.success(), "{} failed", words[0].display());
        Ok(peak)
    }

    /// Makes sure that `out` is as `plain`, and removes it.
    fn verify_output(&self, program: &str) -> Result<()> {
        let (mut plain, mut out) = (
            File::open(self.path("plain"))?,
            File::open(self.path("out"))?,
        );
        ensure!(
            plain.metadata()?.len() == out.metadata()?.len(),
            "{program} gave a file of another length"
        );
        let (mut expected, mut found) = (vec![0; MIB], vec![0; MIB]);
        loop {
            let count = plain.read(&mut expected)?;
            out.read_exact(&mut found[..count])?;
            ensure!(
                expected[..count] == found[..count],
                "{program} gave another file"
            );
            if count == 0 {
                break;
            }
        }
        fs::remove_file(self.path("out")).context("cannot remove a file")
    }
}

fn write_random(path: &Path, mib: usize) -> Result<()> {
    let mut file = File::create_new(path)?;
    let mut block = vec![0; MIB];
    for _ in 0..mib {
        getrandom::fill(&mut block)?;
        file.write_all(&block)?;
    }
    Ok(())
}
