"""The figures that speed is judged by: `make bench`, or `python -m bench B5 B6 --runs 5`, or `--small` for a try.

Every figure is a ratio to a limit that is measured in the same session, in turn with the work itself: R, and U
(see `limits`). Whole processes are measured, by what the kernel says of each of them alone. No test, fails nothing.
"""
