"""The models by name: the sizes of each, and what it is in words.

Nothing heavy is imported, so that they can be listed at once.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Variant:
    """A model by name.

    Attributes:
        description: what it is, in a sentence.
        settings: keyword arguments of its class that differ from the defaults.
    """

    description: str
    settings: dict[str, Any]


_ISO: dict[str, Any] = {"strides": (1,) * 4, "patch_size": 2}
_PLAIN: dict[str, Variant] = {
    "wavepde_pico": Variant(
        "Wave-PDE for small machines: blocks (2, 2, 10, 2), widths 32 to 256.",
        {"depths": (2, 2, 10, 2), "dims": (32, 64, 128, 256)},
    ),
    "wavepde_nano": Variant(
        "Wave-PDE for small machines: blocks (2, 2, 8, 2), widths 56 to 448.",
        {"depths": (2, 2, 8, 2), "dims": (56, 112, 224, 448)},
    ),
    "wavepde_tiny": Variant(
        "Wave-PDE, the stage plan of ConvNeXt-T: blocks (3, 3, 9, 3), widths 96 to 768.",
        {"depths": (3, 3, 9, 3), "dims": (96, 192, 384, 768)},
    ),
    "wavepde_small": Variant(
        "Wave-PDE, the stage plan of ConvNeXt-S: blocks (3, 3, 27, 3), widths 96 to 768.",
        {"depths": (3, 3, 27, 3), "dims": (96, 192, 384, 768)},
    ),
    "wavepde_base": Variant(
        "Wave-PDE, the stage plan of ConvNeXt-B: blocks (3, 3, 27, 3), widths 128 to 1024.",
        {"depths": (3, 3, 27, 3), "dims": (128, 256, 512, 1024)},
    ),
    "wavepde_iso_tiny": Variant(
        "Wave-PDE, one grid throughout, for small images: 4 blocks of width 64 on patches of 2 x 2.",
        {"depths": (1, 1, 1, 1), "dims": (64,) * 4, **_ISO},
    ),
    "wavepde_iso_small": Variant(
        "Wave-PDE, one grid throughout, for small images: 8 blocks of width 128 on patches of 2 x 2.",
        {"depths": (2, 2, 2, 2), "dims": (128,) * 4, **_ISO},
    ),
}
_PUBLISHED: dict[str, Variant] = {
    f"{name}_paper": Variant(
        f"As ``{name}``, with block and numerics as published.",
        {**plain.settings, "preset": "paper", "mlp_ratio": 4.0},
    )
    for name, plain in _PLAIN.items()
}

IMAGE: dict[str, Variant] = {**_PLAIN, **_PUBLISHED}
SEQUENCE: dict[str, Variant] = {
    "wavepde_seq_tiny": Variant("Wave-PDE on sequences: 4 blocks of width 64.", {"depth": 4, "dim": 64}),
    "wavepde_seq_small": Variant(
        "Wave-PDE on sequences, the plan of S4 for Pathfinder and ListOps: 6 blocks of width 256.",
        {"depth": 6, "dim": 256},
    ),
    "wavepde_seq_base": Variant(
        "Wave-PDE on sequences, the plan of S4 for images: 6 blocks of width 512.", {"depth": 6, "dim": 512}
    ),
}
DENSE: dict[str, Variant] = {
    "wavepde_dense_tiny": Variant(
        "Wave-PDE from images to maps of their size: 4 blocks of width 64, a cell a pixel.", {"depth": 4, "dim": 64}
    ),
    "wavepde_dense_small": Variant(
        "Wave-PDE from images to maps of their size: 6 blocks of width 128, on patches of 2 x 2.",
        {"depth": 6, "dim": 128, "patch_size": 2},
    ),
}
LANGUAGE: dict[str, Variant] = {
    "wavepde_lm_tiny": Variant(
        "Strings struck by the tokens of a text, at the budget of nanoGPT on a CPU: 4 blocks of width 128.",
        {"depth": 4, "dim": 128},
    ),
    "wavepde_lm_small": Variant(
        "Strings struck by the tokens of a text: 6 blocks of width 256.", {"depth": 6, "dim": 256}
    ),
    "wavepde_lm_base": Variant(
        "Strings struck by the tokens of a text: 8 blocks of width 512.", {"depth": 8, "dim": 512}
    ),
    "wavepde_lm_125m": Variant(
        "Strings struck by the tokens of a text, the plan of GPT-2: 12 blocks of width 768.", {"depth": 12, "dim": 768}
    ),
}
VARIANTS: dict[str, Variant] = {**IMAGE, **SEQUENCE, **DENSE, **LANGUAGE}
