"""From text to token ids and back: bytes, characters, and byte pairs by the tokenizers library.

Shapes: token ids ``(T,)``.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from wavezoo.errors import WavezooError, not_allowed
from wavezoo.files import find_file, is_file

KINDS = ("byte", "character", "bpe")
# What a byte-pair tokenizer puts between documents.
END_OF_TEXT = "<|endoftext|>"


class Tokenizer(ABC):
    """A map between texts and token ids from 0 to ``vocabulary - 1``.

    Attributes:
        kind: its name in recipes.
        vocabulary: number of token ids.
    """

    kind: ClassVar[str]
    vocabulary: int

    def encode(self, text: str | bytes) -> np.ndarray:
        """Return the token ids of ``text``, which may be given as bytes in UTF-8.

        Raises:
            WavezooError: if it holds what the tokenizer does not know, or is no UTF-8.
        """
        return self.encode_text(text if isinstance(text, str) else as_text(text))

    @abstractmethod
    def encode_text(self, text: str) -> np.ndarray:
        """Return the token ids of ``text``."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of token ids; half a character stands as �."""

    @abstractmethod
    def content(self) -> Any:
        """Return what `from_json` needs to make it again, besides its kind."""

    def to_json(self) -> str:
        """Return the tokenizer as a text that `from_json` reads."""
        return json.dumps({"kind": self.kind, "content": self.content()}, ensure_ascii=False)


def as_text(content: bytes) -> str:
    """Return what bytes in UTF-8 say.

    Raises:
        WavezooError: if they are none.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise WavezooError(
            f"the text is no UTF-8: byte {error.start} is {content[error.start]:#04x}. Convert it, or use "
            "data.tokenizer=byte, which takes any file."
        ) from None


class ByteTokenizer(Tokenizer):
    """The bytes of the text in UTF-8: any text, and any file."""

    kind = "byte"
    vocabulary = 256

    def encode(self, text: str | bytes) -> np.ndarray:
        return np.frombuffer(text, np.uint8) if isinstance(text, bytes) else self.encode_text(text)

    def encode_text(self, text: str) -> np.ndarray:
        # What is no character by itself, half of a surrogate pair, has no bytes.
        return np.frombuffer(text.encode(errors="replace"), np.uint8)

    def decode(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode(errors="replace")

    def content(self) -> None:
        return None


class CharacterTokenizer(Tokenizer):
    """The characters of a corpus, in the order of their code points.

    Args:
        characters: all of them.
    """

    kind = "character"

    def __init__(self, characters: str) -> None:
        self.characters = "".join(sorted(set(characters)))
        self.vocabulary = len(self.characters)
        self._numbers = {character: number for number, character in enumerate(self.characters)}

    def encode_text(self, text: str) -> np.ndarray:
        if unknown := sorted(set(text) - self._numbers.keys()):
            raise WavezooError(
                f"the text holds {unknown[0]!r}, which is none of the {self.vocabulary} characters of the corpus. "
                "Leave it out, or train with data.tokenizer=byte, which knows every text."
            )
        return np.fromiter((self._numbers[character] for character in text), np.uint32, len(text))

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(self.characters[token] for token in tokens)

    def content(self) -> str:
        return self.characters


class PairTokenizer(Tokenizer):
    """Byte pairs, or whatever else a ``tokenizer.json`` of the tokenizers library says.

    Args:
        document: such a file's text.

    Raises:
        WavezooError: if it is none.
    """

    kind = "bpe"

    def __init__(self, document: str) -> None:
        from tokenizers import Tokenizer as Pairs

        try:
            self._pairs = Pairs.from_str(document)
        # The library raises plain exceptions.
        except Exception as error:
            raise WavezooError(f"this is no tokenizer.json of the tokenizers library: {error}.") from None
        self.document = document
        self.vocabulary = self._pairs.get_vocab_size()

    @classmethod
    def trained(cls, texts: Iterable[str], vocabulary: int) -> "PairTokenizer":
        """Return byte pairs learned from ``texts``, ``vocabulary`` of them at most (Sennrich et al. 2016)."""
        from tokenizers import Tokenizer as Pairs
        from tokenizers import decoders, models, pre_tokenizers, trainers

        pairs = Pairs(models.BPE())
        pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        pairs.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[END_OF_TEXT],
            show_progress=False,
        )
        pairs.train_from_iterator(texts, trainer)
        return cls(pairs.to_str())

    def encode_text(self, text: str) -> np.ndarray:
        return np.asarray(self._pairs.encode(text, add_special_tokens=False).ids, np.uint32)

    def decode(self, tokens: Sequence[int]) -> str:
        return self._pairs.decode(list(tokens), skip_special_tokens=False)

    def content(self) -> str:
        return self.document


def from_json(text: str) -> Tokenizer:
    """Return the tokenizer that `Tokenizer.to_json` wrote.

    Raises:
        WavezooError: if it is none.
    """
    try:
        document = json.loads(text)
        kind, content = document["kind"], document["content"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise WavezooError("the tokenizer of this run is damaged. Take its dataset.json from a copy.") from None
    if kind == "byte":
        return ByteTokenizer()
    if kind == "character" and isinstance(content, str) and content:
        return CharacterTokenizer(content)
    if kind == "bpe" and isinstance(content, str):
        return PairTokenizer(content)
    raise not_allowed("tokenizer", kind, KINDS)


def build_tokenizer(name: str, texts: Callable[[], Iterator[str]], vocabulary: int) -> Tokenizer:
    """Return a tokenizer by name, made for ``texts``, or the one in a file.

    Args:
        name: one of `KINDS`, or the path of a ``tokenizer.json``.
        texts: reads a corpus; called only where the tokenizer is made from it.
        vocabulary: the most byte pairs.

    Raises:
        WavezooError: if there is neither such a name nor such a file.
    """
    if name == "byte":
        return ByteTokenizer()
    if name == "character":
        return CharacterTokenizer("".join(sorted(set().union(*texts()))))
    if name == "bpe":
        return PairTokenizer.trained(texts(), vocabulary)
    if not name.endswith(".json") and not is_file(name):
        raise not_allowed("data.tokenizer", name, KINDS, "Or give the path of a tokenizer.json.")
    file: Path = find_file(name, "data.tokenizer")
    return PairTokenizer(file.read_text(encoding="utf-8"))
