import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavezoo.config.documents import LARGEST, dump, parse, parse_override, read_document, read_with_bases
from wavezoo.errors import WavezooError

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
TRAPS = st.sampled_from(["1e3", "0o17", "0x1f", ".inf", "no", "on", "null", "~", "", "true", "1_000", "<<", "&a", "*a"])
TRAPS |= st.sampled_from(["!x", "1:30", "2001-01-01", "017", "- a", "a: b", "\u2028", "\ufeff", "\x85", " a", "a "])
TRAPS |= st.sampled_from("=#{[%@`\n\t'\"")
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | TEXTS | TRAPS
CONTENTS = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(TEXTS.filter(lambda key: key != "<<"), below, max_size=4)
    ),
    max_leaves=8,
)


@given(CONTENTS)
def test_what_is_dumped_is_read_back(content):
    assert parse(dump(content), "text").content == content


@given(st.text(max_size=60) | st.text("abc01:-[]{},&*!<>|'\"\\#%?\n \t.~eE+_xU", max_size=60))
def test_any_text_is_read_or_refused_with_its_source(text):
    refusal = "text"
    try:
        parse(text, "text")
    except WavezooError as error:
        refusal = str(error)
    assert refusal.startswith("text")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: !!int x", "r.yaml:2: not YAML of this kind: tags"),
        ("seed: !!python/object/apply:os.system ['true']", "r.yaml:2: not YAML of this kind: tags"),
        ("seed: !x 3", "r.yaml:2: not YAML of this kind: tags"),
        ("seed: &a 3", "r.yaml:2: not YAML of this kind: anchors"),
        ("seed: *a", "r.yaml:2: not YAML of this kind: anchors"),
        ("seed: &a [*a]", "r.yaml:2: not YAML of this kind: anchors"),
        ("<<: {a: 1}", "r.yaml:2: not YAML of this kind: merge keys"),
        ("seed: " + 5000 * "9", "r.yaml:2: a number of 5000 digits"),
        ("seed: " + 5000 * "[" + 5000 * "]", "r.yaml:2: nested deeper"),
        ("\n".join(" " * n + "a:" for n in range(50)), "nested deeper"),
        ("name: b", "r.yaml:2: the key 'name' is given twice"),
        ("3: b", "r.yaml:2: the key 3 is no text"),
        ("? [a]\n: b", "r.yaml:2: the key ['a'] is no text"),
        ("null: b", "r.yaml:2: the key None is no text"),
        ("seed: \x00", "r.yaml:2: not YAML: special characters are not allowed"),
        ('seed: "\\0"', "r.yaml:2: the character '\\x00' is not allowed"),
        ('seed: "\\ud800"', "r.yaml:2: the character '\\ud800' is not allowed"),
        ('seed: "\\U99999999"', "r.yaml: not YAML"),
        ("---\nb: 3", "r.yaml:2: a second document begins here"),
        ("seed: [", "r.yaml:3: not YAML"),
        ("seed: 'a", "r.yaml:3: not YAML"),
        ("\tseed: 1", "r.yaml:2: not YAML"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_plain_document_is_refused_with_its_line(text, message, tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(f"name: a\n{text}\n")
    with pytest.raises(WavezooError) as caught:
        read_document(file)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b_", "0b_"),
        ("2001-99-99", "2001-99-99"),
        ("no", "no"),
        ("True", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("[1, {a: null}]", [1, {"a": None}]),
    ],
)
def test_plain_values(text, value):
    assert parse(text, "text").content == value
    assert parse_override(f"a.b={text}") == (("a", "b"), value)


def test_bytes_that_are_no_text_and_files_too_large(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_bytes(b"name: a\nb: \xff\n")
    with pytest.raises(WavezooError, match=r"r.yaml:2: not YAML: the byte 0xff is not UTF-8"):
        read_document(file)
    file.write_bytes(b"a" * (LARGEST + 1))
    with pytest.raises(WavezooError, match="larger than"):
        read_document(file)
    file.write_bytes(b"\xef\xbb\xbfname: a\n")
    assert read_document(file).content == {"name": "a"}


def test_aliases_that_double_are_refused_at_once():
    text = "a0: &a0 [1, 1]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(40))
    start = time.process_time()
    with pytest.raises(WavezooError, match="anchors"):
        parse(text, "text")
    assert time.process_time() - start < 1


def test_a_chain_of_bases_is_bounded(tmp_path):
    for n in range(100):
        (tmp_path / f"{n}.yaml").write_text(f"base: {n + 1}.yaml\n")
    with pytest.raises(WavezooError, match="stand on each other"):
        read_with_bases(tmp_path / "0.yaml", lambda name: tmp_path / name)
