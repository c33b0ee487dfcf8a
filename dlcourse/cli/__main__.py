"""``python -m dlcourse.cli``: the same command where the scripts folder is not on the PATH."""

from dlcourse.cli import main

main()
