"""The graph as a picture, from the very graph that answers the phone, without any network.

LangGraph's own PNG comes from a web service or needs a C library; the layout here is Sugiyama's, by
grandalf, and the drawing is matplotlib's.
"""

import math
from pathlib import Path
from typing import Any

from langchain_core.runnables.graph import Graph
from langgraph.graph import END

from graph.studio import graph

COLOURS = {
    "__start__": "#e8e8e8",
    "__end__": "#e8e8e8",
    "authenticate": "#ffd9a0",
    "contract": "#ffb3a7",
    "claims": "#ffb3a7",
}
"""Orange is the gate, red is what lies behind it; everything else is open to anybody."""
OPEN = "#cfe8d5"

CAPTION = "One turn of a call. Orange: the gate. Red: personal data, only behind it. Dotted: the turn ends."

WIDTH, HEIGHT = 300, 70
"""Of a box, in points of the layout."""
ABREAST, BETWEEN = 6, 60
"""The picture is about so many boxes wide, and boxes side by side stand so far apart: words stay legible."""


def draw(folder: Path) -> int:
    """Write ``graph.mmd``, ``graph.svg`` and ``graph.png`` into ``folder``; 0, as an exit status."""
    drawable = graph.compile().get_graph()
    folder.mkdir(parents=True, exist_ok=True)
    mermaid = folder / "graph.mmd"
    mermaid.write_text(drawable.draw_mermaid(), encoding="utf-8")
    print(mermaid.read_text(encoding="utf-8"))  # noqa: T201 - the terminal is the interface
    for path in (folder / "graph.svg", folder / "graph.png"):
        _picture(drawable, path)
    written = ", ".join(str(folder / name) for name in ("graph.mmd", "graph.svg", "graph.png"))
    print(f"written: {written}")  # noqa: T201 - as above
    return 0


def _picture(drawable: Graph, path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    places = _layout(drawable)
    figure, axes = plt.subplots(figsize=(13, 9), layout="constrained")
    for edge in drawable.edges:
        (x0, y0), (x1, y1) = places[edge.source], places[edge.target]
        ends_turn = edge.target == END
        level = abs(y1 - y0) < HEIGHT
        side = (WIDTH if x1 > x0 else -WIDTH) / 2 if level else 0
        up = 0 if level else HEIGHT / 2 if y1 > y0 else -HEIGHT / 2
        axes.add_patch(
            FancyArrowPatch(
                (x0 + side, y0 + up),
                (x1 - side, y1 - up),
                arrowstyle="-|>",
                mutation_scale=12,
                connectionstyle=f"arc3,rad={0 if abs(x1 - x0) < WIDTH else 0.08}",
                linestyle=":" if ends_turn else "-",
                color="#aaaaaa" if ends_turn else "#444444",
                zorder=0 if ends_turn else 1,
            )
        )
    for name, (x, y) in places.items():
        axes.add_patch(
            FancyBboxPatch(
                (x - WIDTH / 2, y - HEIGHT / 2),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=2,rounding_size=12",
                facecolor=COLOURS.get(name, OPEN),
                edgecolor="#333333",
                zorder=2,
            )
        )
        label = {"__start__": "a turn begins", "__end__": "the turn ends"}.get(name, name)
        axes.text(x, y, label, ha="center", va="center", fontsize=11, zorder=3)
    axes.set_title(CAPTION, fontsize=12)
    axes.autoscale_view()
    axes.set_aspect("equal")
    axes.axis("off")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _layout(drawable: Graph) -> dict[str, tuple[float, float]]:
    """Where each node goes: in layers, by Sugiyama's method, first layer on top."""
    from grandalf.graphs import Edge, Vertex  # type: ignore[import-untyped]  # it has no types
    from grandalf.graphs import Graph as Layered
    from grandalf.layouts import SugiyamaLayout  # type: ignore[import-untyped]  # as above

    class Box:
        w, h = WIDTH, HEIGHT
        xy: tuple[float, float] = (0.0, 0.0)

    vertices: dict[str, Any] = {name: Vertex(name) for name in drawable.nodes}
    for vertex in vertices.values():
        vertex.view = Box()
    edges = [Edge(vertices[edge.source], vertices[edge.target]) for edge in drawable.edges]
    layout = SugiyamaLayout(Layered(list(vertices.values()), edges).C[0])
    layout.xspace, layout.yspace = 40, 160
    layout.init_all(roots=[vertices["__start__"]])
    layout.draw()
    return _drawn_in({name: (vertex.view.xy[0], -vertex.view.xy[1]) for name, vertex in vertices.items()})


def _drawn_in(places: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """``places`` nearer together from side to side, each layer in the same order."""
    across = [x for x, _ in places.values()]
    scale = min(1.0, ABREAST * WIDTH / (max(across) - min(across) or 1))
    drawn_in: dict[str, tuple[float, float]] = {}
    for layer in {y for _, y in places.values()}:
        edge = -math.inf
        for name in sorted(
            (one for one in places if places[one][1] == layer), key=lambda one: places[one][0]
        ):
            x = max(places[name][0] * scale, edge)
            drawn_in[name] = (x, layer)
            edge = x + WIDTH + BETWEEN
    return drawn_in
