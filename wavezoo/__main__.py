"""``python -m wavezoo``, for launchers of many processes."""

from wavezoo.cli.app import main

if __name__ == "__main__":
    main()
