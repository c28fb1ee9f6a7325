"""The device that a user names."""

import torch

from wavezoo.errors import not_allowed


def find_device(name: str) -> torch.device:
    """Return the device called ``name``: ``"auto"`` for the best there is, or ``"cpu"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        WavezooError: if there is no such device.
    """
    available = ["cpu"]
    available += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))] * torch.cuda.is_available()
    available += ["mps"] * torch.backends.mps.is_available()
    if name not in ("auto", *available):
        raise not_allowed("device", name, ["auto", *available])
    return torch.device((available[1] if len(available) > 1 else "cpu") if name == "auto" else name)
