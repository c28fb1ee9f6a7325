"""``python -m wavezoo``, for launchers of many processes."""

from wavezoo.cli.app import main

main()
