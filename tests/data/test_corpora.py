"""Corpora: no character is lost on the way to tokens and back, windows stand side by side, and tokens are kept."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wavezoo.data import DataSource, find_dataset
from wavezoo.data.text.corpora import DATASETS
from wavezoo.data.text.tokenizers import KINDS, PairTokenizer, build_tokenizer, from_json
from wavezoo.errors import WavezooError

TEXT = "Wo die Wellen laufen,\nläuft auch — das Ufer. \U0001f30a\n\n" * 40
LENGTH = 16


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def corpus(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8")
    return file


def tokenizer_of(kind):
    return build_tokenizer(kind, lambda: iter([TEXT]), 300)


def source(file, tokenizer="character", **options):
    return DataSource(str(file), options={"length": LENGTH, "tokenizer": tokenizer, **options})


@pytest.mark.parametrize("kind", KINDS)
def test_text_comes_back_whole_from_tokens_and_from_the_run_folder(kind):
    tokenizer = tokenizer_of(kind)
    tokens = tokenizer.encode(TEXT)
    assert tokens.max() < tokenizer.vocabulary
    again = from_json(tokenizer.to_json())
    assert again.vocabulary == tokenizer.vocabulary
    assert np.array_equal(again.encode(TEXT.encode()), tokens)
    assert again.decode(tokens.tolist()) == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_windows_and_what_follows_them_are_the_text(corpus, kind):
    entry = find_dataset("corpus")
    where = source(corpus, kind, vocabulary=300, shares=(0.8, 0.1))
    facts, splits = entry.facts_at(where), entry.read(where)
    text = ""
    for split in (splits.train, splits.validation, splits.test):
        windows, following = split.inputs.windows(np.arange(len(split)) * LENGTH)
        assert np.array_equal(following, split.targets)
        assert np.array_equal(windows.ravel()[1:], following.ravel()[:-1])
        text += from_json(facts.tokenizer).decode(windows.ravel().tolist())
    assert text in TEXT or text[:200] == TEXT[:200]
    assert facts.units_per_token["train"] >= 1 - 1e-9 or kind == "character"


def test_the_units_of_a_text_are_counted(corpus):
    words = find_dataset("corpus").facts_at(source(corpus, unit="word", shares=(0.8, 0.1)))
    part = TEXT.encode()[: int(len(TEXT.encode()) * 0.8)].decode(errors="ignore")
    counted = len(part.split()) + part.count("\n")
    assert words.units_per_token["train"] * len(part) == pytest.approx(counted, abs=1)


def test_tokens_are_kept_and_follow_the_text(corpus, tmp_path):
    entry = find_dataset("corpus")
    first = entry.read(source(corpus, "byte")).train.inputs.tokens
    assert isinstance(first, np.memmap)
    corpus.write_text(TEXT.replace("Wellen", "Winde"), encoding="utf-8")
    assert not np.array_equal(entry.read(source(corpus, "byte")).train.inputs.tokens[:50], first[:50])


def test_a_part_held_back_is_the_end_of_the_text(corpus):
    entry = find_dataset("corpus")
    where = source(corpus, "byte", shares=(0.9, 0.0))
    whole = entry.read(where).train
    held = entry.read(DataSource(where.path, validation=0.25, options=where.options))
    ends = held.validation.inputs.tokens
    first = held.train.inputs.tokens
    assert np.array_equal(np.concatenate([first[:-1], ends]), whole.inputs.tokens)
    assert len(held.validation) == round(len(whole) / 4)


def test_a_hub_copy_is_read(tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        rows = [f" {split} {number} = \n" for number in range(200)]
        pq.write_table(pa.table({"text": rows}), folder / f"{split}-00000-of-00001.parquet")
    entry = find_dataset("wikitext_2")
    where = source(folder, "byte")
    assert entry.read(where).validation is not None
    facts = entry.facts_at(where)
    assert facts.unit == "word"
    # Three words and the end of the line.
    assert facts.units_per_token["test"] == pytest.approx(4 / np.mean([len(f" test {n} = \n") for n in range(200)]))


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"abc" * 10, "1 tokens"), (b"\xff\xfe" * 99, "no UTF-8")]
)
def test_what_is_no_text_is_told(tmp_path, content, said):
    file = tmp_path / "bad.txt"
    file.write_bytes(content)
    with pytest.raises(WavezooError, match=said):
        find_dataset("corpus").read(source(file))


def test_bytes_take_any_file(tmp_path):
    file = tmp_path / "any.bin"
    file.write_bytes(bytes(range(256)) * 9)
    assert len(find_dataset("corpus").read(source(file, "byte")).train)


@pytest.mark.parametrize("name", [name for name, entry in DATASETS.items() if entry.task == "language"])
def test_the_file_to_get_is_named(name):
    with pytest.raises(WavezooError, match=r"data\.path"):
        find_dataset(name).read(DataSource())


def test_unknown_tokenizers_and_characters(corpus, tmp_path):
    with pytest.raises(WavezooError, match=r"data\.tokenizer is 'bytes'; allowed, nearest first: byte"):
        find_dataset("corpus").read(source(corpus, "bytes"))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(WavezooError, match=r"no tokenizer\.json"):
        find_dataset("corpus").read(source(corpus, str(tmp_path / "tokenizer.json")))
    with pytest.raises(WavezooError, match=r"'Q', which is none of the"):
        tokenizer_of("character").encode("Q")
    assert isinstance(from_json(tokenizer_of("bpe").to_json()), PairTokenizer)
