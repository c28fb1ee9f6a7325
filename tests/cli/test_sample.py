"""`wavezoo sample`: text is printed as it is drawn, whole characters only, and what cannot be is told."""

import pytest

from wavezoo.cli.app import main
from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.runs.folder import RunFolder
from wavezoo.train import smoke, train

VERSE = "Fünf Faden tief — so liegt er da. "


@pytest.fixture(params=["byte", "character", "bpe"])
def run(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "input.txt").write_text(VERSE * 60, encoding="utf-8")
    given = [f"data.path={tmp_path}", "data.length=8", f"data.tokenizer={request.param}", "data.vocabulary=300"]
    recipe = smoke(load_recipe(find_recipe("tiny_shakespeare"), [*given, "model.mixers=[s4d]"]))
    train(with_overrides(recipe, ["epochs=null", "steps=2"]), tmp_path / "run", "cpu")
    return tmp_path / "run"


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as left:
        main(["sample", *map(str, arguments), "--device", "cpu"])
    return left.value.code, capsys.readouterr()


def test_a_text_goes_on_and_a_seed_decides_how(run, capsys):
    texts = []
    for seed in (1, 1, 2):
        code, said = printed(capsys, run, "--prompt", "Faden", "--length", "40", "--seed", seed)
        assert code == 0
        assert said.out.startswith("Faden")
        texts.append(said.out)
    assert texts[0] == texts[1] != texts[2]


def test_an_empty_prompt_is_told(run, capsys):
    code, said = printed(capsys, run, "--prompt", "")
    assert code == 2
    assert "the prompt is empty" in said.err


def test_characters_that_the_run_does_not_know_are_told(run, capsys):
    code, said = printed(capsys, run, "--prompt", "Ω", "--length", "3")
    known = RunFolder(run).read_recipe().data.options["tokenizer"] != "character"
    assert (code == 0) if known else (code == 2 and "'Ω'" in said.err)
