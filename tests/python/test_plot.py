"""Figures: the style, the two formats, and what is refused."""

import re
import struct

import numpy as np
import polars as pl
import pytest

from mopse import plot
from mopse.errors import InvalidInputError, MopseError, WrongTypeError

LABEL = "time per entry [ns]"


@pytest.fixture
def table() -> pl.DataFrame:
    rows = [
        (scheme, entries, cost * (1 + repeat / 10))
        for scheme, cost in [("Plain", 9.0), ("MOPSE", 31.0), ("OPSE, one common key", 55.0)]
        for entries in (1000, 10_000, 100_000)
        for repeat in range(3)
    ]
    return pl.DataFrame(rows, schema=["scheme", "entries", LABEL], orient="row")


def test_control_is_grey_and_dashed_and_others_are_solid(table):
    svg = plot.lines(table, x="entries", y=LABEL, by="scheme", x_scale="log10").svg()
    assert svg.count('stroke="#777777"') > 20  # one stroke per dash
    assert svg.count('stroke="#0072B2"') == 2  # the line and its key
    assert "Plain" in svg


def test_medians_are_a_line_and_all_repeats_are_dots(table):
    svg = plot.lines(table, x="entries", y=LABEL, by="scheme").svg()
    assert len(re.findall(r'<circle[^>]*opacity="0.4"', svg)) == table.height


def test_column_names_become_labels(table):
    svg = plot.lines(table, x="entries", y=LABEL, by="scheme", title="µs ≤ 10⁶ & more").svg()
    assert LABEL in svg
    assert "µs ≤ 10⁶ &amp; more" in svg


def test_known_schemes_look_the_same_in_every_figure(table):
    alone = table.filter(pl.col("scheme") == "OPSE, one common key")
    color = re.compile(r'stroke="(#(?!5A5A5A|E4E4E4)[0-9A-F]{6})"')
    (lonely,) = set(color.findall(plot.lines(alone, x="entries", y=LABEL, by="scheme").svg()))
    assert lonely in plot.lines(table, x="entries", y=LABEL, by="scheme").svg()
    assert lonely == "#CC79A7"


def test_png_has_two_pixels_per_logical_pixel(table):
    png = plot.lines(table, x="entries", y=LABEL, by="scheme", width=600, height=300)._repr_png_()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1200, 600)


def test_equal_figures_give_equal_bytes(table):
    figures = [plot.lines(table, x="entries", y=LABEL, by="scheme") for _ in range(2)]
    assert len({figure.png() for figure in figures}) == 1
    assert len({figure.svg() for figure in figures}) == 1


def test_figure_saves_by_suffix_and_leaves_nothing_else(table, tmp_path):
    figure = plot.lines(table, x="entries", y=LABEL, by="scheme")
    figure.save(tmp_path / "a.svg")
    figure.save(str(tmp_path / "a.png"))
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == figure._repr_svg_()
    assert (tmp_path / "a.png").read_bytes() == figure.png()
    with pytest.raises(InvalidInputError, match=r"\.pdf"):
        figure.save(tmp_path / "a.pdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]


def test_failed_figure_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(InvalidInputError, match="nothing to draw"):
        plot.Figure(x="x", y="y").save(path)
    assert path.read_bytes() == b"old"


def test_every_kind_draws_in_both_formats(table):
    spread = pl.DataFrame({"age [a]": np.arange(100.0), "who": ["a", "b"] * 50})
    cells = pl.DataFrame(
        {"attack": ["s", "s", "t", "t"], "column": ["a", "b"] * 2, "share [1]": [0.1, 0.2, 0.3, 1]}
    )
    everything = (
        plot.Figure(x="x [1]", y="y [1]", x_scale="log2", y_scale="log10")
        .band([1, 2, 4], [1, 1, 1], [2, 3, 4], name="range")
        .intervals([1, 2, 4], [1, 1, 1], [2, 3, 4], name="measured")
        .line([1, 2, 4], [1, 2, 3], name="measured")
        .line([1, 2, 4], [1, 2, 3], name="closed form", role="expected")
        .bars([1, 2], [2, 4], [1, 5], name="counts")
        .level(2, name="guessing")
        .upright(2, name="limit")
        .note(2, 3, "here")
    )
    figures = [
        everything,
        plot.bars(table, x="entries", y=LABEL, by="scheme"),
        plot.scatter(table, x="entries", y=LABEL, by="scheme"),
        plot.steps(table.unique(["scheme", "entries"]), x="entries", y=LABEL, by="scheme"),
        plot.histogram(spread, x="age [a]"),
        plot.histogram(spread, x="age [a]", by="who", bins=[0, 50, 100]),
        plot.heatmap(cells, x="attack", y="column", value="share [1]"),
    ]
    for figure in [*figures, plot.grid(figures[1:5], title="all")]:
        assert figure.svg().endswith("</svg>\n")
        assert figure.png().startswith(b"\x89PNG")


def test_histogram_worked_by_hand():
    table = pl.DataFrame({"age [a]": [1, 2, 2, 9]})
    drawn = plot.histogram(table, x="age [a]", bins=[0, 5, 10])
    by_hand = plot.Figure(x="age [a]", y="records").bars([0, 5], [5, 10], [3, 1])
    assert drawn.svg() == by_hand.svg()


def test_wrong_numbers_are_named_with_series_and_position():
    figure = plot.Figure(x="n", y="t [s]", y_scale="log10")
    with pytest.raises(InvalidInputError, match="MOPSE: value 1 of y is not positive") as caught:
        figure.line([1, 2], [1, 0], name="MOPSE")
    assert isinstance(caught.value, MopseError)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(InvalidInputError, match="MOPSE: value 0 of x is not a finite"):
        figure.line([np.nan, 2], [1, 1], name="MOPSE")
    with pytest.raises(InvalidInputError, match="y has 1 values, expected 2"):
        figure.dots([1, 2], [1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "runs"}, "no column 'runs'"),
        ({"control": "plain"}, "no series 'plain'"),
        ({"expected": ["closed form"]}, "no series 'closed form'"),
        ({"x_scale": "log3"}, "x_scale is 'log3', expected one of"),
        ({"y_range": (5, 5)}, "lower one below the upper"),
        ({"width": 5000}, "not a size between|width is -1"),
        ({"width": -1}, "not a size between|width is -1"),
        ({"title": "a\nb"}, "control character"),
        ({"title": "w" * 200}, "enlarge the figure"),
    ],
)
def test_wrong_arguments_are_refused(table, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        plot.lines(table, **{"x": "entries", "y": LABEL, "by": "scheme", **arguments}).svg()


def test_nothing_is_cast_in_silence(table):
    with pytest.raises(WrongTypeError, match="column 'scheme' holds String"):
        plot.lines(table, x="entries", y="scheme")
    with pytest.raises(WrongTypeError, match="x must hold numbers, not String"):
        plot.Figure(x="x", y="y").line(["1"], ["2"])
    with pytest.raises(InvalidInputError, match="null in row 1"):
        plot.scatter(pl.DataFrame({"a": [1, None], "b": [1, 2]}), x="a", y="b")


def test_grid_takes_no_layers_and_shares_one_legend(table):
    parts = [plot.lines(table, x="entries", y=LABEL, by="scheme", title=t) for t in ("one", "two")]
    whole = plot.grid(parts)
    assert whole.svg().count(">\nMOPSE\n<") == 1
    with pytest.raises(InvalidInputError, match="takes no layers"):
        whole.level(1)
    with pytest.raises(InvalidInputError, match="at least"):
        plot.grid([])


def test_notebook_gets_the_png_alone_in_logical_size(table):
    formatters = pytest.importorskip("IPython.core.formatters")
    capture = pytest.importorskip("IPython.utils.capture")
    interactive = pytest.importorskip("IPython.core.interactiveshell")
    shell = interactive.InteractiveShell.instance()
    figure = plot.lines(table, x="entries", y=LABEL, by="scheme")
    with capture.capture_output() as captured:
        assert formatters.DisplayFormatter(parent=shell).format(figure) == ({}, {})
    (output,) = captured.outputs
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.metadata == {"image/png": {"width": 700, "height": 420}}
