#!/usr/bin/env python3
"""Shows that the tests notice bugs.

Copies what a list of bugs is about, makes one bug of the list after the other, runs tests on it and tells which of them
failed. Ends with 1 if a bug went unnoticed, does not compile, does not fit any more, or names no test.

    python3 tests/mutants/run.py core                   all bugs of core.toml, each with all tests of dragoman-core
    python3 tests/mutants/run.py plugins                all bugs of plugins.toml, each with the tests that it names
    python3 tests/mutants/run.py core window rest       those with one of these words in their names

Needs Python 3.11, and for `plugins` cargo-nextest and what `cargo xtask plugins` builds. Build products go to
CARGO_TARGET_DIR/mutants, or target/mutants.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# What is built of the workspace where a bug does not say.
TARGETS = "--test it"
BUILD_SECONDS_MAX = 1800
TEST_SECONDS_MAX = 300
# What is tested until it ends by itself leaves nothing behind; after so long it is killed.
END_SECONDS_MAX = 20


def main():
    lists = {"core": Core, "plugins": Plugins}
    if len(sys.argv) < 2 or sys.argv[1] not in lists:
        sys.exit(__doc__)
    name, wanted = sys.argv[1], sys.argv[2:] or [""]
    mutants = tomllib.loads((HERE / f"{name}.toml").read_text())["mutant"]
    mutants = [mutant for mutant in mutants if any(word in mutant["name"] for word in wanted)]
    if not mutants:
        sys.exit(f"no bug of {name}.toml has one of these words in its name: {' '.join(wanted)}")
    with tempfile.TemporaryDirectory(prefix="dragoman-mutants-") as folder:
        copy = lists[name](pathlib.Path(folder))
        asis = copy.test(mutants)
        if not asis.built or asis.failed or asis.trouble:
            sys.exit(f"the tests fail as it is: {', '.join(asis.failed) or asis.trouble or 'it does not compile'}")
        unnoticed = [mutant["name"] for mutant in mutants if not notice(copy, mutant)]
    print(f"{len(mutants) - len(unnoticed)} of {len(mutants)} bugs noticed")
    sys.exit(1 if unnoticed else 0)


def notice(copy, mutant):
    """Makes one bug, runs the tests and mends it again."""
    path = copy.folder / mutant["file"]
    text = path.read_text()
    if text.count(mutant["find"]) != 1:
        print(f"DOES NOT FIT  {mutant['name']}: its text is {text.count(mutant['find'])} times in {mutant['file']}")
        return False
    path.write_text(text.replace(mutant["find"], mutant["replace"]))
    try:
        result = copy.test([mutant])
    finally:
        path.write_text(text)
    if not result.built:
        print(f"NO BUILD      {mutant['name']}")
    elif result.trouble:
        print(f"NO TEST       {mutant['name']}: {result.trouble}")
    elif result.failed:
        print(f"noticed       {mutant['name']}: {', '.join(result.failed)}")
    else:
        print(f"UNNOTICED     {mutant['name']}")
    sys.stdout.flush()
    return bool(result.failed)


@dataclass
class Result:
    """Whether the code and its tests compile, the tests that fail, and why none were run."""

    built: bool
    failed: list = field(default_factory=list)
    trouble: str = ""


class Core:
    """The crate in a workspace of its own, which needs nothing but cargo."""

    def __init__(self, folder):
        self.folder = folder
        # Without the times of the originals: Cargo compares them with what it built last in this target directory.
        shutil.copytree(ROOT / "host" / "core", folder / "host" / "core", copy_function=shutil.copyfile)
        manifest = (ROOT / "Cargo.toml").read_text()
        manifest = re.sub(r"(?m)^members = .*$", 'members = ["host/core"]', manifest)
        manifest = re.sub(r"(?m)^exclude = .*$", "", manifest)
        (folder / "Cargo.toml").write_text(manifest)
        shutil.copy(ROOT / "Cargo.lock", folder)

    def test(self, _mutants):
        env = environment()
        if not build(["cargo", "test", "--quiet", "--no-run"], self.folder, env):
            return Result(built=False)
        status, output = run(["cargo", "test", "--no-fail-fast"], self.folder, env, TEST_SECONDS_MAX)
        if status is None:
            return Result(built=True, failed=[f"still running after {TEST_SECONDS_MAX} s"])
        failed = re.findall(r"(?m)^test (\S+) \.\.\. FAILED$", output)
        return Result(built=True, failed=failed or ([] if status == 0 else ["an aborted run"]))


class Plugins:
    """All tracked files as they stand. The copy stays for the next run, so that little is compiled again."""

    def __init__(self, _folder):
        self.folder = TARGET / "mutants" / "tree"
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        tracked = {name for name in names.split("\0") if name and (ROOT / name).is_file()}
        for name in tracked:
            copy_changed(ROOT / name, self.folder / name)
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            if str(path.relative_to(self.folder)) not in tracked:
                path.unlink()

    def test(self, mutants):
        env = self.environment()
        # Always all of the workspace, so that the features of the dependencies are the same and nothing is built twice.
        targets = sorted({tuple(mutant.get("targets", TARGETS).split()) for mutant in mutants})
        options = ["--workspace", *(word for words in targets for word in words)]
        starts_daemon = any("dragoman-e2e" in mutant["tests"] for mutant in mutants)
        if starts_daemon and not build(["cargo", "build", "--quiet", "--workspace", "--bins"], self.folder, env):
            return Result(built=False)
        if not build(["cargo", "test", "--quiet", "--no-run", *options], self.folder, env):
            return Result(built=False)
        tests = " | ".join(f"({mutant['tests']})" for mutant in mutants)
        command = ["cargo", "nextest", "run", *options, "--profile", "mutants", "--no-fail-fast", "-E", tests]
        status, output = run(command, self.folder, env, TEST_SECONDS_MAX * len(mutants))
        failed = failures(output)
        if status is None:
            failed.append(f"still running after {TEST_SECONDS_MAX} s")
        # Where no test failed, something else did: the filter finds none, for instance.
        trouble = "" if status == 0 or failed else output.strip().splitlines()[-1]
        return Result(built=True, failed=failed, trouble=trouble)

    def environment(self):
        env = environment()
        env.setdefault("DRAGOMAN_PLUGINS", str(TARGET / "plugins"))
        # What is mutated is compiled many times and computes little; optimising it takes longer than its tests.
        env["CARGO_PROFILE_DEV_OPT_LEVEL"] = "0"
        # The tests start the daemon that was built beside them.
        for variable in ["DRAGOMAN_BIN", "DRAGOMAN_SIMULATORS"]:
            env.pop(variable, None)
        return env


def failures(output):
    """The tests that nextest names as failed, each once: it names them when they end, and at its own end again."""
    words = "FAIL|TIMEOUT|ABORT|LEAK-FAIL|SIG[A-Z]+"
    return list(dict.fromkeys(re.findall(rf"(?m)^ *(?:{words}) \[.*\] (?:\(.*\) )?\S+ (\S+)$", output)))


def copy_changed(source, copy):
    """Without the time of the original, which Cargo compares with what it built last, and only where it differs."""
    if copy.exists() and copy.read_bytes() == source.read_bytes():
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, copy)
    shutil.copymode(source, copy)


def environment():
    env = dict(os.environ, CARGO_TARGET_DIR=str(TARGET / "mutants"), RUST_BACKTRACE="0")
    env["PROPTEST_FAILURE_PERSISTENCE"] = "off"
    env.pop("UPDATE_EXPECT", None)
    return env


def build(command, folder, env):
    status, output = run(command, folder, env, BUILD_SECONDS_MAX)
    if status != 0:
        print(output)
    return status == 0


def run(command, folder, env, seconds_max):
    """The exit status and what was said, or no status if it took too long."""
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds_max)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        return None, end(process)
    except KeyboardInterrupt:
        end(process)
        raise


def end(process):
    """Asks first, because nextest has the tests in groups of their own and ends them when it is asked."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        output, _ = process.communicate(timeout=END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    return output


if __name__ == "__main__":
    main()
