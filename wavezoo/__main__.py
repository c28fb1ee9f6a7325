"""``python -m wavezoo``, for launchers of many processes."""

from wavezoo.cli import main

main()
