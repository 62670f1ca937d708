"""Audits, explanations and attacks through the command line, on files that people have."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.outside import outside
from fivefold.core.evidence import Missing
from fivefold.recipe import read_run

CJK = re.compile(r"[\u4e00-\u9fff]")
FUNCTION = """
import time
import numpy as np

calls = [0]

def ask(x):
    z = 0.1 * (x[:, 0] - 50) + 0.2 * (np.nan_to_num(x[:, 1], nan=27) - 27)
    p = 1 / (1 + np.exp(-z))
    return np.stack([p, 1 - p], 1)

def slow(x):
    time.sleep(0.002 * len(x))
    return ask(x)

def broken(x):
    calls[0] += 1
    if calls[0] > 6:
        raise ConnectionError("429 too many requests")
    return ask(x)

def nothing(x):
    return np.full((len(x), 2), np.nan)
"""


def shell(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    told = [sys.executable, "-m", "fivefold", *map(str, words)]
    return subprocess.run(
        told, cwd=folder, capture_output=True, text=True, encoding="utf-8", env=outside(), timeout=180, check=False
    )  # fmt: skip


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with rows, rows of training, a pipeline that knows only them, and a function."""
    import polars as pl
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeClassifier

    folder = tmp_path_factory.mktemp("people")
    own = np.random.default_rng(0)
    n = 500
    age, bmi = own.integers(18, 90, n), own.normal(27, 5, n).round(1)
    smoker, city = own.choice(["yes", "no"], n), own.choice(["北京", "Paris", "Lima"], n)
    risk = 0.1 * (age - 50) + 0.2 * (bmi - 27) + 2.0 * (smoker == "yes") + own.normal(0, 1, n)
    frame = pl.DataFrame({"age": age, "bmi": bmi, "smoker": smoker, "city": city, "ill": np.where(risk > 0, "ill", "well")})  # fmt: skip
    missing = pl.Series(own.random(n) < 0.05)
    frame = frame.with_columns(bmi=pl.when(~missing).then(pl.col("bmi")))
    train, rows = frame[:200], frame[200:]
    train.write_csv(folder / "train.csv")
    rows.write_csv(folder / "rows.csv")
    (folder / "mine.py").write_text(FUNCTION)
    ready = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["smoker", "city"]),
        (SimpleImputer(), ["age", "bmi"]),
    )
    skops = pytest.importorskip("skops.io")
    for name, kind in (("tree", DecisionTreeClassifier(random_state=0)), ("linear", LogisticRegression(max_iter=500))):  # fmt: skip
        skops.dump(make_pipeline(ready, kind).fit(train.drop("ill"), train["ill"]), folder / f"{name}.skops")  # fmt: skip
    return folder


def measured(run: Path) -> dict[str, float]:
    return {e.key: e.value for e in read_run(run).stages[-1].evidence}


def reasons(run: Path) -> dict[str, str]:
    found = read_run(run).stages[-1].findings
    return {f.key: str(f.reason) for f in found if isinstance(f, Missing)}


@pytest.fixture(scope="module")
def tree(people: Path) -> subprocess.CompletedProcess[str]:
    return shell(people, "audit", "tree.skops", "--data", "rows.csv", "--target", "ill", "--train", "train.csv", "--axes", "learning,privacy,generalization")  # fmt: skip


def test_a_pipeline_on_words_and_gaps_is_measured_with_its_members(people, tree):
    assert tree.returncode == 0, tree.stderr
    found, run = measured(people / "runs/audit-tree"), read_run(people / "runs/audit-tree")
    assert found["learning.accuracy"] > 0.75
    assert found["privacy.attack_auc[loss threshold]"] > 0.55  # a full tree knows its rows by heart
    assert "privacy.epsilon" in reasons(run.folder)
    assert "epsilon" not in {e.name for e in run.stages[-1].evidence}
    assert "needs gradients" in reasons(run.folder)["generalization.robust_accuracy"]
    assert run.data.sizes["train"] == 200
    assert re.search(r"[\d,]+ inputs in [\d,]+ calls", run.environment["model queries"])
    assert (run.folder / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "Report: runs/audit-tree/report.html" in tree.stderr.replace("\\", "/")


def test_the_verbs_of_other_runs_work_on_an_audit(people, tree, ask):
    run = people / "runs/audit-tree"
    (people / "policy.toml").write_text('[[limits]]\nevidence = "learning.accuracy"\nat_least = 0.5\n')  # fmt: skip
    assert ask("gate", run, "--policy", people / "policy.toml").code == 0
    (people / "strict.toml").write_text('[[limits]]\nevidence = "privacy.epsilon"\nat_most = 8\n')
    judged = ask("gate", run, "--policy", people / "strict.toml")
    assert judged.code == 4
    assert "MISSING" in judged.out
    assert ask("report", run, "--format", "card").code == 0
    assert ask("compare", run, run, "--json").code == 0
    assert ask("bundle", run).code in (3, 5)


@pytest.fixture
def here(people: Path, monkeypatch: pytest.MonkeyPatch, no_page: None) -> Path:
    """Stand in the folder, with its functions in reach and without drawing pages."""
    monkeypatch.chdir(people)
    monkeypatch.syspath_prepend(str(people))
    return people


def test_a_baseline_stands_beside_it_and_other_data_are_refused(here, tree, ask):
    words = ("audit", "linear.skops", "--data", "rows.csv", "--target", "ill", "--axes", "learning,privacy", "--baseline", "runs/audit-tree")  # fmt: skip
    said = ask(*words, "--train", "train.csv", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert {row["stage"] for row in told["matrix"]} == {"audit-tree/audited", "audited"}
    changed = [r for r in told["matrix"] if r["stage"] == "audited" and r["name"] == "attack_auc"]
    assert "better" in json.dumps(changed)  # it knows its rows less by heart
    assert any(m["key"] == "privacy.epsilon" for m in told["missing"])
    other = ask(*words, "--name", "other")
    assert other.code == 3
    assert "measured other data" in other.err
    assert "Traceback" not in other.err


def test_a_function_without_its_training_rows_claims_nothing_of_them(here, ask):
    people, said = here, ask("audit", "mine:ask", "--data", "rows.csv", "--target", "ill", "--axes", "privacy,efficiency", "--lang", "zh")  # fmt: skip
    assert said.code == 0, said.err
    why = reasons(people / "runs/audit-ask")
    assert "--train" in why["privacy.attack_auc"]
    assert why["privacy.epsilon"].startswith("Nothing is known")
    assert "efficiency.size" in why
    assert {e.axis for e in read_run(people / "runs/audit-ask").stages[-1].evidence} == {"efficiency"}  # fmt: skip
    assert (people / "runs/audit-ask/report.zh.html").is_file()
    for line in said.err.splitlines():
        assert CJK.search(line), line


@pytest.mark.slow
def test_three_seconds_measure_something_and_say_what_was_left_out(people):
    said = shell(people, "audit", "mine:slow", "--data", "rows.csv", "--target", "ill", "--budget-seconds", 3)  # fmt: skip
    assert said.returncode == 0, said.stderr
    found, why = measured(people / "runs/audit-slow"), reasons(people / "runs/audit-slow")
    assert "learning.accuracy" in found
    assert any("the budget of 3 s was spent" in reason for reason in why.values())
    assert "the budget of 3 s was spent" in said.stderr


def test_a_model_that_breaks_in_the_middle_loses_nothing_that_was_measured(here, ask):
    said = ask("audit", "mine:broken", "--data", "rows.csv", "--target", "ill", "--axes", "learning,generalization,security")  # fmt: skip
    assert said.code == 0, said.err
    run = here / "runs/audit-broken"
    assert "learning.accuracy" in measured(run)
    assert any("429" in reason for reason in reasons(run).values())
    assert "429" in (run / "log.txt").read_text(encoding="utf-8")


def test_a_model_that_answers_nonsense_is_refused_at_once(here, ask):
    said = ask("audit", "mine:nothing", "--data", "rows.csv", "--target", "ill", "--answers", "logits")  # fmt: skip
    assert said.code == 3
    assert "not finite" in said.err
    assert not (here / "runs/audit-nothing/run.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--data", "rows.csv", "--target", "il"), "Did you mean ill?"),
        (("--data", "rows.csv"), "--target"),
        (("--data", "nowhere.csv", "--target", "ill"), "no such file"),
        (("--data", "rows.csv", "--target", "ill", "--axes", "speed"), "There are: learning"),
        (("--data", "rows.csv", "--target", "ill", "--budget-seconds", "0"), "above 0"),
        (("--data", "rows.csv", "--target", "ill", "--train", "nowhere.csv"), "no such file"),
        (("--data", "rows.csv", "--target", "age"), "The model was fitted on a column age"),
        (("--data", "rows.csv", "--target", "ill", "--baseline", "nowhere"), "no finished run"),
        (("--data", "rows.csv", "--target", "ill", "--name", "../up"), "cannot be a name"),
    ],
)
def test_what_cannot_be_audited_is_refused_with_a_mend(people, ask, monkeypatch, words, told):
    monkeypatch.chdir(people)
    said = ask("audit", "tree.skops", *words)
    assert said.code == 3
    assert told in said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) >= 2


def test_an_audit_never_writes_over_a_run(people, ask, monkeypatch):
    (people / "runs/mine").mkdir(parents=True)
    (people / "runs/mine/recipe.toml").write_text('name = "mine"\n')
    monkeypatch.chdir(people)
    said = ask("audit", "tree.skops", "--data", "rows.csv", "--target", "ill", "--name", "mine")
    assert said.code == 3
    assert "--name" in said.err


def test_one_row_is_explained_with_the_value_of_each_column(people, ask, monkeypatch):
    monkeypatch.chdir(people)
    said = ask("explain", "linear.skops", "--input", "rows.csv", "--row", 2, "--target", "ill", "--out", "why.png")  # fmt: skip
    assert said.code == 0, said.err
    assert "age = " in said.out
    assert "Method:" in said.err
    assert (people / "why.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("ending", ["svg", "html", "json"])
def test_an_explanation_is_written_in_every_form(people, ask, monkeypatch, ending):
    monkeypatch.chdir(people)
    said = ask("explain", "mine:ask", "--input", "rows.csv", "--target", "ill", "--method", "leverage", "--json", "--out", f"why.{ending}")  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["method"].startswith("LeverageSHAP")
    total = sum(f["attribution"] for f in told["features"])
    assert total == pytest.approx(told["score"] - told["base"], abs=1e-4)
    written = (people / f"why.{ending}").read_text(encoding="utf-8")
    assert {"svg": "<svg", "html": "<h1>", "json": '"features"'}[ending] in written


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--row", "999"), "There is no row 999"),
        (("--method", "magic"), "There are: auto"),
        (("--out", "why.bmp"), ".png"),
    ],
)
def test_what_cannot_be_explained_is_refused(people, ask, monkeypatch, words, told):
    monkeypatch.chdir(people)
    said = ask("explain", "linear.skops", "--input", "rows.csv", "--target", "ill", *words)
    assert said.code == 3
    assert told in said.err


def test_an_attack_by_queries_saves_what_fools(people, ask, monkeypatch):
    import polars as pl

    monkeypatch.chdir(people)
    said = ask("attack", "linear.skops", "--data", "rows.csv", "--target", "ill", "--eps", 0.5, "--queries", 40, "--rows", 60, "--save", "fools.csv", "--json")  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    robust = told["robust_accuracy"]
    assert told["method"] == "query"
    assert robust["low"] <= robust["value"] < told["clean_accuracy"]
    saved = pl.read_csv(people / "fools.csv")
    assert told["fooled"] >= told["fooled_with_whole_numbers"] == saved.height > 0
    assert saved["age"].cast(float).is_close(saved["age"].cast(float).round()).all()
    assert (saved["after answer"] != saved["ill"]).all()
    assert (people / "fools.png").is_file()


def test_gradients_of_a_black_box_are_refused(people, ask, monkeypatch):
    monkeypatch.chdir(people)
    said = ask("attack", "linear.skops", "--data", "rows.csv", "--target", "ill", "--method", "pgd")
    assert said.code == 3
    assert "--method query" in said.err


def test_a_stage_of_a_run_knows_what_it_reads_and_whom_it_was_trained_on(
    made, ask, monkeypatch, no_page
):
    """The recipe is the data: the split and the columns are those of the run."""
    monkeypatch.chdir(made)
    stage = read_run(made / "runs/toy").stages[-1].name
    said = ask("audit", f"runs/toy:{stage}", "--data", "toy.toml", "--axes", "learning,privacy", "--baseline", f"runs/toy:{stage}", "--json")  # fmt: skip
    assert said.code == 0, said.err
    told = json.loads(said.out)
    rows = [r for r in told["matrix"] if r["stage"] == "audited" and r["name"] == "epsilon"]
    assert rows  # its own history says what is guaranteed
    assert read_run(Path(told["run"])).stages[0].name == f"toy/{stage}"
