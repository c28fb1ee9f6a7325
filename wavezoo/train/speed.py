"""How fast a training is."""

import time


class Speed:
    """Samples per second since it was made; whoever trains counts the samples."""

    def __init__(self) -> None:
        self.samples = 0
        self._started = time.perf_counter()

    def per_second(self) -> float:
        """Return the samples counted by the time that has passed."""
        return self.samples / max(time.perf_counter() - self._started, 1e-9)
