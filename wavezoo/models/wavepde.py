"""The Wave-PDE image models by name, registered with timm.

The plain names use a block that measures better, the ``_paper`` names the block and the numerics as published; the
documents say where they differ. The model's class is imported when one is built, since timm may be imported, and this
after it, by a module that the class needs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model

from wavezoo.models.variants import IMAGE

if TYPE_CHECKING:
    from wavezoo.models.image import WavePDE

# Filled by timm.
__all__: list[str] = []


def _default_cfg(name: str) -> dict[str, Any]:
    small = "_iso_" in name
    size = 32 if small else 224
    return {
        "url": "",
        "input_size": (3, size, size),
        "pool_size": (16, 16) if small else (7, 7),
        "crop_pct": 1.0 if small else 0.875,
        "interpolation": "bicubic",
        "mean": IMAGENET_DEFAULT_MEAN,
        "std": IMAGENET_DEFAULT_STD,
        "num_classes": 1000,
        "first_conv": "stem.conv",
        "classifier": "head.fc",
        "license": "apache-2.0",
    }


default_cfgs = generate_default_cfgs({name: _default_cfg(name) for name in IMAGE})


def _create(name: str, pretrained: bool, **kwargs: Any) -> "WavePDE":
    from wavezoo.models.backbone import counts
    from wavezoo.models.image import WavePDE
    from wavezoo.models.sizes import image_size

    settings = {**IMAGE[name].settings, **kwargs}
    stages = range(len(counts("depths", settings["depths"])))
    if settings.get("img_size") is not None:
        # So that timm's data configuration follows the size that the model was made for.
        settings["img_size"] = image_size(settings["img_size"])
        size = (settings.get("in_chans", 3), *settings["img_size"])
        settings["pretrained_cfg_overlay"] = {"input_size": size, **(settings.get("pretrained_cfg_overlay") or {})}
    model: WavePDE = build_model_with_cfg(
        WavePDE,
        name,
        pretrained,
        feature_cfg={"out_indices": tuple(stages), "flatten_sequential": True},
        **settings,
    )
    return model


def _entry_point(name: str) -> "Callable[..., WavePDE]":
    def create(pretrained: bool = False, **kwargs: Any) -> "WavePDE":
        return _create(name, pretrained, **kwargs)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = IMAGE[name].description
    entry_point: Callable[..., WavePDE] = register_model(create)
    return entry_point


globals().update({name: _entry_point(name) for name in IMAGE})
