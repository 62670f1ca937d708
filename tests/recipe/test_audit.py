"""Audits from Python: the clock, the members, what fails, what is said."""

import time
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from fivefold.core.codepoints import decode_texts
from fivefold.core.data import Batch, Dataset, Seen, Splits, as_tensor
from fivefold.core.errors import BadInput, LimitReached
from fivefold.core.evidence import Axis, Evidence, Missing
from fivefold.core.progress import track
from fivefold.models import CallableModel
from fivefold.recipe import read_run
from fivefold.recipe.audit import Given, Plan, Subject, audit
from fivefold.recipe.audit.chosen import CHEAP_FIRST
from fivefold.recipe.audit.members import Members, without_members
from fivefold.recipe.audit.smaller import SIZES, size_of, smaller, work_of
from fivefold.recipe.audit.watch import Spent, Watch, watched
from fivefold.recipe.presets import full, quick
from seeding import seeded


def closed(data: Dataset, function) -> CallableModel:
    return CallableModel(function=function, task=data.task, schema=data.schema, answers="logits")


def linear(x: np.ndarray) -> np.ndarray:
    z = x[:, 0] + x[:, 1]
    return np.stack([-z, z], 1)


def hung(x: np.ndarray) -> np.ndarray:
    try:
        time.sleep(60)
    except Exception:  # a model that swallows whatever interrupts it
        return linear(x)
    return linear(x)


def findings(run) -> dict[str, Evidence | Missing]:
    return {f.key: f for f in run.stages[-1].findings}


def test_a_closed_model_is_measured_or_says_why_not(table, tmp_path):
    run = audit(closed(table, linear), table, workdir=tmp_path)
    found = findings(run)
    assert {f.axis for f in found.values()} == set(Axis)
    assert all(f.reason for f in found.values() if isinstance(f, Missing))
    assert isinstance(found["privacy.epsilon"], Missing)
    assert isinstance(found["privacy.attack_auc"], Missing)
    assert isinstance(found["generalization.robust_accuracy"], Missing)
    assert isinstance(found["generalization.accuracy_under_queries[linf eps 0.1, 100 queries]"], Evidence)  # fmt: skip
    assert read_run(run.folder).stages[-1].findings == run.stages[-1].findings


def test_members_are_attacked_by_their_loss_alone(table, tmp_path):
    plan = Plan(axes=("privacy",), members=True)
    found = findings(audit(closed(table, linear), table, plan, workdir=tmp_path))
    assert isinstance(found["privacy.attack_auc[loss threshold]"], Evidence)
    untold = found["privacy.attack_auc[LiRA, 4 shadows]"]
    assert isinstance(untold, Missing)
    assert "trains more models" in str(untold.reason)


def test_an_open_network_shows_its_gradients_and_is_left_as_it_was(table, trained, tmp_path):
    before = {k: v.clone() for k, v in trained.net.state_dict().items()}
    run = audit(trained, table, Plan(axes=("generalization", "efficiency")), workdir=tmp_path)
    found = findings(run)
    assert isinstance(found["generalization.robust_accuracy[linf eps 0.1]"], Evidence)
    assert isinstance(found["efficiency.parameters"], Evidence)
    assert not any("accuracy_under_queries" in key for key in found)
    assert all(torch.equal(v, before[k]) for k, v in trained.net.state_dict().items())
    assert not trained.net._forward_pre_hooks
    assert int(run.environment["model queries"].split(" ")[0].replace(",", "")) > 1000


def test_the_same_audit_gives_the_same_numbers(table, tmp_path):
    plan = Plan(axes=("learning", "explanation", "security"))
    runs = [audit(closed(table, linear), table, plan, workdir=tmp_path / n) for n in "ab"]
    assert runs[0].stages[0].findings == runs[1].stages[0].findings


@pytest.mark.parametrize("budget", [0.3])
def test_a_model_that_does_not_come_back_is_interrupted(table, tmp_path, budget):
    with pytest.raises(LimitReached, match="did not answer"):
        audit(closed(table, hung), table, Plan(budget_seconds=budget), workdir=tmp_path)


def test_numbers_need_no_classes(numbers, tmp_path):
    model = CallableModel(
        function=lambda x: 2 * x[:, 0] - x[:, 1],
        task=numbers.task,
        schema=numbers.schema,
        answers="numbers",
    )
    found = findings(audit(model, numbers, Plan(axes=("learning", "generalization")), workdir=tmp_path))  # fmt: skip
    assert "learning.r2" in found
    assert "generalization.accuracy_under_queries" not in str(found.keys())


def test_images_are_audited(images, trained_images, tmp_path):
    model = closed(images, lambda x: trained_images.predict(torch.tensor(x)).numpy())
    found = findings(audit(model, images, Plan(axes=("generalization",)), workdir=tmp_path))
    assert isinstance(found["generalization.accuracy_under_queries[linf eps 0.1, 100 queries]"], Evidence)  # fmt: skip


@dataclass
class Counter:
    n: int = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.n += len(x)
        return linear(x)


def test_every_input_is_counted_and_none_is_lost_between_parts(table):
    counter, watch = Counter(), Watch()
    x = torch.randn(300, 6)
    with watched(closed(table, counter), watch) as seen, watch.allowing(60):
        answer = seen.predict(x)
    assert torch.equal(answer, torch.tensor(linear(x.numpy())))
    assert (watch.inputs, counter.n) == (300, 300)
    assert watch.calls > 1


def test_work_that_only_tells_progress_is_stopped_too():
    watch = Watch()
    with pytest.raises(Spent), watch.allowing(0.0):
        list(track(range(3), "training"))
    list(track(range(3), "training"))


def test_every_probe_of_a_preset_has_its_turn_and_its_least_size():
    probes = [*quick().probes, *full().probes]
    for probe in probes:
        assert type(probe).axis == Axis.LEARNING or type(probe) in CHEAP_FIRST
        made = smaller(probe, 0.25)
        assert (made is None) or work_of(made) < work_of(probe)
        if type(probe) in SIZES and made is not None:
            assert size_of(made)[1] >= min(SIZES[type(probe)][1], size_of(probe)[1])
        assert smaller(probe, 1.0) is None


@pytest.mark.parametrize(("n", "members"), [(100, 0), (100, 40)])
def test_rows_of_the_three_parts_share_nothing(n, members):
    from fivefold.data.split import Examples

    y = torch.arange(n) % 3
    rows = Members(n=members).rows(Examples(n, y, ("a", "b", "c")), seeded())
    assert sorted(torch.cat(list(rows)).tolist()) == list(range(n))
    if members:
        assert rows.train.tolist() == list(range(members))
    else:
        assert len(rows.train) + len(rows.valid) < n / 2


def test_copies_of_training_rows_are_not_tested_on(table):
    seen, test = table.splits
    mixed = Batch(torch.cat([test.x, seen.train.x[:5]]), torch.cat([test.y, seen.train.y[:5]]))
    data = table._replace(splits=Splits(Seen(seen.train, seen.valid), mixed))
    left = without_members(data)
    assert left.splits.test.size == test.size
    assert "5 rows were left out" in str(left.notes[-1])
    assert left.fingerprint != data.fingerprint
    assert without_members(table) is table


def test_only_members_leave_nothing_to_audit_on(table):
    seen = table.splits.seen
    with pytest.raises(BadInput, match="Every row"):
        without_members(table._replace(splits=Splits(Seen(seen.train, seen.train), seen.train)))


def test_two_files_of_different_columns_are_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b,y\n" + "1,2,no\n3,4,yes\n" * 10)
    (tmp_path / "train.csv").write_text("a,c,y\n" + "1,2,no\n3,4,yes\n" * 10)
    given = Given(data=tmp_path / "rows.csv", target="y", train=tmp_path / "train.csv")
    with pytest.raises(BadInput, match="no column b"):
        given.load()


def test_without_a_budget_nothing_is_made_smaller(table, tmp_path):
    run = audit(closed(table, linear), table, Plan(axes=("generalization",)), workdir=tmp_path)
    assert not any("smaller" in str(note) for note in run.data.notes)
    assert Plan().budget_seconds is None


def test_texts_of_training_stand_beside_the_texts_to_audit(tmp_path):
    for name, n in (("seen", 10), ("held", 20)):
        rows = "".join(f"{name} text {i},{'yn'[i % 2]}\n" for i in range(n))
        (tmp_path / f"{name}.csv").write_text(f"review,label\n{rows}")
    given = Given(data=tmp_path / "held.csv", target="label", text="review", train=tmp_path / "seen.csv")  # fmt: skip
    seen, test = given.load().splits
    assert (seen.train.size, seen.valid.size + test.size) == (10, 20)
    assert set(decode_texts(as_tensor(seen.train.x))) == {f"seen text {i}" for i in range(10)}


def test_the_hash_of_an_onnx_file_knows_the_weights_beside_it(tmp_path):
    onnx = pytest.importorskip("onnx")
    path, kind = tmp_path / "m.onnx", onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", kind, [1])],
        [onnx.helper.make_tensor_value_info("y", kind, [1])],
        [onnx.numpy_helper.from_array(np.ones(1, np.float32), "w")],
    )
    more = {"save_as_external_data": True, "location": "m.data", "size_threshold": 0}
    onnx.save_model(onnx.helper.make_model(graph), path, **more)
    before, weights = Subject(named=str(path)).content_hash(), tmp_path / "m.data"
    assert len(before) == 64
    weights.write_bytes(weights.read_bytes()[::-1])
    assert Subject(named=str(path)).content_hash() != before


def test_what_a_copy_of_the_network_answers_is_not_counted(table, trained):
    x = table.splits.test.x
    watch = Watch()
    with watched(trained, watch) as seen:
        seen.predict(x)
        deepcopy(trained.net)(x)
    assert watch.inputs == len(x)


@pytest.mark.parametrize("name", ["-x", "con", "a b", "../a", "x" * 61])
def test_a_run_that_no_recipe_may_name_is_refused(table, tmp_path, name):
    with pytest.raises(BadInput, match="cannot be a name"):
        audit(closed(table, linear), table, workdir=tmp_path, name=name)
