//! Messages and files exchanged with an independent implementation: Python's `cryptography` under
//! our formats written in Python from their description (`tests/python/formats.py`).

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, Result, ensure};
use getrandom::SysRng;
use hex_simd::AsciiCase::Lower;
use sealward_core::envelope::{self, FileHeader};
use sealward_core::message::PREFIX;
use sealward_core::{
    Dek, EncryptionContext, KeyId, KeyVersion, OpenError, OpenReader, Purpose, SealWriter,
    VersionKey, open, seal,
};
use sealward_tests::process::{fails, succeeds};
use sealward_tests::{LocalMode, python, workspace};
use serde_json::{Value, json};

const KEY_ID: [u8; 16] = *b"\x00sixteen bytes\xff\n";
const VERSION: u32 = 0x0102_0304;
const SECRET: [u8; 32] = *b"not a secret, but 32 bytes long!";
const DEK: [u8; 32] = [0xd3; 32];

/// Sizes of small data: the limits of the format and of the API.
const SMALL: [usize; 5] = [0, 1, 32, 4096, 16_383];
/// Sizes of files: around the borders between chunks.
const LARGE: [usize; 7] = [0, 1, 16_383, 16_384, 16_385, 32_768, 1_000_000];

/// The other implementation, in a process of its own.
struct Python {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Result<Self> {
        let mut command = python::script("latest", "interop.py")?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self {
            child,
            requests,
            answers,
        })
    }

    /// What it makes of `input`; `None` if that is not authentic.
    fn ask(&mut self, operation: &str, context: &Value, input: &[u8]) -> Result<Option<Vec<u8>>> {
        let request = json!({
            "operation": operation,
            "secret": hex(&SECRET),
            "key_id": hex(&KEY_ID),
            "version": VERSION,
            "purpose": 1, // data
            "dek": hex(&DEK),
            "context": context,
            "input": hex(input),
        });
        writeln!(self.requests, "{request}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(
            !answer.is_empty(),
            "interop.py ended: {:?}",
            self.child.wait()?
        );
        let answer: Value = serde_json::from_str(&answer)?;
        answer.as_str().map(unhex).transpose()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // The pipe to it closes with this; it ends by itself, or is made to.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn hex(bytes: &[u8]) -> String {
    hex_simd::encode_to_string(bytes, Lower)
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    hex_simd::decode_to_vec(text)
        .ok()
        .context("not hexadecimal")
}

fn key() -> Result<VersionKey> {
    let version = KeyVersion::new(VERSION).context("not a version")?;
    Ok(VersionKey::new(KeyId::from_bytes(KEY_ID), version, &SECRET))
}

/// Every kind of encryption context, as we and as Python take it.
fn contexts() -> Result<Vec<(EncryptionContext, Value)>> {
    let map = [
        ("tenant", "ä"),
        ("", "empty name"),
        ("\u{1f511}", ""),
        ("\u{e000}", "sorts first"),
    ];
    let pairs = map.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(vec![
        (EncryptionContext::none(), Value::Null),
        (
            EncryptionContext::bytes(*b"\x00tenant=a\xff")?,
            json!(hex(b"\x00tenant=a\xff")),
        ),
        (
            EncryptionContext::map(pairs.clone())?,
            json!(std::collections::BTreeMap::from(pairs)),
        ),
    ])
}

fn plaintext(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

#[test]
fn python_opens_what_we_sealed() -> Result<()> {
    let (mut python, key) = (Python::start()?, key()?);
    for (context, shown) in contexts()? {
        for plaintext in SMALL.map(plaintext) {
            let sealed = seal(&key, Purpose::Data, &context, &plaintext, &mut SysRng)?;
            let opened = python.ask("open", &shown, &sealed)?;
            assert!(
                opened.as_ref() == Some(&plaintext),
                "{} bytes, {shown}",
                plaintext.len()
            );
        }
    }
    Ok(())
}

#[test]
fn we_open_what_python_sealed() -> Result<()> {
    let (mut python, key) = (Python::start()?, key()?);
    for (context, shown) in contexts()? {
        for plaintext in SMALL.map(plaintext) {
            let sealed = python
                .ask("seal", &shown, &plaintext)?
                .context("not sealed")?;
            let opened = open(&key, Purpose::Data, &context, &sealed)?;
            assert!(
                opened.expose() == plaintext,
                "{} bytes, {shown}",
                plaintext.len()
            );
        }
    }
    Ok(())
}

#[test]
fn both_refuse_another_context_and_damage() -> Result<()> {
    let (mut python, key) = (Python::start()?, key()?);
    let contexts = contexts()?;
    for (context, shown) in &contexts {
        let sealed = seal(&key, Purpose::Data, context, b"secret", &mut SysRng)?;
        for (other, other_shown) in contexts.iter().filter(|(other, _)| other != context) {
            assert_eq!(python.ask("open", other_shown, &sealed)?, None);
            let refused = open(&key, Purpose::Data, other, &sealed);
            assert!(matches!(refused, Err(OpenError::Authentication)));
        }
        for position in [26, 50, sealed.len() - 1] {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert_eq!(python.ask("open", shown, &damaged)?, None);
            let refused = open(&key, Purpose::Data, context, &damaged);
            assert!(matches!(refused, Err(OpenError::Authentication)));
        }
    }
    Ok(())
}

#[test]
fn python_opens_enveloped_files_that_we_sealed() -> Result<()> {
    let (mut python, key) = (Python::start()?, key()?);
    let dek = Dek::from_slice(&DEK).context("not a DEK")?;
    for (context, shown) in contexts()? {
        for plaintext in LARGE.map(plaintext) {
            let sealed_dek = seal(&key, Purpose::Dek, &context, &DEK, &mut SysRng)?;
            let header = FileHeader::new(&sealed_dek)?;
            let (sealer, prefix) = envelope::sealer(&header, &dek, &context, &mut SysRng)?;
            let mut file = [&header.to_bytes()[..], &prefix].concat();
            let mut writer = SealWriter::new(&mut file, sealer);
            writer.write_all(&plaintext)?;
            writer.finish()?;
            let opened = python.ask("open-file", &shown, &file)?;
            assert!(
                opened.as_ref() == Some(&plaintext),
                "{} bytes, {shown}",
                plaintext.len()
            );
        }
    }
    Ok(())
}

#[test]
fn we_open_enveloped_files_that_python_sealed() -> Result<()> {
    let (mut python, key) = (Python::start()?, key()?);
    for (context, shown) in contexts()? {
        for plaintext in LARGE.map(plaintext) {
            let file = python
                .ask("seal-file", &shown, &plaintext)?
                .context("not sealed")?;
            let (header, message) = file.split_first_chunk().context("too short")?;
            let header = FileHeader::parse(header)?;
            let dek = open(&key, Purpose::Dek, &context, header.ciphertext_dek())?;
            let dek = Dek::from_slice(dek.expose()).context("not a DEK")?;
            let (prefix, slots) = message.split_first_chunk::<PREFIX>().context("too short")?;
            let opener = envelope::opener(&header, &dek, &context, prefix)?;
            let mut opened = Vec::new();
            OpenReader::new(slots, opener).read_to_end(&mut opened)?;
            assert!(opened == plaintext, "{} bytes, {shown}", plaintext.len());
        }
    }
    Ok(())
}

/// What docs/formats.md says and shows must be enough, as it stands there.
#[test]
fn the_decryptor_in_the_documentation_works() -> Result<()> {
    let documentation = fs::read_to_string(workspace::root().join("docs/formats.md"))?;
    let (_, code) = documentation
        .split_once("```python\n")
        .context("no Python in formats.md")?;
    let (code, _) = code.split_once("```").context("the block does not end")?;
    let sealed = seal(
        &key()?,
        Purpose::Data,
        &EncryptionContext::none(),
        b"secret",
        &mut SysRng,
    )?;
    let call = format!(
        "print(open_ciphertext(bytes.fromhex('{}'), bytes.fromhex('{}')).decode())",
        hex(&SECRET),
        hex(&sealed)
    );
    let mut python = python::interpreter("latest")?;
    let output = succeeds(python.arg("-c").arg(format!("{code}\n{call}")))?;
    assert_eq!(String::from_utf8(output.stdout)?, "secret\n");
    Ok(())
}

/// With the SDK for the DEK and `cryptography` for the file, a program needs none of ours.
#[test]
fn files_go_between_our_program_and_one_in_python() -> Result<()> {
    let local_mode = LocalMode::start()?;
    let [plain, sealed, opened] =
        ["plain", "sealed", "opened"].map(|name| local_mode.folder().join(name));
    let python = |operation: &str, from, to| -> Result<_> {
        let mut command = python::script("latest", "enveloped_file.py")?;
        command
            .arg(operation)
            .args([from, to])
            .envs(local_mode.environment());
        Ok(command)
    };
    for length in [0, 16_384, 1_000_000] {
        fs::write(&plain, plaintext(length))?;

        let mut encrypt = local_mode.sealward();
        encrypt
            .args(["file", "encrypt", "--force", "--key", "web-tls"])
            .args([&plain, &sealed]);
        succeeds(&mut encrypt)?;
        succeeds(&mut python("decrypt", &sealed, &opened)?)?;
        assert!(
            fs::read(&opened)? == plaintext(length),
            "ours to Python, {length} bytes"
        );

        succeeds(&mut python("encrypt", &plain, &sealed)?)?;
        let decrypt = || {
            let mut command = local_mode.sealward();
            command
                .args(["file", "decrypt", "--force"])
                .args([&sealed, &opened]);
            command
        };
        succeeds(&mut decrypt())?;
        assert!(
            fs::read(&opened)? == plaintext(length),
            "Python's to ours, {length} bytes"
        );

        let mut damaged = fs::read(&sealed)?;
        *damaged.last_mut().context("empty")? ^= 1;
        fs::write(&sealed, damaged)?;
        fails(&mut decrypt())?;
        fails(&mut python("decrypt", &sealed, &opened)?)?;
    }
    Ok(())
}
