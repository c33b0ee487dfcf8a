"""Interactive explorers: one figure, drawn again into one picture whenever a control moves.

An ``ipywidgets.Image`` fed with PNG bytes is faster than an ``Output`` widget and needs no extension of JupyterLab.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as w
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from dlcourse.plot import png

__all__ = ["explore"]


def explore(figure: Figure, update: Callable[..., str], controls: Mapping[str, w.Widget], dpi: int = 80) -> w.VBox:
    """A panel of controls above a picture that follows them.

    Parameters
    ----------
    figure : the one figure that is drawn again; it is closed for pyplot, so that it does not show up twice
    update : called with the controls' values by name; changes the figure's artists, returns a sentence saying
        what is now seen (it stands under the picture, and is its text alternative)
    controls : name of the argument -> widget with a ``value``
    dpi : dots per inch of the picture

    Returns
    -------
    VBox of controls, picture and sentence; make it a cell's last expression.
    """
    plt.close(figure)
    picture = w.Image(format="png")
    sentence = w.HTML()

    def redraw(_: Any = None) -> None:
        said = update(**{name: control.value for name, control in controls.items()})
        picture.value = png(figure, dpi)
        picture.alt = said
        sentence.value = f'<span role="status">{said}</span>'

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return w.VBox([w.HBox(list(controls.values()), layout=w.Layout(flex_flow="row wrap")), picture, sentence])
