import subprocess

import pytest
import torch

from wavezoo.bench import suite
from wavezoo.bench.report import Report
from wavezoo.errors import WavezooError
from wavezoo.experiments.collect import commit_of
from wavezoo.experiments.records import Column, Record, read_record_file

CPU = torch.device("cpu")
ROW = {"grid": "8", "batch": 1, "channels": 4, "kept_mib": 1.0}
ROWS = [
    {**ROW, "contender": "layer: closed_form", "forward_ms": 1.0, "both_ms": 2.0},
    {**ROW, "contender": "layer: trajectory", "forward_ms": 1.0, "both_ms": 2.0},
    {**ROW, "contender": "layer: attention, fused", "forward_ms": 3.0, "both_ms": 8.0},
    {**ROW, "contender": "layer: attention, unfused", "forward_ms": 2.0, "both_ms": 9.0},
]


@pytest.fixture
def measured(monkeypatch):
    """The tables measured, each of which is made up; the code has a commit that a test may change."""
    done = []

    def table(name):
        def made(effort):
            done.append(name)
            columns = tuple(Column(key=key, title=key) for key in ROWS[0])
            return Report(name, "", columns, [dict(row) for row in ROWS])

        return made

    monkeypatch.setattr(suite, "TABLES", {name: table(name) for name in ("operator", "transforms")})
    monkeypatch.setattr(suite, "commit_of", lambda root: done.commit)
    monkeypatch.setattr(suite, "versions", lambda: {"torch": "1"})
    tables = type("Tables", (list,), {"commit": "1234567"})
    done = tables()
    return done


def files_of(folder, **options):
    return [file.name for file, _ in suite.measure_all(folder, CPU, **options)]


def test_every_table_becomes_a_record_and_ratios_follow_from_them(tmp_path, measured):
    out = tmp_path / "deep" / "results"
    assert files_of(out) == ["bench_operator.json", "bench_transforms.json", "bench_ratios.json"]
    record = read_record_file(out / "bench_operator.json")
    assert record.rows == ROWS
    assert (record.commit, record.versions, record.machine.cores) == (
        "1234567",
        {"torch": "1"},
        torch.get_num_threads(),
    )
    assert "--only operator" in record.command
    [ratio] = read_record_file(out / "bench_ratios.json").rows
    assert (ratio["beside"], ratio["forward"], ratio["both"]) == ("layer: attention, fused", 2.0, 4.0)


def test_what_is_there_is_not_measured_again(tmp_path, measured):
    first = suite.measure_all(tmp_path, CPU)
    next(first)
    first.close()
    assert measured == ["operator"]
    files_of(tmp_path)
    assert measured == ["operator", "transforms"]
    files_of(tmp_path, only=["transforms"])
    assert measured == ["operator", "transforms"]


@pytest.mark.parametrize("change", ["commit", "versions", "command", "machine", "dirty"])
def test_what_was_made_otherwise_is_measured_again(change, tmp_path, measured, monkeypatch):
    options = {"only": ["operator"]}
    files_of(tmp_path, **options)
    if change == "commit":
        measured.commit = "7654321"
    elif change == "dirty":
        measured.commit += "-dirty"
    elif change == "versions":
        monkeypatch.setattr(suite, "versions", lambda: {"torch": "2"})
    elif change == "machine":
        monkeypatch.setattr(suite, "processor", lambda: "another")
    else:
        options["repeats"] = 2
    files_of(tmp_path, **options)
    assert measured == ["operator"] * 2


def test_folders_and_records_that_cannot_be_used_are_named(tmp_path, measured):
    (tmp_path / "file").touch()
    with pytest.raises(WavezooError, match="cannot be written"):
        files_of(tmp_path / "file")
    (tmp_path / "bench_operator.json").write_text("{}")
    with pytest.raises(WavezooError, match=r"bench_operator\.json is no record.*remove it"):
        files_of(tmp_path)


def test_documents_do_not_make_a_checkout_dirty(tmp_path):
    def git(*arguments):
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    for name in ("code.py", "README.md", "docs/page.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    clean = commit_of(tmp_path)
    for name in ("README.md", "docs/page.md", "docs/new.json"):
        (tmp_path / name).write_text("new")
    assert commit_of(tmp_path) == clean
    (tmp_path / "code.py").write_text("new")
    assert commit_of(tmp_path) == f"{clean}-dirty"


def test_the_command_writes_records_and_goes_on(wavezoo_, tmp_path):
    given = ("bench", "all", "--smoke", "--out", "records", "--only", "transforms", "--repeats", "1", "--device", "cpu")
    code, out, err = wavezoo_(*given)
    assert code == 0, err
    assert isinstance(read_record_file(tmp_path / "records" / "bench_transforms.json"), Record)
    assert "FFT or matrix products" in out
