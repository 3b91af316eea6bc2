"""optuna-dashboard on our storages: what it shows in a browser, and that nothing is ever written."""

import json
import os
import sys
import threading
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from sqlalchemy.exc import DBAPIError

import synthetic
import tiny
from studies.cli.doing.dashboard import newest
from studies.ledger.dashboard import dashboard
from studies.ledger.folder import ResultsFolder
from studies.ledger.storages import open_storage

pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")
BIND = "127.0.0.1:80"


@pytest.fixture
def folder(place):
    ledger = place.ledger(create=True)
    ledger.plan = plan = tiny.plan({"pooling": ("cls", "mean")})
    for i, entry in enumerate(ledger.enqueue_all(plan.trials)):
        ledger.claim(entry)
        ledger.complete(entry, {"val_accuracy": 0.5 + i / 10, "curve": [{"epoch": 1, "val_accuracy": 0.25}]})
    server = None if place.url.get_backend_name() == "sqlite" else place.url.render_as_string(hide_password=False)
    return ResultsFolder(place.home, server)


@pytest.fixture
def ask(folder):
    """A request to the dashboard, past the network: its status, and what it answers."""
    server, _ = dashboard(folder, 0)
    server.server_close()

    def asked(method, path, host=BIND):
        environ, status = {}, []
        setup_testing_defaults(environ)
        environ |= {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": host}
        answer = b"".join(server.get_app()(environ, lambda said, *_: status.append(said)))
        return int(status[0][:3]), json.loads(answer)

    return asked


def test_it_tells_parameters_values_and_curves_and_refuses_to_write(folder, ask, place):
    before = [(entry, entry.record) for entry in place.ledger().history()]
    status, studies = ask("GET", "/api/studies")
    assert status == 200
    (known,) = studies["study_summaries"]
    assert (known["study_name"], known["directions"]) == ("study", ["maximize"])
    _, detail = ask("GET", f"/api/studies/{known['study_id']}")
    assert detail["objective_names"] == ["val_accuracy"]
    trial = detail["trials"][3]
    params = {one["name"]: one["param_external_value"] for one in trial["params"]}
    assert params.items() >= {"pooling": "mean", "seed": "1", "batch_size": "1000"}.items()
    assert trial["values"] == [0.8]
    assert trial["intermediate_values"] == [{"step": 1, "value": 0.25}]
    assert ask("GET", f"/api/studies/{known['study_id']}/param_importances")[0] == 200
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ask(method, f"/api/studies/{known['study_id']}")[0] == 403
    assert ask("GET", "/api/studies", "evil.example:80")[0] == 403
    assert [(entry, entry.record) for entry in place.ledger().history()] == before


def test_the_storage_itself_refuses_to_be_written(folder, place):
    storage = open_storage(place.url, create=False, read_only=True)
    study = optuna.load_study(study_name="study", storage=storage)
    with pytest.raises((optuna.exceptions.StorageInternalError, DBAPIError)):
        study.set_user_attr("mine", 1)
    place.ledger().note("ours", 1)  # whoever runs it is not hindered


def test_the_newest_study_is_meant_where_none_is_named(tmp_path, monkeypatch):
    for age, name in enumerate(("old", "new", "older")):
        storage = tiny.home(tiny.filled(tmp_path / f"{name}-mnist-cpu")).storage
        os.utime(storage, (2e9 - 10 * (age != 1) - age, 2e9 - 10 * (age != 1) - age))
    assert newest(tmp_path, None).name == "new-mnist-cpu"


def test_what_is_missing_is_said_in_one_line(tmp_path, capsys, monkeypatch):
    assert tiny.vit_ablate("dashboard", "--results", str(tmp_path)) == 2
    assert "start one with `vit-ablate run`" in capsys.readouterr().err
    tiny.filled(tmp_path / "tiny-mnist-cpu")
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert tiny.vit_ablate("dashboard", "--results", str(tmp_path)) == 2
    assert "pip install 'vit-ablate[dashboard]'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_browser_shows_the_study_its_parameters_and_asks_nobody_else(tmp_path):
    browsers = pytest.importorskip("browsers", reason="selenium is not installed")
    if not (browsers.CHROMIUM and browsers.DRIVER):
        pytest.skip("no Chromium here")
    from selenium.webdriver.support.wait import WebDriverWait

    ledger = synthetic.ledger(tmp_path / "ablations-mnist-cpu", synthetic.plan(seeds=1))
    storage = Path(tiny.home(ledger).storage)
    before = storage.read_bytes()
    server, address = dashboard(tiny.home(ledger), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with browsers.chromium(tmp_path / "profile") as driver:

            def text(*parts):
                def shown(driver):
                    found = driver.execute_script("return document.body.innerText")
                    return found if all(part in found for part in parts) else None

                return WebDriverWait(driver, 60).until(shown)

            driver.get(address)
            text("ablations-mnist-cpu", "val_accuracy", "positional", "chunking: tiles", "learning_rate: 0.014")
            driver.get(f"{address}/trials?numbers=1")
            text("ablations-mnist-cpu", "Intermediate Values", "pooling", "horizontal/none/mean")
            assert driver.get_log("browser") == []
            home = address.split("/dashboard")[0]
            assert [url for url in browsers.requested(driver) if not url.startswith((home, "data:", "blob:"))] == []
    finally:
        server.shutdown()
        server.server_close()
    assert storage.read_bytes() == before
