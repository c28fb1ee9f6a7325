"""Models are known to timm as soon as both are imported, in either order, and timm need not be imported for it.

Importing timm takes seconds, which ``wavezoo --help`` has no use for. So wavezoo registers its models at once if timm
is there already, and otherwise right after timm is loaded: a finder looks out for that one name, lets the others find
it, and steps aside for good once it is loaded. Importing wavezoo eagerly would cost every command the seconds, and a
lazy package without a finder would leave ``import wavezoo; timm.create_model("wavepde_tiny")`` without models.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LIBRARY = "timm"
MODELS = "wavezoo.models.wavepde"


def register_with_timm() -> None:
    """Register the image models with timm, now or when it is imported."""
    if LIBRARY in sys.modules:
        importlib.import_module(MODELS)
    else:
        sys.meta_path.insert(0, _Lookout())


class _Lookout(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != LIBRARY:
            return None
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Following(spec.loader, self)
        return spec


class _Following(Loader):
    """Loads a module as its own loader does, then registers the models."""

    def __init__(self, loader: Loader, lookout: _Lookout) -> None:
        self.loader = loader
        self.lookout = lookout

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if self.lookout in sys.meta_path:
            sys.meta_path.remove(self.lookout)
        # As if nobody had looked on: what the library's own files are read through stays its own.
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.loader.exec_module(module)
        importlib.import_module(MODELS)
