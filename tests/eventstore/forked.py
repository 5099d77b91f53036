"""Where processes to be killed come from: forks of one that has imported everything, which are there in milliseconds.

There is one such process for all tests in a worker, made for the first of them that asks: it has to know of the modules of
all, or every process of the others would take most of a second to import its own.
"""

from multiprocessing import get_context

processes = get_context("forkserver")
processes.set_forkserver_preload(
    [
        "psycopg",
        "eventfold.public",
        "eventstore.backends.sqlite",
        "eventstore.backends.postgresql",
        "tests.eventstore.victim",
        "tests.eventstore.copy_victim",
        "tests.eventstore.snapshot_victim",
    ]
)
