"""The images are as published, the same for the same seed, and not to be solved pixel by pixel."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from wavezoo_shapes.drawing import PIECES, draw
from wavezoo_shapes.tetrominoes import CLASSES, TETROMINOES

import wavezoo
from wavezoo.config.recipe import find_recipe, load_recipe
from wavezoo.data import DataSource, find_dataset
from wavezoo.train import smoke, train

SMALL = {"size": 32, "tile": 4, "counts": [60, 10, 20]}


@pytest.fixture(scope="module")
def small():
    return TETROMINOES.read(DataSource(options=SMALL))


def tiles(mask, number, tile):
    """Return the piece of this class, a number for each tile, cut out of a mask."""
    rows, columns = np.nonzero(mask == number)
    cut = (mask == number)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert cut.shape[0] % tile == cut.shape[1] % tile == 0
    assert (cut == cut[::tile, ::tile].repeat(tile, 0).repeat(tile, 1)).all()
    return cut[::tile, ::tile]


def forms(name):
    turned = [np.rot90(PIECES[name], quarters) for quarters in range(4)]
    mirrored = [each[:, ::-1] for each in turned] if name in ("S/Z", "J/L") else []
    return {(*each.shape, *each.flat) for each in turned + mirrored}


def test_every_form_of_every_piece_occurs_whole_and_no_other():
    seen = {name: set() for name in PIECES}
    counts = []
    for index in range(300):
        image, mask = draw(64, 7, 0, index)
        numbers = np.unique(mask[mask > 0])
        counts.append(len(numbers))
        assert not image[mask == 0].any()
        for number in numbers:
            name = CLASSES[number]
            piece = tiles(mask, number, 7).astype(int)
            assert piece.sum() == 4
            seen[name].add((*piece.shape, *piece.flat))
    assert seen == {name: forms(name) for name in PIECES}
    assert np.bincount(counts, minlength=6)[1:].min() > 30


def test_tiles_have_a_frame_half_as_bright_again():
    image, mask = draw(64, 7, 0, 1)
    for number in np.unique(mask[mask > 0]):
        rows, columns = np.nonzero(mask == number)
        first = columns[rows == rows.min()].min()
        tile = image[rows.min() : rows.min() + 7, first : first + 7].astype(float)
        inside, frame = tile[1:-1, 1:-1], np.concatenate([tile[0], tile[-1], tile[:, 0], tile[:, -1]])
        assert (inside == inside[0, 0]).all()
        assert (frame == np.floor(np.minimum(1.5 * inside[0, 0], 255))).all()


def test_the_seed_alone_decides(small):
    again = TETROMINOES.read(DataSource(options=SMALL))
    other = TETROMINOES.read(DataSource(options=SMALL, seed=1))
    for name in ("train", "validation", "test"):
        assert np.array_equal(getattr(small, name).inputs, getattr(again, name).inputs)
        assert np.array_equal(getattr(small, name).targets, getattr(again, name).targets)
        assert not np.array_equal(getattr(small, name).inputs, getattr(other, name).inputs)
    assert not np.array_equal(small.validation.inputs, small.test.inputs[:10])
    few = TETROMINOES.read(DataSource(options=SMALL, limit_samples=4))
    assert np.array_equal(few.train.inputs, small.train.inputs[::15])


def test_what_is_kept_is_what_is_drawn_and_is_drawn_once(small, tmp_path, monkeypatch):
    source = DataSource(str(tmp_path / "kept"), options=SMALL)
    kept = TETROMINOES.read(source)
    assert np.array_equal(kept.train.inputs, small.train.inputs)
    monkeypatch.setattr("wavezoo_shapes.tetrominoes.draw", None)
    assert np.array_equal(TETROMINOES.read(source).test.targets, small.test.targets)
    with pytest.raises(wavezoo.WavezooError, match="holds data made by"):
        TETROMINOES.read(DataSource(str(tmp_path / "kept"), options=SMALL, seed=1))
    (tmp_path / "kept" / "test.npz").write_bytes(b"PK")
    with pytest.raises(wavezoo.WavezooError, match=r"test\.npz is damaged"):
        TETROMINOES.read(source)


def test_what_was_broken_off_is_taken_up(small, tmp_path, monkeypatch):
    drawn = []

    def interrupted(*given):
        drawn.append(given)
        if len(drawn) == 65:
            raise KeyboardInterrupt
        return draw(*given)

    monkeypatch.setattr("wavezoo_shapes.tetrominoes.draw", interrupted)
    source = DataSource(str(tmp_path / "kept"), options=SMALL)
    with pytest.raises(KeyboardInterrupt):
        TETROMINOES.read(source)
    assert not (tmp_path / "kept").exists()
    kept = TETROMINOES.read(source)
    assert np.array_equal(kept.test.inputs, small.test.inputs)
    # The training images were whole and are not drawn again.
    assert len(drawn) == 65 + 10 + 20


@pytest.mark.parametrize("options", [{"size": 55}, {"tile": 0}, {"counts": [1, 2]}, {"counts": [0, 1, 1]}])
def test_what_cannot_be_drawn(options):
    with pytest.raises(wavezoo.WavezooError, match=rf"data\.{next(iter(options))} is"):
        TETROMINOES.read(DataSource(options=options))


def mean_iou(found, masks):
    """Return the mean intersection over union of the five pieces."""
    shares = [
        ((found == number) & (masks == number)).sum() / ((found == number) | (masks == number)).sum()
        for number in range(1, len(CLASSES))
    ]
    return float(np.mean(shares))


def test_neither_a_constant_nor_a_linear_model_of_a_pixel_solves_it(small):
    pixels, labels = small.train.inputs.reshape(-1, 3) / 255, small.train.targets.ravel()
    model = LogisticRegression(max_iter=200).fit(pixels[::7], labels[::7])
    found = model.predict(small.test.inputs.reshape(-1, 3) / 255).reshape(small.test.targets.shape)
    assert mean_iou(found, small.test.targets) < 0.15
    for number in range(len(CLASSES)):
        assert mean_iou(np.full_like(small.test.targets, number), small.test.targets) < 0.05


def test_the_recipe_trains(tmp_path):
    summary = train(smoke(load_recipe(find_recipe("tetrominoes"))), tmp_path / "run", "cpu")
    assert 0 <= summary.last["mean_iou"] <= 1
    assert (tmp_path / "run" / "predictions.png").is_file()


def test_wavezoo_finds_data_set_and_recipe_by_the_entry_point():
    assert find_dataset("tetrominoes") is TETROMINOES
    assert load_recipe(find_recipe("tetrominoes")).data.name == "tetrominoes"
