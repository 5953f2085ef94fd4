//! The example handler in three languages: `dragoman plugin test` finds that each comes to what the vectors say, and tells
//! where one does not.

use anyhow::{Context, ensure};
use dragoman_e2e::paths;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LANGUAGES: [&str; 3] = ["rust", "javascript", "python"];

fn guest(language: &str) -> anyhow::Result<PathBuf> {
    Ok(paths::guests()?.join(format!("dimmer-{language}.wasm")))
}

fn vectors() -> PathBuf {
    paths::repository().join("examples/dimmer/vectors")
}

/// In a folder without a configuration.
fn dragoman(folder: &Path, arguments: &[&str], files: &[&Path]) -> anyhow::Result<Output> {
    let mut command = Command::new(paths::daemon()?);
    Ok(command.current_dir(folder).arg("--json").arg("plugin").args(arguments).args(files).output()?)
}

fn json(output: &Output) -> anyhow::Result<Value> {
    let said = || format!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(said)
}

#[test]
fn three_languages_come_to_the_same() -> anyhow::Result<()> {
    let (folder, count) = (tempfile::tempdir()?, fs::read_dir(vectors())?.count());
    for language in LANGUAGES {
        let output = dragoman(folder.path(), &["test", "--vectors"], &[&vectors(), &guest(language)?])?;
        let report = json(&output)?;
        let failed: Vec<_> =
            report["vectors"].as_array().into_iter().flatten().filter(|one| one["passed"] != true).collect();
        ensure!(output.status.success() && failed.is_empty(), "{language}: {failed:#?}");
        ensure!(report["passed"] == count && count > 30, "{language}: {count} vectors, {}", report["passed"]);
    }
    Ok(())
}

#[test]
fn what_a_file_is_can_be_seen_without_loading_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for language in LANGUAGES {
        let output = dragoman(folder.path(), &["inspect"], &[&guest(language)?])?;
        let shown = json(&output)?;
        ensure!(output.status.success() && shown["refused"].is_null(), "{language}: {shown:#}");
        let exported = shown["exports"].as_array().context("exports")?;
        for name in ["plugin", "handler", "decoder"] {
            let name = format!("dragoman:gateway/{name}@0.1.0-draft");
            ensure!(exported.iter().any(|one| *one == *name), "{language}: {name} is not in {exported:?}");
        }
        ensure!(shown["kind"] == "component" && shown["contract"] == "0.1.0-draft", "{language}: {shown:#}");
        ensure!(shown["describes"]["name"] == "dimmer", "{language}: {shown:#}");
        ensure!(shown["resources"]["memories"].as_u64() > Some(0), "{language}: {shown:#}");
    }
    let module = folder.path().join("module.wasm");
    fs::write(&module, b"\0asm\x01\0\0\0")?;
    let output = dragoman(folder.path(), &["inspect"], &[&module])?;
    let shown = json(&output)?;
    ensure!(output.status.code() == Some(1) && shown["kind"] == "module", "{shown:#}");
    ensure!(shown["refused"].as_str().is_some_and(|why| why.contains("not a component")), "{shown:#}");
    Ok(())
}

#[test]
fn a_vector_that_fails_is_shown_where_it_differs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("start.json");
    let mut vector: Value = serde_json::from_slice(&fs::read(vectors().join("start-fades.json"))?)?;
    vector["output"]["answer"]["send"]["frames"][0]["deliver"]["payload"]["hex"] = "10 29 0c".into();
    fs::write(&file, vector.to_string())?;
    let guest = guest("rust")?;
    let run = |more: &[&str]| {
        let arguments: Vec<_> = ["test", "--vectors"].into_iter().collect();
        let mut command = Command::new(paths::daemon()?);
        let command = command.current_dir(folder.path()).arg("plugin").args(arguments).args([folder.path(), &guest]);
        anyhow::Ok(command.args(more).output()?)
    };
    let output = run(&[])?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1), "{said}");
    let place = "answer.send.frames[0].deliver.payload.hex:\n    expected \"10 29 0c\"\n    actual   \"10 28 0c\"";
    ensure!(said.contains(place) && said.contains("0 passed, 1 failed"), "{said}");

    ensure!(run(&["--bless"])?.status.success());
    ensure!(run(&[])?.status.success(), "what was blessed passes");
    Ok(())
}
