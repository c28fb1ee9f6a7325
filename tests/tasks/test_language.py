"""The token that follows: what is measured is what the words mean, and no model sees what it is to predict."""

import math

import pytest
import torch

from wavezoo.config.recipe import find_recipe, load_recipe, with_overrides
from wavezoo.data import TextFacts
from wavezoo.data.text.tokenizers import ByteTokenizer
from wavezoo.errors import WavezooError
from wavezoo.runs.folder import RunFolder
from wavezoo.tasks import Language
from wavezoo.train import evaluate, load_run, resume, smoke, train

VERSE = "full fathom five thy father lies, of his bones are coral made. "


def facts(unit="byte", per_token=1.0, vocabulary=4):
    return TextFacts(vocabulary, 8, ByteTokenizer().to_json(), unit, {"test": per_token})


def measured(task, outputs, following):
    metric = task.metric()
    for one, other in zip(outputs.split(2), following.split(2), strict=True):
        metric.update(task.answer(one), other)
    return task.numbers(metric)


def test_who_knows_nothing_is_as_perplexed_as_there_are_tokens():
    numbers = measured(Language(facts()), torch.zeros(5, 4, 8), torch.randint(0, 4, (5, 8)))
    assert numbers["loss"] == pytest.approx(math.log(4))
    assert numbers["perplexity"] == pytest.approx(4)
    assert numbers["bits_per_byte"] == pytest.approx(2)


def test_who_knows_everything_is_not_perplexed():
    following = torch.randint(0, 4, (5, 8))
    outputs = 100.0 * torch.nn.functional.one_hot(following, 4).mT
    assert measured(Language(facts()), outputs, following)["perplexity"] == pytest.approx(1)


def test_the_loss_of_training_is_the_one_that_is_measured():
    outputs, following = torch.randn(4, 4, 8), torch.randint(0, 4, (4, 8))
    task = Language(facts())
    loss = task.loss(lambda tokens: outputs, (torch.zeros(4, 8), following))
    assert measured(task, outputs, following)["loss"] == pytest.approx(loss.item(), rel=1e-6)


def test_a_word_is_as_surprising_as_its_tokens_together():
    outputs, following = torch.randn(4, 4, 8), torch.randint(0, 4, (4, 8))
    by_word = measured(Language(facts("word", 0.25)), outputs, following)
    assert by_word["word_perplexity"] == pytest.approx(math.exp(4 * by_word["loss"]))
    two_bytes = measured(Language(facts("byte", 2.0)), outputs, following)
    assert two_bytes["bits_per_byte"] == pytest.approx(two_bytes["loss"] / math.log(4))


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "input.txt").write_text(VERSE * 60)
    given = load_recipe(
        find_recipe("tiny_shakespeare"), [f"data.path={tmp_path}", "data.length=16", "model.mixers=[s4d]"]
    )
    return with_overrides(smoke(given), ["data.limit_samples=null", "epochs=null", "steps=80", "optimizer.lr=0.01"])


def test_a_run_learns_its_text_and_is_read_back(recipe, tmp_path):
    summary = train(recipe, tmp_path / "run", "cpu")
    # Letters alone, without what is before them, have three nats.
    assert summary.result < 2.6
    assert evaluate(tmp_path / "run", device="cpu").numbers["loss"] == pytest.approx(summary.result, rel=1e-5)
    model, _, known, _ = load_run(tmp_path / "run")
    assert model.causal
    assert known.vocabulary == len(set(VERSE))
    assert set(RunFolder(tmp_path / "run").read_metrics()[-1].metrics) == {"loss", "perplexity", "bits_per_character"}


def test_who_sees_the_next_token_is_refused_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(WavezooError, match="not causal"):
        train(with_overrides(recipe, ["model.mixers=[wave]"]), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_go_on_with_other_tokens(recipe, tmp_path):
    train(with_overrides(recipe, ["steps=2"]), tmp_path / "run", "cpu")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "input.txt").write_text((VERSE + "z") * 60)
    with pytest.raises(WavezooError, match=r"vocabulary|tokenised otherwise"):
        resume(tmp_path / "run")


def test_epochs_see_other_windows(recipe):
    from wavezoo.train.loaders import build_loader
    from wavezoo.train.model import data_source, find_data

    entry, source = find_data(recipe.data.name), data_source(recipe.data)
    known = entry.facts_at(source)
    loader = build_loader(recipe, known, entry.read(source).train, training=True, sequences=True)
    firsts = []
    for epoch in (0, 1, 0):
        loader.sampler.start(epoch)
        firsts.append(next(iter(loader))[0])
    assert torch.equal(firsts[0], firsts[2])
    assert not torch.equal(firsts[0], firsts[1])
