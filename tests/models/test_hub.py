import json

import pytest
import torch

import wavezoo
from wavezoo.models.registry import names_of_kind


@pytest.mark.parametrize("name", names_of_kind("sequence"))
def test_a_sequence_model_comes_back_from_its_folder(name, tmp_path):
    options = {"num_classes": 3, "dim": 8, "depth": 2, "vocab_size": 5, "preset": "stepped", "integrator": "yoshida4"}
    model = wavezoo.create_sequence_model(name, **options).eval()
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["integrator"] == "yoshida4"
    assert (tmp_path / "model.safetensors").is_file()
    again = wavezoo.WavePDESequence.from_pretrained(tmp_path).eval()
    x = torch.randint(0, 5, (2, 9))
    assert torch.equal(again(x), model(x))
