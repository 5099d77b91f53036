"""The cohorts as a picture: a heat map, by Matplotlib, which is the extra `plot`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from examples.cdnow.cohort_table import Retained, largest_share, retention
from examples.cdnow.read_models import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")
INCHES = 11.0, 2.8
DOTS_PER_INCH = 150
BRIGHT = 0.6
"""From this part of the largest share on, the ground is dark enough for white text."""


class NoPlotError(Exception):
    """It cannot be drawn; the message says what to do."""


def plot_cohorts(cells: Iterable[Cohort], file: Path) -> None:
    """Draws a row for each cohort and a column for each month since the first purchase; in each cell, how many percent bought.

    Args:
        cells: of the read model `cohorts`.
        file: where to; its ending says in which format.

    Raises:
        NoPlotError: Matplotlib is not installed, the format is not known, or the file cannot be written.
    """
    if file.suffix not in FORMATS:
        raise NoPlotError(f"{file}: expected a name that ends with {', '.join(FORMATS)}")
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NoPlotError("a plot needs Matplotlib: pip install 'eventfold[plot]'") from error
    # the same data gives the same file
    with mpl.rc_context({"svg.hashsalt": "cohorts", "svg.fonttype": "none"}):
        figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
        _draw(figure, retention(cells))
        try:
            figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
        except OSError as error:
            raise NoPlotError(f"{file} cannot be written: {error.strerror}") from error


def _draw(figure: "Figure", cohorts: list[Retained]) -> None:
    axes = figure.add_subplot()
    last = max(len(each.shares) for each in cohorts)
    largest = largest_share(cohorts)
    shares = [each.shares[1:] + [float("nan")] * (last - len(each.shares)) for each in cohorts]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=largest, aspect="auto")
    for row, each in enumerate(cohorts):
        for column, share in enumerate(each.shares[1:]):
            color = "white" if share > BRIGHT * largest else "black"
            axes.text(column, row, f"{share:.1f}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(last - 1), labels=[str(since) for since in range(1, last)])
    axes.set_yticks(range(len(cohorts)), labels=[f"{each.cohort}  ({each.size:,})" for each in cohorts])
    axes.set_xlabel("months since the month of the first purchase")
    axes.set_ylabel("first purchase (customers)")
    axes.set_title("CDNOW: how many percent of a cohort bought again", loc="left")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="% of the cohort", pad=0.01)
