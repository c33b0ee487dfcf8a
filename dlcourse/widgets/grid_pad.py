"""A canvas to paint a grid world on, with the mouse or the keyboard."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

__all__ = ["GridPad"]

_GRID_PAD = """
function render({ model, el }) {
  const cell = 42, look = { "#": ["#555", ""], "-": ["#fff", ""], "S": ["#fff", "start"], "G": ["#009E73", "+1 end"],
    "H": ["#D55E00", "−1 end"], "1": ["#F0E442", "coin"] };
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The grid. Paint with the mouse; with the keyboard, arrow keys move and space paints the cell.");
  canvas.style.cssText = "background: white; touch-action: none; cursor: cell; display: block";
  el.append(canvas);
  let grid = model.get("value").map(row => row.split("")), painting = false, at = [0, 0], keys = false;
  const paint = () => {
    canvas.width = grid[0].length * cell + 2; canvas.height = grid.length * cell + 2;
    pen.font = "11px sans-serif"; pen.textBaseline = "middle"; pen.textAlign = "center";
    grid.forEach((row, i) => row.forEach((sign, j) => {
      const x = j * cell + 1, y = i * cell + 1, [color, word] = look[sign] || ["#fff", sign];
      pen.fillStyle = color; pen.fillRect(x, y, cell, cell);
      pen.strokeStyle = "#777"; pen.lineWidth = 1; pen.strokeRect(x, y, cell, cell);
      pen.fillStyle = sign === "G" || sign === "H" ? "#fff" : "#000"; pen.fillText(word, x + cell / 2, y + cell / 2);
    }));
    if (!keys) return;
    pen.strokeStyle = "#0072B2"; pen.lineWidth = 3; pen.strokeRect(at[1] * cell + 3, at[0] * cell + 3, cell - 4, cell - 4);
  };
  const brush = (i, j) => { if (grid[i][j] !== "S") grid[i][j] = model.get("brush"); paint(); };
  const send = () => { model.set("value", grid.map(row => row.join(""))); model.save_changes(); };
  const place = event => {
    const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
    const i = Math.floor((event.clientY - box.top) * scale / cell), j = Math.floor((event.clientX - box.left) * scale / cell);
    return i >= 0 && j >= 0 && i < grid.length && j < grid[0].length ? [i, j] : null;
  };
  canvas.addEventListener("pointerdown", event => {
    const spot = place(event);
    if (!spot) return;
    canvas.setPointerCapture(event.pointerId);
    keys = false; painting = true; brush(...spot);
  });
  canvas.addEventListener("pointermove", event => { const spot = painting ? place(event) : null; if (spot) brush(...spot); });
  const lift = () => { if (painting) { painting = false; send(); } };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("keydown", event => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault(); event.stopPropagation();
    keys = true;
    if (move) at = [Math.min(grid.length - 1, Math.max(0, at[0] + move[0])), Math.min(grid[0].length - 1, Math.max(0, at[1] + move[1]))];
    else { brush(...at); send(); }
    paint();
  });
  model.on("change:value", () => { if (!painting) { grid = model.get("value").map(row => row.split("")); at = [0, 0]; paint(); } });
  paint();
}
export default { render };
"""


class GridPad(anywidget.AnyWidget):
    """A grid to paint on with ``brush``, a sign of ``GridWorld``; ``value`` holds its rows. The start stays where it is."""

    _esm = _GRID_PAD
    value: Any = traitlets.List().tag(sync=True)
    brush: Any = traitlets.Unicode("#").tag(sync=True)
