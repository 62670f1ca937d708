"""Pipelines fitted on frames with names and words, as people have them, answer as they do outside."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from fivefold.core.codepoints import encode_texts
from fivefold.core.errors import BadInput
from fivefold.core.schema import Column, Schema
from fivefold.core.task import Task
from fivefold.models import SklearnModel

N = 120
JOBS = ("baker", "driver", "nurse")
CODES = ("1", "2", "10")
SCHEMA = Schema(
    columns=(
        Column(name="job title", kind="category", categories=JOBS, is_optional=True),
        Column(name="age", low=18, high=90, is_optional=True),
        Column(name="code", kind="category", categories=CODES),
        Column(name="dose", low=0, high=1),
    ),
    shape=(4,),
)
TASK = Task(classes=("no", "yes"))
WORDS, NUMBERS = ["job title", "code"], ["dose", "age"]


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    own = torch.Generator().manual_seed(3)
    job = torch.randint(3, (N,), generator=own).float()
    age = torch.randint(18, 90, (N,), generator=own).float()
    code = torch.randint(3, (N,), generator=own).float()
    dose = (torch.rand(N, generator=own) * 10).round() / 10
    job[::7], age[::5] = torch.nan, torch.nan
    return torch.stack([job, age, code, dose], dim=1)


def people(x: torch.Tensor, missing: Any) -> pl.DataFrame:
    """The frame as its owner has it: columns in another order, whole codes, and words."""
    job = [missing if np.isnan(v) else JOBS[int(v)] for v in x[:, 0].tolist()]
    return pl.DataFrame(
        [
            pl.Series("dose", [float(str(v)) for v in x[:, 3].numpy()]),
            pl.Series("code", [int(CODES[int(v)]) for v in x[:, 2].tolist()]),
            pl.Series("job title", job, dtype=pl.String if missing is None else pl.Object),
            pl.Series("age", x[:, 1].numpy().astype(np.float64)),
        ]
    )


def target(x: torch.Tensor) -> np.ndarray:
    score = (x[:, 0].nan_to_num(3) == 1).float() + x[:, 3] - 0.5 + (x[:, 2] == 2).float() / 2
    return np.array(TASK.classes)[(score > 0.3).long().numpy()]


def imputed(encoder: Any) -> Any:
    return make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), encoder)


def columns(words: Any, which: list[str]) -> ColumnTransformer:
    return ColumnTransformer([("words", words, which), ("numbers", SimpleImputer(), NUMBERS)])


ESTIMATORS = {
    "one hot": make_pipeline(columns(OneHotEncoder(), WORDS), StandardScaler(with_mean=False), LogisticRegression(max_iter=2000)),
    "imputed": make_pipeline(columns(imputed(OneHotEncoder()), ["job title"]), LogisticRegression(max_iter=2000)),
    "ordinal": make_pipeline(columns(OrdinalEncoder(), WORDS), RandomForestClassifier(5, random_state=0)),
    "search": GridSearchCV(make_pipeline(columns(OneHotEncoder(), WORDS), LogisticRegression(max_iter=2000)), {"logisticregression__C": [1.0]}, cv=2),
}  # fmt: skip


@pytest.mark.parametrize("missing", [None, np.nan], ids=["null", "nan"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_pipeline_gets_its_own_columns_and_words(name, missing, x):
    if name == "imputed" and missing is None:
        return  # scikit-learn's imputer does not know None
    frame = people(x, missing)
    estimator = ESTIMATORS[name].fit(frame, target(x))
    model = SklearnModel(estimator=estimator, task=TASK, schema=SCHEMA)
    expected = estimator.predict_proba(frame)
    assert np.allclose(model.predict(x).softmax(-1), expected, atol=1e-6)
    assert expected.std() > 0.05


def test_boosting_gets_categories_by_their_words(x):
    frame = people(x, None).with_columns(pl.col("job title").cast(pl.Categorical))
    boosting = HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype")
    estimator = boosting.fit(frame, target(x))
    model = SklearnModel(estimator=estimator, task=TASK, schema=SCHEMA)
    assert np.allclose(model.predict(x).softmax(-1), estimator.predict_proba(frame), atol=1e-6)


def test_encoders_fitted_on_an_array_of_words_get_one(x):
    rows = people(x.nan_to_num(1), np.nan).select(c.name for c in SCHEMA.columns).to_numpy()
    encoder = ColumnTransformer([("words", OneHotEncoder(), [0, 2])], remainder="passthrough")
    estimator = make_pipeline(encoder, LogisticRegression(max_iter=2000)).fit(rows, target(x))
    model = SklearnModel(estimator=estimator, task=TASK, schema=SCHEMA)
    told = model.predict(x.nan_to_num(1)).softmax(-1)
    assert np.allclose(told, estimator.predict_proba(rows), atol=1e-6)


def test_numbers_that_an_encoder_knows_arrive_as_they_were(x):
    frame = people(x, None).select("dose")
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression(max_iter=2000)).fit(
        frame, target(x)
    )
    model = SklearnModel(estimator=estimator, task=TASK, schema=SCHEMA)  # 0.1 is not float32(0.1)
    assert np.allclose(model.predict(x).softmax(-1), estimator.predict_proba(frame), atol=1e-6)


def test_a_column_that_is_not_there_is_named(x):
    frame = people(x, None).rename({"dose": "amount"}).select("amount")
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression(max_iter=2000)).fit(
        frame, target(x)
    )
    with pytest.raises(BadInput, match="amount"):
        SklearnModel(estimator=estimator, task=TASK, schema=SCHEMA)


def test_a_pipeline_of_texts_gets_strings():
    texts = ["good film", "bad film", "很好 的 电影", "bad bad", "good good"] * 4
    labels = ["yes", "no", "yes", "no", "yes"] * 4
    estimator = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=2000)).fit(
        texts, labels
    )
    schema = Schema(shape=(12,), is_text=True)
    model = SklearnModel(estimator=estimator, task=TASK, schema=schema)
    told = model.predict(encode_texts(texts, 12)).softmax(-1)
    assert np.allclose(told, estimator.predict_proba(texts), atol=1e-6)
