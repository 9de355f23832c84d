//! Enveloped files with the real program: sizes, damage, signals, memory, terminals.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Dev, ONE_KEY, PATIENCE, Running, is_one_line, names, sealward_in, stderr};
use rustix::process::Signal;

/// Bytes of plaintext in a chunk, and of a chunk with its tag.
const CHUNK: usize = 16_384;
const SLOT: usize = CHUNK + 16;
/// Bytes before the first chunk: header and prefix.
const FRONT: usize = 136 + 56;
/// What the program holds at a time.
const BUFFER: usize = 32 * CHUNK;

fn sample(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 7 % 251).unwrap())
        .collect()
}

#[test]
fn every_size_comes_back_from_files_and_from_pipes() {
    let dev = Dev::start(ONE_KEY);
    for length in [
        0,
        1,
        16_383,
        16_384,
        16_385,
        BUFFER - 1,
        BUFFER,
        BUFFER + 1,
        (1 << 20) - 1,
        1 << 20,
        (1 << 20) + 1,
        5 * BUFFER + 7,
    ] {
        let plain = sample(length);
        fs::write(dev.path("plain"), &plain).unwrap();
        let quiet = dev.run(&["file", "encrypt", "--force", "plain", "sealed"], b"");
        assert_eq!(stderr(&quiet), "", "no progress outside of a terminal");
        let sealed = fs::read(dev.path("sealed")).unwrap();
        assert_eq!(sealed.len(), FRONT + length + (length / CHUNK + 1) * 16);
        dev.ok(&["file", "decrypt", "--force", "sealed", "out"], b"");
        assert!(
            fs::read(dev.path("out")).unwrap() == plain,
            "{length} bytes, files"
        );

        let sealed = dev.ok(&["file", "encrypt", "-", "-"], &plain);
        assert!(
            dev.ok(&["file", "decrypt", "-", "-"], &sealed) == plain,
            "{length} bytes, pipes"
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused_and_a_pipe_gets_what_came_before() {
    let dev = Dev::start(ONE_KEY);
    let plain = sample(BUFFER + 2 * CHUNK + 100);
    let sealed = dev.ok(&["file", "encrypt", "-", "-"], &plain);
    let last = sealed.len() - 1;
    let front = [0, 4, 5, 6, 10, 11, 12, 31, 40, 135, 136, 160, FRONT - 1];
    let chunks = [
        FRONT,
        FRONT + SLOT - 1,
        FRONT + SLOT,
        FRONT + 32 * SLOT,
        last,
    ];
    for at in front.into_iter().chain(chunks) {
        let mut damaged = sealed.clone();
        damaged[at] ^= 1;
        fs::write(dev.path("damaged"), &damaged).unwrap();
        // A changed key id is an unknown key, which cannot be told from one that was never there.
        let status = if (12..28).contains(&at) { 3 } else { 5 };
        dev.fails(status, &["file", "decrypt", "damaged", "out"], b"");
        assert!(!dev.path("out").exists(), "byte {at}");

        let piped = dev.run(&["file", "decrypt", "-", "-"], &damaged);
        assert_eq!(piped.status.code(), Some(status), "byte {at}");
        let whole = at.saturating_sub(FRONT) / SLOT * CHUNK;
        assert!(
            piped.stdout == plain[..whole],
            "byte {at}: {} bytes",
            piped.stdout.len()
        );
        assert!(is_one_line(&stderr(&piped)), "byte {at}");
    }
    assert_eq!(
        names(dev.folder()),
        ["damaged", "keys.yaml", "sealward-data"]
    );
}

#[test]
fn a_file_cut_or_extended_anywhere_is_refused() {
    let dev = Dev::start(ONE_KEY);
    for length in [0, 5, CHUNK, CHUNK + 5] {
        let sealed = dev.ok(&["file", "encrypt", "-", "-"], &sample(length));
        let ends = [
            0,
            3,
            4,
            6,
            135,
            136,
            191,
            FRONT,
            FRONT + 15,
            FRONT + 16,
            FRONT + SLOT,
            sealed.len() - 1,
        ];
        for end in ends.into_iter().filter(|end| *end < sealed.len()) {
            dev.fails(5, &["file", "decrypt", "-", "out"], &sealed[..end]);
        }
        for more in [1, 16, SLOT] {
            let mut extended = sealed.clone();
            extended.resize(sealed.len() + more, 0);
            dev.fails(5, &["file", "decrypt", "-", "out"], &extended);
        }
        assert!(!dev.path("out").exists());
    }
}

/// Starts a command that reads from a pipe, feeds it, and returns it while it waits for more.
fn waiting(dev: &Dev, arguments: &[&str], input: &[u8]) -> (Running, std::process::ChildStdin) {
    let mut running = Running::start(
        dev.sealward(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    let mut stdin = running.stdin();
    // Longer than every buffer on the way, so that when this returns the program is in the midst of its work.
    stdin.write_all(input).unwrap();
    stdin.flush().unwrap();
    (running, stdin)
}

#[test]
fn a_signal_leaves_nothing_behind() {
    let dev = Dev::start(ONE_KEY);
    let plain = sample(8 * BUFFER);
    let sealed = dev.ok(&["file", "encrypt", "-", "-"], &plain);
    for (signal, status) in [
        (Signal::TERM, Some(143)),
        (Signal::INT, Some(130)),
        (Signal::KILL, None),
    ] {
        for (command, input) in [
            ("encrypt", &plain[..]),
            ("decrypt", &sealed[..sealed.len() - 1]),
        ] {
            let (running, stdin) = waiting(&dev, &["file", command, "-", "out"], input);
            running.signal(signal);
            let (code, said) = running.end();
            assert_eq!(code, status, "{command} {signal:?}: {said}");
            assert!(status.is_none() || is_one_line(&said), "{said}");
            drop(stdin);
            assert_eq!(
                names(dev.folder()),
                ["keys.yaml", "sealward-data"],
                "{command} {signal:?}"
            );
        }
    }
}

#[test]
fn memory_stays_small_whatever_the_size_and_no_core_can_be_dumped() {
    let dev = Dev::start(ONE_KEY);
    let plain = sample(64 << 20);
    for command in ["encrypt", "decrypt"] {
        let input = match command {
            "encrypt" => plain.clone(),
            _ => dev.ok(&["file", "encrypt", "-", "-"], &plain),
        };
        let (running, stdin) = waiting(
            &dev,
            &["file", command, "-", "out"],
            &input[..input.len() - 1],
        );
        let proc = format!("/proc/{}", running.id());
        let status = fs::read_to_string(format!("{proc}/status")).unwrap();
        let peak = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kilobytes: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        // The pages of the program itself count too, and a debug build has more of them.
        assert!(kilobytes <= 24 * 1024, "{command}: {peak}");
        let limits = fs::read_to_string(format!("{proc}/limits")).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        drop(running);
        drop(stdin);
    }
}

#[test]
fn other_processes_of_the_user_cannot_look_into_one_that_holds_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sealward_in(folder.path());
    command.arg("encrypt").stdin(Stdio::piped());
    // To root all files of a process belong anyway, so it plays another user.
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
    // It waits for the text.
    let running = Running::start(&mut command);
    let started = Instant::now();
    // The kernel gives the files in /proc of a process that is not dumpable to root.
    while fs::metadata(format!("/proc/{}/environ", running.id()))
        .unwrap()
        .uid()
        != 0
    {
        assert!(started.elapsed() < PATIENCE, "it is dumpable");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_output_that_appears_meanwhile_is_not_replaced() {
    let dev = Dev::start(ONE_KEY);
    let (running, stdin) = waiting(&dev, &["file", "encrypt", "-", "out"], &sample(2 * BUFFER));
    fs::write(dev.path("out"), "theirs").unwrap();
    drop(stdin);
    let (code, said) = running.end();
    assert_eq!(code, Some(6), "{said}");
    assert_eq!(fs::read(dev.path("out")).unwrap(), b"theirs");
    assert_eq!(names(dev.folder()), ["keys.yaml", "out", "sealward-data"]);
}

#[test]
fn progress_is_shown_on_a_terminal() {
    let dev = Dev::start(ONE_KEY);
    fs::write(dev.path("plain"), sample(8 * BUFFER)).unwrap();
    let line = format!(
        "{} file encrypt plain sealed",
        env!("CARGO_BIN_EXE_sealward")
    );
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(dev.folder())
        .env("SEALWARD_ENDPOINT", dev.said("endpoint"))
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("`script` of util-linux gives a program a terminal");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("of 4.00 MiB") && shown.contains("left"),
        "{shown:?}"
    );
}

#[test]
fn an_endpoint_that_goes_away_ends_a_command_before_anything_is_written() {
    let mut dev = Dev::start(ONE_KEY);
    let sealed = dev.ok(&["file", "encrypt", "-", "-"], b"x");
    let text = dev.ok(&["encrypt"], b"x");
    dev.stop();
    let started = Instant::now();
    dev.fails(4, &["file", "decrypt", "-", "out"], &sealed);
    dev.fails(4, &["file", "encrypt", "-", "out"], b"x");
    dev.fails(4, &["decrypt"], &text);
    dev.fails(4, &["keys"], b"");
    assert!(started.elapsed() < PATIENCE);
    assert!(!dev.path("out").exists());
}

#[test]
fn a_connection_that_breaks_is_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "abc").unwrap();
    let accepted = thread::spawn(move || listener.accept().map(drop));
    let endpoint = format!("http://{address}");
    let output = crate::common::run(
        sealward_in(folder.path()).args(["keys", "--token-file", "token", "--endpoint", &endpoint]),
        b"",
    );
    accepted.join().unwrap().unwrap();
    let line = stderr(&output);
    assert_eq!(output.status.code(), Some(4), "{line}");
    assert!(
        line.contains("the connection to") && is_one_line(&line),
        "{line}"
    );
}
