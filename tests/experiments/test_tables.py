import json
from pathlib import Path
from statistics import mean

import pytest

from wavezoo.errors import WavezooError
from wavezoo.experiments import Column, Record, read_record, render, update, write_record

ROOT = Path(__file__).parent.parent.parent
RECORDS = sorted(file.stem for file in (ROOT / "docs" / "results").glob("*.json"))
RECORD = Record(
    title="A trial",
    caption="Of nothing.",
    command="wavezoo train nothing --set seed=SEED",
    seeds=[0, 1],
    date="2026-01-31",
    commit="1234567",
    columns=[
        Column(key="mixer", title="mixer", code=True),
        Column(key="accuracy", title="accuracy", unit="%", scale=0.01, digits=1),
        Column(key="seconds", title="minutes", scale=60, digits=1, spread=False),
    ],
    rows=[
        {"mixer": "wave", "accuracy": [0.5, 0.6], "seconds": [60, 120]},
        {"mixer": "none", "accuracy": [0.7, 0.7], "seconds": None},
    ],
)


@pytest.fixture
def checkout(tmp_path):
    write_record(tmp_path, "trial", RECORD)
    (tmp_path / "README.md").write_text("Before.\n\n<!-- results: trial -->\nold\n<!-- /results -->\n\nAfter.\n")
    (tmp_path / "docs" / "deep").mkdir()
    (tmp_path / "docs" / "deep" / "page.md").write_text("<!-- results: trial trial -->\n<!-- /results -->\n")
    return tmp_path


@pytest.mark.parametrize("name", RECORDS)
def test_committed_records_are_whole_and_shown(name):
    record = read_record(ROOT, name)
    assert record.rows
    assert record.commit != "unknown"
    assert not record.commit.endswith("dirty")
    shown = [file for file in (ROOT / "docs").rglob("*.md") if f"<!-- results: {name} -->" in file.read_text()]
    assert shown, f"no page of docs shows {name}"


def test_committed_tables_are_those_of_the_records():
    assert update(ROOT, check=True) == []


@pytest.mark.parametrize("name", RECORDS)
def test_a_written_record_is_the_one_that_is_read(name, tmp_path):
    record = read_record(ROOT, name)
    written = write_record(tmp_path, name, record)
    assert read_record(tmp_path, name) == record
    assert written.read_text() == (ROOT / "docs" / "results" / written.name).read_text()


def test_a_table_shows_means_deviations_seeds_and_what_made_it():
    table = render(RECORD)
    assert "| mixer | accuracy, % | minutes |" in table
    assert "| `wave` | 55.0 ± 7.1 (50.0, 60.0) | 1.5 |" in table
    assert "| `none` | 70.0 ± 0.0 (70.0, 70.0) |  |" in table
    for said in ("Of nothing.", RECORD.command, RECORD.commit, RECORD.date, "Seeds 0, 1", "versions not recorded"):
        assert said in table


def test_tables_change_with_their_records_and_nothing_else_does(checkout):
    changed = update(checkout)
    assert [file.name for file in changed] == ["README.md", "page.md"]
    text = (checkout / "README.md").read_text()
    assert text.startswith("Before.\n\n<!-- results: trial -->\n")
    assert text.endswith("<!-- /results -->\n\nAfter.\n")
    assert render(RECORD) in text
    assert update(checkout) == []
    assert update(checkout, check=True) == []

    better = RECORD.model_copy(update={"rows": [{"mixer": "wave", "accuracy": [1.0, 1.0]}]})
    write_record(checkout, "trial", better)
    with pytest.raises(WavezooError, match=r"README\.md.*wavezoo results"):
        update(checkout, check=True)
    assert (checkout / "README.md").read_text() == text
    update(checkout)
    assert "100.0 ± 0.0" in (checkout / "README.md").read_text()


def test_records_side_by_side_show_their_means(checkout):
    update(checkout)
    text = (checkout / "docs" / "deep" / "page.md").read_text()
    assert "| mixer | A trial, % | A trial, % |" in text
    assert f"| `wave` | {100 * mean([0.5, 0.6]):.1f} ± 7.1 | 55.0 ± 7.1 |" in text


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"rows": [{"mixer": "wave", "accuracy": [0.5]}]},
        {"rows": [{"mixer": "wave", "speed": 3}]},
        {"seeds": "none"},
        {"host": "somewhere"},
    ],
)
def test_a_record_that_is_none_is_refused(checkout, change):
    file = checkout / "docs" / "results" / "trial.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(WavezooError, match="no record of format 1"):
        update(checkout)


def test_a_missing_record_and_a_folder_that_is_no_checkout_are_refused(checkout, tmp_path_factory):
    with pytest.raises(WavezooError, match="nearest first: trial"):
        read_record(checkout, "trail")
    with pytest.raises(WavezooError, match="checkout"):
        update(tmp_path_factory.mktemp("elsewhere"))
