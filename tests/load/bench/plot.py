"""The plot: commands a second by callers, a line for each target, a panel for each QoS."""

import pathlib

from bench.summary import Key, Line
from bench.targets import ALL, OURS


def write(lines: dict[Key, Line], file: pathlib.Path):
    """Writes it as SVG, whose text can be searched."""
    # Only a run that writes the documents needs these.
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.fonttype"] = "none"
    # Nothing that differs between two drawings of the same figures.
    matplotlib.rcParams["svg.hashsalt"] = "dragoman"
    closed = {key: line for key, line in lines.items() if key.rate is None}
    panels = sorted({key.qos for key in closed}, reverse=True)
    size = (2.5 + 5 * len(panels), 5)
    figure, axes = pyplot.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, qos in zip(axes[0], panels, strict=True):
        for color, name in enumerate(ALL):
            points = sorted(
                (key.callers, line) for key, line in closed.items() if key.qos == qos and key.target == name
            )
            if points:
                style = "-" if name in OURS else "--"
                axis.plot(
                    [callers for callers, _ in points],
                    [line.per_s for _, line in points],
                    style,
                    color=f"C{color}",
                    marker="o",
                    linewidth=2 if name in OURS else 1,
                    label=name,
                )
        axis.set_xscale("log", base=2)
        axis.set_xticks(sorted({key.callers for key in closed}))
        axis.get_xaxis().set_major_formatter("{x:.0f}")
        axis.set_yscale("log")
        axis.set_title(f"QoS {qos}")
        axis.set_xlabel("callers at once")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("commands a second")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8)
    figure.savefig(file, format="svg", metadata={"Date": None})
