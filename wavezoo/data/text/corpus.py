"""Texts to be continued: corpora as streams of tokens, read once and mapped into memory from then on."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from wavezoo.data.entry import DataSource
from wavezoo.data.facts import TextFacts
from wavezoo.data.splits import SPLITS, Split, Splits, TokenStream
from wavezoo.data.text.tokenizers import END_OF_TEXT, PairTokenizer, Tokenizer, as_text, build_tokenizer
from wavezoo.errors import WavezooError
from wavezoo.files import writing

# Pieces that long texts are encoded in, in characters or bytes: a tokenizer takes a multiple of its text in memory.
PIECE = 2**22


@dataclass(frozen=True)
class Corpus:
    """The documents of each split, as bytes in UTF-8.

    Attributes:
        documents: of ``train``, of ``test`` and, where there is one, of ``validation``.
        where: where they come from, in words.
    """

    documents: Mapping[str, Sequence[bytes]]
    where: str

    def __post_init__(self) -> None:
        for split, documents in self.documents.items():
            if not any(documents):
                raise WavezooError(f"the {split} split of {self.where} is empty. Give it a text.")

    def texts(self, *splits: str) -> Iterator[str]:
        """Return the documents of splits, of all that there are by default, as text.

        Raises:
            WavezooError: if one is no UTF-8.
        """
        for split in splits or self.documents:
            yield from (as_text(document) for document in self.documents[split])

    def fingerprint(self) -> str:
        """Return a number that differs wherever the corpus does."""
        digest = hashlib.sha256()
        for split, documents in self.documents.items():
            digest.update(f"{split} {len(documents)} ".encode())
            for document in documents:
                digest.update(f"{len(document)} ".encode())
                digest.update(document)
        return digest.hexdigest()


def text_facts(corpus: Corpus, source: DataSource, unit: Literal["byte", "character", "word"]) -> TextFacts:
    """Return what a model has to know of a corpus, tokenised as the source says.

    Raises:
        WavezooError: if it cannot be tokenised.
    """
    tokenizer = _tokenizer(corpus, source)
    tokens = {split: len(_tokens(corpus, split, tokenizer)) for split in corpus.documents}
    units = {split: sum(_count(document, unit) for document in corpus.documents[split]) for split in tokens}
    return TextFacts(
        vocabulary=tokenizer.vocabulary,
        length=source.options["length"],
        tokenizer=tokenizer.to_json(),
        unit=unit,
        units_per_token={split: units[split] / tokens[split] for split in tokens},
    )


def text_splits(corpus: Corpus, source: DataSource) -> Splits:
    """Return a corpus as windows of tokens.

    Raises:
        WavezooError: if it cannot be tokenised, or if a split is shorter than a window.
    """
    tokenizer, length = _tokenizer(corpus, source), source.options["length"]
    streams = {}
    for split in SPLITS:
        if split not in corpus.documents:
            continue
        tokens = _tokens(corpus, split, tokenizer)
        if source.limit_samples is not None:
            tokens = tokens[: source.limit_samples * length + 1]
        if len(tokens) <= length:
            raise WavezooError(
                f"the {split} split of {corpus.where} has {len(tokens)} tokens, and a window of data.length={length} "
                "takes one more than that many. Lower it, or give a longer text."
            )
        streams[split] = Split(stream := TokenStream(tokens, length), stream.following)
    return Splits(streams["train"], streams["test"], streams.get("validation"))


def cache_folder() -> Path:
    """Return the folder where tokens are kept from one run to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wavezoo" / "tokens"


def _tokenizer(corpus: Corpus, source: DataSource) -> Tokenizer:
    name, vocabulary = source.options["tokenizer"], source.options["vocabulary"]
    if name != "bpe":
        # All characters of the corpus, as is usual: a rare one may stand in the test split alone.
        return build_tokenizer(name, corpus.texts, vocabulary)
    file = cache_folder() / f"{corpus.fingerprint()}-{vocabulary}.tokenizer.json"
    with suppress(OSError):
        return PairTokenizer(file.read_text(encoding="utf-8"))
    trained = PairTokenizer.trained(corpus.texts("train"), vocabulary)
    with suppress(WavezooError), writing(file) as beside:
        beside.write_text(trained.document, encoding="utf-8")
    return trained


def _tokens(corpus: Corpus, split: str, tokenizer: Tokenizer) -> np.ndarray:
    """Return the tokens of a split, mapped into memory from a file where one can be kept."""
    key = hashlib.sha256(f"{corpus.fingerprint()} {split} {tokenizer.to_json()}".encode()).hexdigest()
    file = cache_folder() / f"{key}.npy"
    with suppress(OSError, ValueError):
        return np.load(file, mmap_mode="r", allow_pickle=False)
    tokens = _encoded(corpus.documents[split], tokenizer)
    with suppress(WavezooError):
        with writing(file) as beside, beside.open("wb") as opened:
            np.save(opened, tokens, allow_pickle=False)
        return np.load(file, mmap_mode="r", allow_pickle=False)
    return tokens


def _encoded(documents: Sequence[bytes], tokenizer: Tokenizer) -> np.ndarray:
    dtype = np.min_scalar_type(tokenizer.vocabulary - 1)
    between = tokenizer.encode(END_OF_TEXT if isinstance(tokenizer, PairTokenizer) else "").astype(dtype)
    pieces: list[np.ndarray] = []
    for number, document in enumerate(documents):
        pieces += [between] * (number > 0)
        pieces += [tokenizer.encode(piece).astype(dtype) for piece in _pieces(document, tokenizer)]
    return np.concatenate(pieces)


def _pieces(document: bytes, tokenizer: Tokenizer) -> Iterator[bytes | str]:
    if tokenizer.kind == "byte":
        yield document
        return
    text = as_text(document)
    start = 0
    while start < len(text):
        # Cut at the end of a line, where byte pairs end too.
        end = text.rfind("\n", start, start + PIECE) + 1 if start + PIECE < len(text) else len(text)
        end = end if end > start else start + PIECE
        yield text[start:end]
        start = end


def _count(document: bytes, unit: str) -> int:
    """Return the units of a document: bytes, characters, or words, of which the end of a line is one."""
    if unit == "byte":
        return len(document)
    if unit == "character":
        return len(as_text(document))
    return len(document.split()) + document.count(b"\n")
