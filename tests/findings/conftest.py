"""Results folders with known differences."""

import json

import pandas as pd
import pytest

ARMS = [f"arm{i}" for i in range(8)]


@pytest.fixture
def runs(tmp_path):
    """Writes a results folder: ten seeds of eight arms, accuracy and speed shifted as asked."""

    def write(name, accuracy=0.0, speed=1.0, content="hash", **facts):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        rows = [
            {
                "cell": arm,
                "seed": s,
                "status": "complete",
                "config_hash": f"{content} {arm}",
                "test_loss": s / 3,
                "test_accuracy": 0.9 + i / 100 + s / 1000 + accuracy * (1 + s / 50),
            }
            for i, arm in enumerate(ARMS)
            for s in range(10)
        ]
        pd.DataFrame(rows).to_csv(folder / "runs.csv", index=False)
        speeds = [{"cell": arm, "train_images_per_second": 1000.0 * (i + 1) * speed * (1 + i / 1000),
                   "infer_images_per_second": 5000.0 * (i + 1)} for i, arm in enumerate(ARMS)]  # fmt: skip
        pd.DataFrame(speeds).to_csv(folder / "cells.csv", index=False)
        (folder / "provenance.json").write_text(json.dumps({"cpu": "Abacus", "cores": "2", "commit": "aaa", **facts}))
        return folder

    return write
