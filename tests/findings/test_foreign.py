import json

import pandas as pd
import pytest

from studies.findings.foreign import find_columns, read_runs
from studies.statistics.screening import RunsError, Wanted

ROWS = [{"model": arm, "seed": seed, "acc": 0.5 + seed / 100} for arm in ("none", "NA", "null") for seed in range(2)]


def table(*columns: str) -> pd.DataFrame:
    return pd.DataFrame([[str(i)] * len(columns) for i in range(4)], columns=list(columns))


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl", "ndjson", "json"])
def test_every_kind_of_file_keeps_words_as_they_are(tmp_path, ending):
    path = tmp_path / f"runs.{ending}"
    frame = pd.DataFrame(ROWS)
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if ending == "csv" else "\t")
    else:
        frame.to_json(path, orient="records", lines=ending != "json")
    read = read_runs(path)
    assert list(read["model"]) == [row["model"] for row in ROWS]
    assert list(read["acc"].astype(float)) == [row["acc"] for row in ROWS]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("runs.xlsx", b"", "runs.xlsx: cannot tell what it is; choices: .csv, .tsv, .parquet"),
        ("runs.csv", b"", "runs.csv is no csv table: No columns to parse"),
        ("runs.csv", b"a,b\n1,2,3\n4,5,6,7\n", "runs.csv is no csv table"),
        ("runs.csv", b"a,b\n\xff\xfe,1\n", "runs.csv is no csv table"),
        ("runs.parquet", b"PAR1 nothing", "runs.parquet is no"),
        ("runs.jsonl", b"{", "runs.jsonl is no jsonl table"),
        ("runs.jsonl", b"[1]\n", "every row must be an object"),
        ("runs.json", b'{"a": 1}', "every row must be an object"),
    ],
)
def test_what_is_no_table_is_said_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RunsError) as raised:
        read_runs(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("columns", "asked", "expected"),
    [
        (["cell", "seed", "status", "test_accuracy", "val_accuracy"], {}, Wanted("cell", "test_accuracy", "seed")),
        (
            ["run_id", "status", "metrics.acc", "metrics.loss", "params.model", "params.seed", "tags.mlflow.user"],
            {"metric": "loss"},
            Wanted("params.model", "metrics.loss", "params.seed"),
        ),
        (["metrics.f1", "params.model"], {}, Wanted("params.model", "metrics.f1")),
        (
            ["number", "value", "params_model", "user_attrs_seed", "state"],
            {},
            Wanted("params_model", "value", "user_attrs_seed"),
        ),
        (
            ["Name", "State", "model", "seed", "test/acc"],
            {"metric": "test/acc"},
            Wanted("model", "test/acc", "seed"),
        ),
        (["config.model", "config.acc", "summary.acc"], {"metric": "acc"}, Wanted("config.model", "summary.acc")),
        (["params.lr", "tags.lr", "Value"], {"arm": "lr"}, Wanted("params.lr", "Value")),
        (["model", "Acc", "dataset"], {"metric": "ACC"}, Wanted("model", "Acc", dataset="dataset")),
        (["a", "b", "acc"], {"factors": ["b", "a"]}, Wanted(None, "acc", factors=("b", "a"))),
    ],
)
def test_columns_are_found_as_trackers_write_them(columns, asked, expected):
    assert find_columns(table(*columns), **asked) == expected


@pytest.mark.parametrize(
    ("columns", "asked", "message"),
    [
        (["model", "acc"], {"metric": "acx"}, "--metric acx: no such column; did you mean 'acc'?; choices: model, acc"),
        (["params.a/lr", "config.lr", "params.lr", "params_lr"], {"arm": "lr", "metric": "params.a/lr"},
         "--arm lr may be each of params.lr, params_lr: write one of them in full"),
        (["model", "score"], {}, "say with --metric what was measured; columns of numbers: model, score"),
        (["who", "acc"], {}, "say with --arm what is compared; columns of levels: "),
    ],
)  # fmt: skip
def test_what_is_missing_or_ambiguous_is_asked_for_with_candidates(columns, asked, message):
    with pytest.raises(RunsError) as raised:
        find_columns(table(*columns), **asked)
    assert str(raised.value).startswith(message)


def test_a_data_set_column_of_one_value_is_not_asked_for():
    assert find_columns(table("model", "acc").assign(dataset="mnist")).dataset is None


@pytest.mark.parametrize("write", [str, json.dumps])
def test_dictionaries_of_weights_and_biases_become_columns(tmp_path, write):
    rows = [
        {"config": write({"model": "a", "opt": {"lr": 1}}), "summary": write({"acc": 0.5}), "name": f"r{i}"}
        for i in (1, 2)
    ]
    path = tmp_path / "runs.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    read = read_runs(path)
    assert set(read) == {"name", "config.model", "config.opt.lr", "summary.acc"}
    assert list(read["summary.acc"]) == [0.5, 0.5]
    assert find_columns(read, arm="opt.lr").arm == "config.opt.lr"


def test_python_text_of_a_nan_is_read(tmp_path):
    path = tmp_path / "runs.csv"
    pd.DataFrame({"summary": ["{'acc': nan}", "{'acc': 0.5}"], "model": "a"}).to_csv(path, index=False)
    assert read_runs(path)["summary.acc"].isna().tolist() == [True, False]
