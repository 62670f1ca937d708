"""The runner: what it makes, what it remembers, what it makes again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import toy
from fivefold.core.errors import BadInput, BadRecipe, Damaged, LimitReached
from fivefold.core.evidence import Evidence, Missing
from fivefold.core.fingerprint import of_state
from fivefold.learning import Finetune
from fivefold.models import MLP, TorchModel, fresh, load_model
from fivefold.recipe import Recipe, read_run, recipe_from, run
from fivefold.recipe.key import seed_of
from fivefold.recipe.walk import apply
from seeding import seeded
from toyrecipe import table


@pytest.fixture
def recipe() -> Recipe:
    toy.CALLS.clear()
    return recipe_from(table())


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def again(recipe, workdir) -> list[str]:
    """Run once more and return the calls that the plug-in saw."""
    toy.CALLS.clear()
    run(recipe, workdir)
    return list(toy.CALLS)


def test_the_stages_are_the_tree(recipe, workdir):
    done = run(recipe, workdir)
    assert [(s.name, s.parent) for s in done.stages] == [
        ("start", ""), ("plain", "start"), ("lazy", "plain"), ("other", "start"),
    ]  # fmt: skip
    assert [r.name for r in done.stage("lazy").lineage] == ["start", "plain", "lazy"]
    assert [r.name for r in done.stage("other").lineage] == ["start", "other"]


def test_it_is_the_same_as_calling_the_steps_by_hand(recipe, workdir):
    run(recipe, workdir)
    kept = load_model(workdir / "toy/stages/01-plain")
    data = recipe.data.load(Path(), seeded())
    start = fresh(MLP(hidden=(8,)), data, seeded(seed_of(0, "start")))
    byhand = Finetune(epochs=30)(start, data.splits.seen, rng=seeded(seed_of(0, "plain")))
    assert isinstance(byhand, TorchModel)
    assert of_state(kept.net.state_dict()) == of_state(byhand.net.state_dict())


def test_what_cannot_be_measured_is_said_with_the_reason(recipe, workdir):
    found = [f for f in run(recipe, workdir).stage("plain").findings if isinstance(f, Missing)]
    assert [(f.key, str(f.reason)) for f in found] == [
        ("security.blind", "nothing to see in the dark")
    ]


def test_a_comparison_is_of_a_stage_with_its_parent(recipe, workdir):
    done = run(recipe, workdir)
    assert done.stage("start").changes == ()
    agreement = {
        s.name: s.changes[0].value for s in done.stages[1:] if isinstance(s.changes[0], Evidence)
    }
    assert agreement["lazy"] == agreement["other"] == 1.0
    assert agreement["plain"] < 1.0


def test_probes_draw_the_same_at_every_stage(recipe, workdir):
    draws = [e.value for s in run(recipe, workdir).stages for e in s.evidence if e.name == "draw"]
    assert len(draws) == 4
    assert len(set(draws)) == 1


def test_nothing_changed_nothing_done(recipe, workdir):
    first = run(recipe, workdir)
    toy.CALLS.clear()
    second = run(recipe, workdir)
    assert toy.CALLS == []
    assert all(s.was_cached for s in second.stages)
    assert [s.findings for s in first.stages] == [s.findings for s in second.stages]


def steps(**changes):
    """Return the steps of the toy recipe with one of them changed."""
    made = table()["steps"]
    return [s | changes.get(s["name"], {}) for s in made]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"name": "toy"}, set()),
        ({"steps": steps(other={"tag": "new"})}, {"step new", "probe "}),
        ({"steps": steps(lazy={"tag": "new"})}, {"step new", "probe "}),
        ({"steps": steps(plain={"epochs": 31})}, {"step lazy", "probe "}),
        ({"steps": steps(lazy={"after": "start"})}, {"step lazy", "probe "}),
        ({"steps": table()["steps"][::2]}, set()),
        ({"probes": [{"use": "toy:Counter", "setting": "b"}]}, {"probe b"}),
        ({"comparisons": []}, set()),
        ({"model": {"use": "models.MLP", "hidden": [9]}}, {"step lazy", "step other", "probe "}),
        ({"data": {"use": "toy:Points", "shift": 0.1}}, {"step lazy", "step other", "probe "}),
        ({"data": {"use": "toy:Points", "n": 210}}, {"step lazy", "step other", "probe "}),
        ({"seed": 1}, {"step lazy", "step other", "probe "}),
    ],
)
def test_a_change_runs_again_exactly_what_depends_on_it(changes, expected, recipe, workdir):
    run(recipe, workdir)
    assert set(again(recipe_from(table(**changes)), workdir)) == expected


def test_a_step_in_between_does_not_disturb_its_neighbours(recipe, workdir):
    run(recipe, workdir)
    extra = {"name": "extra", "after": "plain", "use": "toy:Sleepy", "tag": "extra"}
    between = table(steps=[table()["steps"][0], extra, *steps(lazy={"after": "plain"})[1:]])
    assert again(recipe_from(between), workdir) == ["step extra", "probe "]
    assert sorted(p.name for p in (workdir / "toy/stages").iterdir()) == [
        "00-start", "01-plain", "02-extra", "03-lazy", "04-other",
    ]  # fmt: skip


def test_threads_and_code_are_part_of_the_key(recipe, workdir, monkeypatch):
    from fivefold.recipe import key

    run(recipe, workdir)
    monkeypatch.setattr(key, "_setting", lambda threads: {"threads": "another number"})
    assert "step lazy" in again(recipe, workdir)


def test_force_carries_a_stage_out_again(recipe, workdir):
    run(recipe, workdir)
    toy.CALLS.clear()
    run(recipe, workdir, force=frozenset({"lazy"}))
    assert toy.CALLS == ["step lazy"]


@pytest.mark.parametrize("file", ["model.safetensors", "model.json", "stage.json", "evidence.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_artifact_is_noticed_and_made_again(file, damage, recipe, workdir):
    first = run(recipe, workdir)
    path = workdir / "toy/stages/02-lazy" / file
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    expected = ["probe "] if file == "evidence.json" else ["step lazy"]
    assert again(recipe, workdir) == expected
    assert [s.findings for s in read_run(workdir / "toy").stages] == [
        s.findings for s in first.stages
    ]


def test_a_stopped_run_goes_on_where_it_was(recipe, workdir, monkeypatch):
    whole = run(recipe, workdir.with_name("whole"))

    def stop(*asked, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(toy.Same, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, workdir)
    with pytest.raises(BadInput, match="no finished run"):
        read_run(workdir / "toy")
    calls = again(recipe, workdir)
    assert (
        calls.count("probe ") == 2
    )  # start and plain were measured before the stop; lazy and other are new
    assert [s.key for s in read_run(workdir / "toy").stages] == [s.key for s in whole.stages]


def test_two_walkers_on_one_run_are_refused(recipe, workdir):
    workdir.mkdir()
    with FileLock(workdir / ".toy.lock"), pytest.raises(LimitReached, match="Another process"):
        run(recipe, workdir)


def test_bad_data_write_nothing_but_the_log(workdir, tmp_path):
    recipe = recipe_from(
        table(data={"use": "data.Table", "path": "absent.csv", "target": "y"}), folder=tmp_path
    )
    with pytest.raises(BadInput):
        run(recipe, workdir)
    assert [p.name for p in (workdir / "toy").iterdir()] == ["log.txt"]


def test_two_probes_of_one_key_are_refused(workdir):
    twice = recipe_from(table(probes=[{"use": "toy:Counter"}, {"use": "toy:Counter"}]))
    with pytest.raises(BadRecipe, match="both measure"):
        run(twice, workdir)


def test_a_run_is_read_back_as_it_was(recipe, workdir):
    done = run(recipe, workdir)
    assert read_run(workdir / "toy") == done


def test_a_forged_record_is_refused(recipe, workdir):
    run(recipe, workdir)
    path = workdir / "toy/run.json"
    path.write_text(path.read_text().replace('"plain"', '"fancy"'))
    with pytest.raises(Damaged):
        read_run(workdir / "toy")


def test_the_recipe_in_the_folder_is_the_recipe(recipe, workdir):
    from fivefold.recipe import read_recipe

    run(recipe, workdir)
    kept = read_recipe(workdir / "toy/recipe.toml")
    assert replace(kept, folder=recipe.folder) == recipe


def test_a_step_that_claims_not_to_read_data_is_given_none(trained, table):
    from fivefold.core.lineage import Claim

    class Honest:
        def claim(self, n_examples):
            return Claim(reads_data=False)

        def __call__(self, model, seen, *, rng):
            assert (seen.train.size, seen.valid.size) == (0, 0)
            return model

    import fivefold.recipe.walk as walk

    encode = walk.encode
    walk.encode = lambda step: {"use": "honest"}
    try:
        after = apply(Honest(), "honest", trained, table.splits.seen, seeded())  # type: ignore[arg-type]
    finally:
        walk.encode = encode
    assert after.lineage[-1].data == ""


def test_global_randomness_is_left_alone(recipe, workdir):
    before = torch.random.get_rng_state()
    run(recipe, workdir)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_files_are_plain(recipe, workdir):
    run(recipe, workdir)
    names = {p.name for p in (workdir / "toy/stages/01-plain").iterdir()}
    assert names == {"model.safetensors", "model.json", "stage.json", "evidence.json"}
    json.loads((workdir / "toy/run.json").read_text())


def test_a_run_and_its_evidence_show_themselves_in_a_notebook(recipe, workdir):
    done = run(recipe, workdir)
    shown = done._repr_html_()
    assert shown.count("<tr>") == 1 + len(done.stages)
    assert "learning.Finetune" in shown
    assert "<script>" not in replace(done, name="<script>")._repr_html_()
    found = done.stage("plain").evidence[0]
    assert "learning.accuracy" in found._repr_html_()
    assert f"n = {found.n}" in found._repr_html_()


def test_a_number_of_another_task_is_not_asked_for(workdir):
    both = recipe_from(table(probes=[{"use": "learning.Accuracy"}, {"use": "learning.RMSE"}]))
    found = run(both, workdir).stage("plain").findings
    assert [f.key for f in found] == ["learning.accuracy"]


def test_a_step_stopped_in_the_middle_goes_on_there_with_the_same_bits(
    recipe, workdir, monkeypatch
):
    import fivefold.recipe.walk as walk
    from fivefold.core import progress

    class Stopper:
        """Raises in the middle of training; counts batches when it is not to raise."""

        def __init__(self, stop_at):
            self.left, self.seen, self.training = stop_at, 0, -1

        def start(self, label, total):
            self.training = self.training + 1 if "training" in label else self.training
            return int("training" in label)

        def advance(self, handle):
            self.seen += handle
            if handle and self.seen == self.left:
                raise KeyboardInterrupt

        def scalar(self, label, value, index):
            pass

        def stop(self, handle):
            pass

    keeping = walk.checkpoint.keeping
    monkeypatch.setattr(
        walk.checkpoint, "keeping", lambda *a, **k: keeping(*a, **k, every_seconds=0)
    )
    whole = run(recipe, workdir.with_name("whole"))
    with pytest.raises(KeyboardInterrupt), progress.heard_by(Stopper(20)):
        run(recipe, workdir)
    counter = Stopper(0)
    with progress.heard_by(counter):
        again = run(recipe, workdir)
    assert (
        0 < counter.seen <= 60 - 18
    )  # two batches an epoch, thirty epochs: not from the beginning
    assert [s.key for s in again.stages] == [s.key for s in whole.stages]
    assert not (workdir / "toy/stages/01-plain/unfinished").exists()
