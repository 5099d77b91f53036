"""Measures everything: `python -m benchmarks`, or `make bench`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import (
    append,
    conditions,
    consumed,
    copy,
    elasticsearch,
    history,
    idempotent,
    inline,
    latency,
    load,
    memory,
    outbox,
    past,
    project,
    read,
    scheduled,
    schema,
    snapshots,
    stream,
)
from benchmarks.harness import FULL, QUICK, Benchmark, Effort, Result, measure
from benchmarks.place import postgres_place, sqlite_place
from benchmarks.report import as_json, print_table

BENCHMARKS: list[Benchmark] = [
    *append.BENCHMARKS,
    *read.BENCHMARKS,
    *schema.BENCHMARKS,
    *load.BENCHMARKS,
    *history.BENCHMARKS,
    *past.BENCHMARKS,
    *snapshots.BENCHMARKS,
    *copy.BENCHMARKS,
    *project.BENCHMARKS,
    *idempotent.BENCHMARKS,
    *consumed.BENCHMARKS,
    *scheduled.BENCHMARKS,
    *inline.BENCHMARKS,
    *outbox.BENCHMARKS,
    *stream.BENCHMARKS,
    *elasticsearch.BENCHMARKS,
    *conditions.BENCHMARKS,
    *latency.BENCHMARKS,
]
PLACES = {"sqlite": sqlite_place, "postgresql": postgres_place}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what was asked for, and reports it."""
    options = _parse(arguments)
    console = Console(stderr=options.json == "-", width=None if sys.stdout.isatty() else 200)
    effort = QUICK if options.quick else FULL
    kinds = list(PLACES) if options.database == "both" else [options.database]
    results: list[Result] = []
    try:
        for kind in kinds:
            results.extend(_measure_in(kind, list(chosen(kind, options.only, quick=options.quick)), effort, console))
    finally:  # what was measured is worth seeing, whatever ended the run
        if results:
            print_table(results, console)
    if not options.only or "memory" in options.only:
        memory.report(effort, kinds, console)
    if options.json == "-":
        sys.stdout.write(as_json(results))
    elif options.json:
        Path(options.json).write_text(as_json(results), encoding="utf-8")
    return 0


def chosen(kind: str, only: Sequence[str], *, quick: bool = False) -> Iterator[Benchmark]:
    """The benchmarks of a database whose name holds one of the texts.

    Where there is none, all of them; a quick run leaves out the slow ones then.
    """
    for each in BENCHMARKS:
        named = any(text in each.name for text in only)
        if kind in each.databases and (named if only else not (quick and each.slow)):
            yield each


def _measure_in(kind: str, wanted: Sequence[Benchmark], effort: Effort, console: Console) -> Iterator[Result]:
    if not wanted:
        return
    with PLACES[kind]() as place:
        for each in wanted:
            with console.status(f"{kind}: {each.name}"):
                yield measure(each, place, effort)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small numbers, under three minutes")
    parser.add_argument("--json", metavar="FILE", help="write the rows there; - for the standard output")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help=f"only names that hold this text, of {', '.join(each.name for each in BENCHMARKS)}, memory; repeatable",
    )
    parser.add_argument("--database", choices=[*PLACES, "both"], default="both")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
