//! The commands in the documents, run as they stand.
//!
//! Only where a command stands is changed: `sealward dev` gets ports that are free, so 7325 becomes the port it got.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sealward_tests::process::succeeds;
use sealward_tests::{Process, workspace};

/// The code blocks of a document that are marked `language`.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let parts = document.split(fence.as_str()).skip(1);
    parts
        .filter_map(|part| part.split("\n```").next())
        .collect()
}

/// The commands after `$ `, each with the lines that continue it.
fn commands(block: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in block.lines() {
        let continued = commands.last().is_some_and(|last| last.ends_with('\\'));
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        } else if let (true, Some(last)) = (continued, commands.last_mut()) {
            last.push('\n');
            last.push_str(line);
        }
    }
    commands
}

/// A shell in a folder of its own, in which `sealward` is there to be typed.
struct Shell {
    folder: tempfile::TempDir,
    path: String,
    local_mode: Option<(Process, String)>,
}

impl Shell {
    fn new() -> Result<Self> {
        let program = workspace::program("sealward", "sealward")?;
        let programs = program.parent().context("a program is in a folder")?;
        let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
        Ok(Self {
            folder: tempfile::tempdir()?,
            path,
            local_mode: None,
        })
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c"]);
        match &self.local_mode {
            Some((_, endpoint)) => {
                command.arg(line.replace("http://127.0.0.1:7325", endpoint));
                command.env("SEALWARD_ENDPOINT", endpoint);
            }
            None => {
                command.arg(line);
            }
        }
        command.current_dir(self.folder.path());
        command.env("PATH", &self.path).env("NO_PROXY", "127.0.0.1");
        command
    }

    /// Runs one command of a document.
    fn run(&mut self, line: &str) -> Result<()> {
        let typed = line.split(" #").next().unwrap_or(line).trim();
        if let Some(target) = typed.strip_prefix("make") {
            // Running `make test` within itself would not end; that the target exists can be known.
            let mut make = Command::new("make");
            make.args(["--dry-run", "--directory"])
                .arg(workspace::root());
            succeeds(make.args(target.split_whitespace()))?;
        } else if typed.starts_with("cargo ") {
            // The programs were built by `workspace::program`; what is left to know is that the path is right.
            let path = typed.rsplit(' ').next().context("a command has words")?;
            ensure!(
                workspace::root().join(path).join("Cargo.toml").exists(),
                "no package in {path}"
            );
        } else if typed.starts_with("sealward dev ") {
            let ports = format!("exec {typed} --port 0 --admin-port 0 --output json");
            let mut process = Process::start(&mut self.command(&ports))?;
            let started = process.line()?;
            let started: serde_json::Value = serde_json::from_str(&started)?;
            let endpoint = started["endpoint"].as_str().context("no endpoint")?;
            self.local_mode = Some((process, endpoint.to_owned()));
        } else {
            succeeds(&mut self.command(line))?;
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join(name))?)
    }
}

fn read(path: &str) -> Result<String> {
    let path = workspace::root().join(path);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

#[test]
fn the_commands_of_the_readme_work_as_they_stand() -> Result<()> {
    let readme = read("README.md")?;
    let mut shell = Shell::new()?;
    let manifest = blocks(&readme, "yaml")
        .into_iter()
        .find(|block| block.starts_with("# shop.yaml"));
    fs::write(
        shell.folder.path().join("shop.yaml"),
        manifest.context("shop.yaml is shown")?,
    )?;
    fs::write(shell.folder.path().join("backup.db"), vec![7; 100_000])?;
    for command in blocks(&readme, "console").into_iter().flat_map(commands) {
        shell
            .run(&command)
            .with_context(|| format!("README.md: {command}"))?;
    }
    // They did what the text says.
    ensure!(shell.file("password.sealed")?.starts_with("U1dD"));
    ensure!(fs::read(shell.folder.path().join("restored.db"))? == vec![7; 100_000]);
    ensure!(shell.local_mode.is_some(), "local mode was not started");
    Ok(())
}

#[test]
fn links_and_targets_in_the_documents_exist() -> Result<()> {
    let mut documents = vec![
        "README.md".to_owned(),
        "SECURITY.md".to_owned(),
        "CONTRIBUTING.md".to_owned(),
        "CHANGELOG.md".to_owned(),
    ];
    for folder in ["docs", "docs/adr"] {
        for entry in fs::read_dir(workspace::root().join(folder))? {
            let name = entry?.file_name();
            if Path::new(&name).extension().is_some_and(|end| end == "md") {
                documents.push(format!("{folder}/{}", name.display()));
            }
        }
    }
    for document in documents {
        let text = read(&document)?;
        let folder = workspace::root().join(&document);
        let folder = folder.parent().context("a document is in a folder")?;
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") {
                ensure!(
                    folder.join(path).exists(),
                    "{document} links to {target}, which is not there"
                );
            }
        }
        for command in blocks(&text, "console")
            .into_iter()
            .flat_map(commands)
            .filter(|line| line.starts_with("make"))
        {
            Shell::new()?
                .run(&command)
                .with_context(|| format!("{document}: {command}"))?;
        }
    }
    Ok(())
}
