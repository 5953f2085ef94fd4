#!/usr/bin/env python3
"""Shows that the tests of dragoman-core notice bugs.

Copies the crate into a workspace of its own, makes one bug of mutants.toml after the other, runs the crate's tests on
it and tells which of them failed. Ends with 1 if a bug went unnoticed, does not compile, or does not fit any more.

    python3 host/core/tests/mutants/run.py                 all of them
    python3 host/core/tests/mutants/run.py window rest     those with one of these words in their names

Needs Python 3.11 and nothing else. Build products go to CARGO_TARGET_DIR/mutants, or target/mutants.
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

HERE = pathlib.Path(__file__).resolve().parent
CRATE = HERE.parent.parent
ROOT = CRATE.parent.parent
SECONDS_MAX = 300


def main():
    wanted = sys.argv[1:] or [""]
    mutants = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
    mutants = [mutant for mutant in mutants if any(word in mutant["name"] for word in wanted)]
    with tempfile.TemporaryDirectory(prefix="dragoman-mutants-") as folder:
        workspace = pathlib.Path(folder)
        copy_crate(workspace)
        built, failed = test(workspace)
        if not built or failed:
            sys.exit(f"the crate fails its tests as it is: {', '.join(failed) or 'it does not compile'}")
        unnoticed = [mutant["name"] for mutant in mutants if not notice(workspace, mutant)]
    print(f"{len(mutants) - len(unnoticed)} of {len(mutants)} bugs noticed")
    sys.exit(1 if unnoticed or not mutants else 0)


def copy_crate(workspace):
    # Without the times of the originals: Cargo compares them with what it built last in this target directory.
    shutil.copytree(CRATE, workspace / "host" / "core", copy_function=shutil.copyfile)
    manifest = (ROOT / "Cargo.toml").read_text()
    manifest = re.sub(r"(?m)^members = .*$", 'members = ["host/core"]', manifest)
    manifest = re.sub(r"(?m)^exclude = .*$", "", manifest)
    (workspace / "Cargo.toml").write_text(manifest)
    shutil.copy(ROOT / "Cargo.lock", workspace)


def notice(workspace, mutant):
    """Makes one bug, runs the tests and mends it again."""
    path = workspace / "host" / "core" / mutant["file"]
    text = path.read_text()
    if text.count(mutant["find"]) != 1:
        print(f"DOES NOT FIT  {mutant['name']}: its text is {text.count(mutant['find'])} times in {mutant['file']}")
        return False
    path.write_text(text.replace(mutant["find"], mutant["replace"]))
    built, failed = test(workspace)
    path.write_text(text)
    if not built:
        print(f"NO BUILD      {mutant['name']}")
    elif failed:
        print(f"noticed       {mutant['name']}: {', '.join(failed)}")
    else:
        print(f"UNNOTICED     {mutant['name']}")
    sys.stdout.flush()
    return built and bool(failed)


def test(workspace):
    """Whether the crate and its tests compile, and the tests that fail."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mutants"
    env = dict(os.environ, CARGO_TARGET_DIR=str(target), RUST_BACKTRACE="0", PROPTEST_FAILURE_PERSISTENCE="off")
    env.pop("UPDATE_EXPECT", None)
    build = subprocess.run(["cargo", "test", "--quiet", "--no-run"], cwd=workspace, env=env, capture_output=True)
    if build.returncode != 0:
        return False, []
    command = ["cargo", "test", "--no-fail-fast"]
    run = subprocess.Popen(
        command, cwd=workspace, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )
    try:
        output, _ = run.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        return True, [f"still running after {SECONDS_MAX} s"]
    failed = re.findall(r"(?m)^test (\S+) \.\.\. FAILED$", output)
    return True, failed or ([] if run.returncode == 0 else ["an aborted run"])


if __name__ == "__main__":
    main()
