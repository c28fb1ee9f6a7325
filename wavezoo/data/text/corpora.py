"""The corpora that come with an entry of their own, and any texts of one's own."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wavezoo.data.entry import DataOption, DatasetEntry, DataSource
from wavezoo.data.facts import TextFacts
from wavezoo.data.folders import files_below
from wavezoo.data.hub import explained, open_splits, require_columns, require_folder
from wavezoo.data.splits import Splits
from wavezoo.data.text.corpus import Corpus, text_facts, text_splits
from wavezoo.errors import WavezooError
from wavezoo.files import find_file, is_file

Unit = Literal["byte", "character", "word"]
Reader = Callable[[DataSource], Corpus]

TINY_SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
# Of the hundred million bytes of enwik8 and characters of text8, as everybody divides them.
HUNDRED_MILLION = (90_000_000, 5_000_000, 5_000_000)


def _options(tokenizer: str, length: int) -> dict[str, DataOption]:
    return {
        "tokenizer": DataOption(
            str, tokenizer, "byte, character, bpe (byte pairs learned from the training part), or a tokenizer.json."
        ),
        "vocabulary": DataOption(
            Annotated[int, Field(ge=257, le=2**20)], 16_384, "the most byte pairs that bpe learns."
        ),
        "length": DataOption(Annotated[int, Field(ge=1)], length, "the tokens of a window."),
    }


def _entry(
    name: str,
    description: str,
    read: Reader,
    unit: Unit,
    *,
    tokenizer: str,
    length: int = 256,
    options: Mapping[str, DataOption] | None = None,
    columns: Mapping[str, str] | None = None,
) -> DatasetEntry:
    def facts(source: DataSource) -> TextFacts:
        return text_facts(read(source), source, source.options.get("unit", unit))

    def load(source: DataSource) -> Splits:
        return text_splits(read(source), source)

    options = {**_options(tokenizer, length), **(options or {})}
    return DatasetEntry(name, description, facts, load, "language", options=options, columns=columns or {})


def _one_file(source: DataSource, name: str) -> tuple[bytes, Path]:
    """Return what is in the file at the source, or in the one of this name in the folder there."""
    if source.path is None:
        raise WavezooError(f"this corpus is read from a file. Get {name}, and say --set data.path=FILE.")
    file = Path(source.path)
    file = find_file(file, "data.path") if is_file(file) else require_folder(source.path) / name
    try:
        return file.read_bytes(), file
    except OSError as error:
        raise WavezooError(f"{file} cannot be read: {error.strerror}.") from error


def _tiny_shakespeare(source: DataSource) -> Corpus:
    text, file = _one_file(source, "input.txt")
    cut = len(text) * 9 // 10
    return Corpus({"train": [text[:cut]], "test": [text[cut:]]}, str(file))


def _hundred_million(name: str, source: DataSource) -> Corpus:
    text, file = _one_file(source, name)
    if len(text) != sum(HUNDRED_MILLION) and not source.partial:
        raise WavezooError(
            f"{file} has {len(text):,} bytes, and {name} has {sum(HUNDRED_MILLION):,}. Copy it again; or say --set "
            "data.partial=true if it is meant to differ."
        )
    train, validation = (len(text) * part // sum(HUNDRED_MILLION) for part in HUNDRED_MILLION[:2])
    parts = {
        "train": [text[:train]],
        "validation": [text[train : train + validation]],
        "test": [text[train + validation :]],
    }
    return Corpus(parts, str(file))


def _hub(repository: str, source: DataSource, column: str, configuration: str | None = None) -> Corpus:
    splits = open_splits(repository, source, column, configuration)

    def texts(name: str) -> list[bytes]:
        with explained(repository, source.path):
            found = require_columns(splits, name, [column], source)[column]
            return ["".join(str(each) for each in found).encode(errors="replace")]

    names = [name for name in ("train", "validation", "test") if name in splits]
    return Corpus({name: texts(name) for name in names}, source.path or repository)


def _texts(source: DataSource) -> Corpus:
    if source.path is None:
        raise WavezooError("data.path is missing. Name a text file, or a folder with texts or with a table of them.")
    train, validation = source.options["shares"]
    if is_file(source.path):
        documents = [_one_file(source, "")[0]]
    else:
        folder = require_folder(source.path)
        files = [file for file in files_below(folder) if file.suffix in source.options["suffixes"]]
        if not files:
            return _hub(str(folder), source, source.columns.get("text", "text"))
        documents = [file.read_bytes() for file in files]
    text = b"\n".join(documents)
    first, second = int(len(text) * train), int(len(text) * (train + validation))
    parts = {"train": [text[:first]], "validation": [text[first:second]], "test": [text[second:]]}
    return Corpus({name: part for name, part in parts.items() if name != "validation" or validation}, source.path)


_WIKITEXT = """Articles of Wikipedia, by the word, with rare words and punctuation as published.

Source: Merity et al. 2016 (Pointer sentinel mixture models), CC BY-SA; on the hub, Salesforce/wikitext.
Without a network: data.path is a local copy of the configuration's files in the hub's layout.
Perplexity per word counts every word between blanks and the end of every line, as published."""

DATASETS = {
    "tiny_shakespeare": _entry(
        "tiny_shakespeare",
        f"""A megabyte of Shakespeare's plays, by the character.

Source: Karpathy 2015, public domain, {TINY_SHAKESPEARE}; data.path is that file, or its folder.
Splits: the first nine tenths for training, the last for test, which nanoGPT takes for validation; data.validation=0.05
holds back the end of the former.""",
        _tiny_shakespeare,
        "character",
        tokenizer="character",
    ),
    "wikitext_2": _entry(
        "wikitext_2",
        _WIKITEXT + "\nSplits: 2 million words for training, a tenth each for validation and test.",
        partial(_hub, "Salesforce/wikitext", column="text", configuration="wikitext-2-v1"),
        "word",
        tokenizer="bpe",
    ),
    "wikitext_103": _entry(
        "wikitext_103",
        _WIKITEXT + "\nSplits: 103 million words for training, those of wikitext_2 for validation and test.",
        partial(_hub, "Salesforce/wikitext", column="text", configuration="wikitext-103-v1"),
        "word",
        tokenizer="bpe",
        length=1024,
    ),
    "enwik8": _entry(
        "enwik8",
        """The first hundred million bytes of a Wikipedia of 2006, by the byte.

Source: Mahoney 2006, CC BY-SA, mattmahoney.net/dc/enwik8.zip; data.path is the unpacked file, or its folder.
Splits: 90, 5 and 5 million bytes.""",
        partial(_hundred_million, "enwik8"),
        "byte",
        tokenizer="byte",
        length=512,
    ),
    "text8": _entry(
        "text8",
        """enwik8 brought down to 27 characters.

Source: Mahoney 2006, CC BY-SA, mattmahoney.net/dc/text8.zip; data.path is the unpacked file, or its folder.
Splits: 90, 5 and 5 million characters.""",
        partial(_hundred_million, "text8"),
        "character",
        tokenizer="character",
        length=512,
    ),
    "corpus": _entry(
        "corpus",
        """Texts of one's own, by the byte unless data.tokenizer says otherwise.

Source: data.path is a text file; a folder of texts, which are read one after the other in the order of their names; or
a folder with a table in the hub's layout, whose column of texts data.columns names.
Splits: by data.shares, in order; or those of the table.""",
        _texts,
        "byte",
        tokenizer="byte",
        options={
            "shares": DataOption(
                tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]],
                (0.9, 0.05),
                "the shares of training and of validation; the rest is for test.",
            ),
            "suffixes": DataOption(tuple[str, ...], (".txt", ".md", ".rst"), "the files of a folder that are texts."),
            "unit": DataOption(Unit, "byte", "what bits and perplexity are counted by: byte, character or word."),
        },
        columns={"text": "text"},
    ),
}
