"""ListOps: nested lists of digits under minimum, maximum, median and sum modulo 10; read, and generated."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from wavezoo.data.entry import DatasetEntry, DataSource
from wavezoo.data.facts import SequenceFacts
from wavezoo.data.generation import check_seed, generating
from wavezoo.data.hub import require_folder, whole_labels
from wavezoo.data.splits import Split, Splits, TokenRuns
from wavezoo.errors import WavezooError
from wavezoo.files import writing

OPERATORS: dict[str, Callable[[list[int]], int]] = {
    "[MIN": min,
    "[MAX": max,
    "[MED": lambda values: int(np.median(values)),
    "[SM": lambda values: sum(values) % 10,
}
CLOSE = "]"
# What S4 (Gu et al. 2022) adds to the 15 tokens: padding, which a mask hides, and an end.
TOKENS = ["<pad>", "<end>", *(str(digit) for digit in range(10)), *OPERATORS, CLOSE]
IDS = {token: index for index, token in enumerate(TOKENS)}
FILES = {"train": "basic_train.tsv", "validation": "basic_val.tsv", "test": "basic_test.tsv"}
COUNTS = {"train": 96_000, "validation": 2_000, "test": 2_000}

DEEPEST = 10
SHARE_OF_OPERATORS = 0.25
ARGUMENTS = (2, 10)
LENGTHS = (500, 2000)

Tree = tuple[list[str], int]


def draw_tree(rng: np.random.Generator, depth: int = 1) -> Tree:
    """Draw an expression, as its tokens without parentheses, and its value.

    Below the greatest depth of 10, an operator with 2 to 10 arguments with probability 1/4, a digit otherwise (Nangia
    and Bowman 2018; Tay et al. 2021).
    """
    if depth >= DEEPEST or rng.random() >= SHARE_OF_OPERATORS:
        digit = int(rng.integers(10))
        return [str(digit)], digit
    operator = list(OPERATORS)[rng.integers(len(OPERATORS))]
    arguments = [draw_tree(rng, depth + 1) for _ in range(rng.integers(ARGUMENTS[0], ARGUMENTS[1] + 1))]
    tokens = [operator, *(token for each, _ in arguments for token in each), CLOSE]
    return tokens, OPERATORS[operator]([value for _, value in arguments])


def draw_samples(seed: int) -> Iterator[Tree]:
    """Draw expressions of 501 to 1999 tokens, none twice."""
    rng = np.random.default_rng(seed)
    seen: set[int] = set()
    while True:
        tokens, value = draw_tree(rng)
        fingerprint = hash(tuple(IDS[token] for token in tokens))
        if LENGTHS[0] < len(tokens) < LENGTHS[1] and fingerprint not in seen:
            seen.add(fingerprint)
            yield tokens, value


def generate(out: Path, seed: int, counts: dict[str, int], advanced: Callable[[int], None]) -> None:
    """Write ``basic_train.tsv``, ``basic_val.tsv`` and ``basic_test.tsv`` as the benchmark's release has them.

    Args:
        out: the folder; it appears when all is there, and what is there already for the same seed and counts is kept.
        seed: the same seed gives the same files.
        counts: samples of each split.
        advanced: is told how many samples are done.

    Raises:
        WavezooError: if a count is not positive, if there is no such seed, or if the folder cannot be written or holds
            something else.
    """
    for split, count in counts.items():
        if count < 1:
            raise WavezooError(f"{split} is {count}; give at least 1 sample.")
    check_seed(seed)
    with generating(out, {"task": "listops", "seed": seed, **counts}) as folder:
        if all((folder / file).is_file() for file in FILES.values()):
            advanced(sum(counts.values()))
            return
        samples = draw_samples(seed)
        for split, file in FILES.items():
            rows = []
            for tokens, value in (next(samples) for _ in range(counts[split])):
                rows.append(f"{' '.join(tokens)}\t{value}\n")
                advanced(1)
            with writing(folder / file) as beside:
                beside.write_text("Source\tTarget\n" + "".join(rows), encoding="utf-8")


def _load(source: DataSource) -> Splits:
    if source.path is None:
        raise WavezooError(
            "listops needs data.path, a folder with basic_train.tsv, basic_val.tsv and basic_test.tsv: those of the "
            "Long Range Arena's release, or `wavezoo generate listops --out DIR`."
        )
    folder = require_folder(source.path)
    return Splits(*(_read(folder, split, source) for split in ("train", "test", "validation")))


def _read(folder: Path, split: str, source: DataSource) -> Split:
    file = folder / FILES[split]
    try:
        with file.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    except FileNotFoundError:
        raise WavezooError(f"data.path {folder} has no {file.name}. Copy it again.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WavezooError(f"{file} cannot be read ({error}). Copy it again.") from error
    DATASETS["listops"].check_count(source, split, len(rows))
    runs, values = [], []
    for index in source.chosen(len(rows)):
        row = rows[index]
        try:
            words = row["Source"].replace("(", " ").replace(")", " ").split()
            runs.append(np.array([*(IDS[word] for word in words), IDS["<end>"]], np.uint8))
            values.append(int(row["Target"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise WavezooError(
                f"{file}:{index + 2} is no expression and its value, separated by a tab ({error!r}). Copy it again; it "
                "may be cut short."
            ) from None
    return Split(TokenRuns.joined(runs), whole_labels(values, str(file)))


DATASETS = {
    "listops": DatasetEntry(
        name="listops",
        description="""ListOps: the value, 0 to 9, of a nested list of digits: Long Range Arena, ListOps.

Source: Nangia and Bowman 2018, lengths of 500 to 2000 as in Tay et al. 2021, Apache-2.0. data.path is a folder with
basic_train.tsv, basic_val.tsv and basic_test.tsv (columns Source and Target), from the benchmark's release or made by
`wavezoo generate listops --out DIR`.
Operators MIN, MAX, MED (integer part of the median) and SM (sum modulo 10). Tokens: 10 digits, 4 operators, a closing
bracket, parentheses dropped; and padding and an end.
Splits: 96,000 for training, 2,000 for validation, 2,000 for test.""",
        facts=SequenceFacts(tuple("0123456789"), None, len(TOKENS), LENGTHS[1]),
        load=_load,
        counts=COUNTS,
    )
}
