"""Real processes: what a shell, a pipe, a terminal and an interrupt see."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tomli_w

from cli.outside import outside
from toyrecipe import table

COMMAND = (sys.executable, "-m", "fivefold")


def shell(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command in a process of its own, with pipes for streams."""
    told = [*COMMAND, *map(str, words)]
    return subprocess.run(
        told, capture_output=True, text=True, encoding="utf-8", env=outside(**environment), timeout=120, check=False
    )  # fmt: skip


def slow_recipe(folder: Path) -> Path:
    steps = [
        {"name": "plain", "use": "learning.Finetune", "epochs": 2},
        {"name": "slow", "use": "sluggish:Sluggish"},
        {"name": "last", "use": "toy:Sleepy"},
    ]
    path = folder / "slow.toml"
    path.write_text(tomli_w.dumps(table(name="slow", plugins=["toy", "sluggish"], steps=steps)))
    return path


HEAVY = {"torch", "rich", "numpy", "sklearn", "polars", "jinja2"}


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], HEAVY | {"pydantic"}),
        (["--version"], HEAVY | {"pydantic"}),
        (["--lang", "zh", "--help"], HEAVY | {"pydantic"}),
        (["run", "--help"], HEAVY),  # the parser itself takes pydantic for the options of a verb
        (["run"], HEAVY),
    ],
)
def test_help_imports_nothing_heavy(words, heavy):
    code = f"import sys; from fivefold.cli.main import answer; answer({words}); print(*sys.modules)"
    told = [sys.executable, "-c", code]
    done = subprocess.run(told, capture_output=True, text=True, env=outside(), check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "fivefold.cli.app" in loaded
    assert loaded & heavy == set()


def test_exit_codes_reach_the_shell(made, bundle):
    assert shell("--help").returncode == 0
    assert shell("run").returncode == 2
    assert shell("run", made / "none.toml").returncode == 3
    assert shell("gate", made / "runs/toy", "--policy", made / "broken.toml").returncode == 4


@pytest.mark.slow
def test_json_and_messages_do_not_mix(made):
    done = shell(
        "gate", made / "runs/toy", "--policy", made / "broken.toml", "--json", FORCE_COLOR="1"
    )
    assert done.returncode == 4
    assert json.loads(done.stdout)["passed"] is False
    assert done.stderr.startswith("Error: ")
    done = shell("verify", made / "signed.bundle", "--json", FIVEFOLD_LANG="zh")
    assert json.loads(done.stdout)["stage"] == "lazy"
    assert done.stderr.startswith("完整")


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_question_marks_not_a_crash(made):
    done = shell(
        "compare", made / "runs/toy", made / "runs/toy", "--lang", "zh", PYTHONIOENCODING="ascii"
    )
    assert done.returncode == 0
    assert "???" in done.stdout


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[Path, int, str]:
    """Return a recipe that was interrupted in its second step, with the exit code and what was said."""
    recipe, said = slow_recipe(tmp_path), ""
    with subprocess.Popen(
        [*COMMAND, "run", str(recipe), "--workdir", str(tmp_path / "runs")],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=outside(SLUGGISH="1"),
    ) as process:  # fmt: skip
        assert process.stderr
        for line in process.stderr:
            said += line
            if line.startswith("2/4"):
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
    return recipe, process.returncode, said


def test_an_interrupted_run_is_130_and_goes_on(interrupted):
    recipe, code, said = interrupted
    assert code == 130
    assert said.endswith("Interrupted; run it again to go on.\n")
    assert "Traceback" not in said
    runs = recipe.parent / "runs"
    assert not (runs / "slow/run.json").exists()
    done = shell("run", recipe, "--workdir", runs)
    assert done.returncode == 0
    assert "2/4 plain: unchanged" in done.stderr
    assert "3/4 slow: step" in done.stderr
    assert (runs / "slow/run.json").exists()
    for stream in (done.stdout, done.stderr):  # a pipe gets no codes of colour and no bars
        assert "\x1b" not in stream
        assert "\r" not in stream
        assert "measuring" not in stream


def on_a_terminal(*words: object, **environment: str) -> tuple[int, str]:
    """Run one command on a pseudo-terminal 120 columns wide; return its code and all that was drawn."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdin=theirs, stdout=theirs, stderr=theirs,
        env=outside(TERM="xterm-256color", COLUMNS="120", LINES="40", **environment),
    )  # fmt: skip
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        try:
            while more := os.read(ours, 65_536):
                seen.extend(more)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(timeout=120)
    reader.join(timeout=10)
    os.close(ours)
    return code, seen.decode()


def drawn(told: str) -> str:
    """Return what was drawn, without the codes that place and colour it."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", told)


@pytest.mark.slow
def test_bars_with_the_time_left_in_the_language_of_the_reader(tmp_path):
    steps = [{"name": "plain", "use": "learning.Finetune", "epochs": 60}]
    probes = [{"use": "learning.Accuracy"}, {"use": "privacy.MembershipInference", "n_shadow": 4}]
    path = tmp_path / "r.toml"
    path.write_text(tomli_w.dumps(table(steps=steps, probes=probes, comparisons=[])))
    code, told = on_a_terminal("run", path, "--workdir", tmp_path, "--lang", "zh")
    assert code == 0
    lines = re.split(r"[\r\n]+", drawn(told))
    for label in ("训练", "测量"):
        bars = [x for x in lines if re.match(rf"(plain · )?{label}", x)]
        assert bars, label
        assert any(re.search(r"\d+/\d+ \d:\d\d:\d\d (\d:\d\d:\d\d|-:--:--)", x) for x in bars), bars
    assert "\x1b[?25h" in told, "the cursor is hidden for good"


@pytest.mark.slow
def test_no_color_is_honoured(made):
    words = ("gate", made / "runs/toy", "--policy", made / "broken.toml")
    code, told = on_a_terminal(*words)
    assert code == 4
    assert re.search(r"\x1b\[[0-9;]*3[0-9]m", told), "a terminal gets colours"
    code, told = on_a_terminal(*words, NO_COLOR="1")
    assert code == 4
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]m", told)
