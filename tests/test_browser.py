"""A learner's way, in JupyterLab in a real browser: run a lesson and move its slider; solve an exercise.

Needs Chromium and the package playwright; without them these tests are skipped, or fail where DLCOURSE_REQUIRE_BROWSER=1
says that they must run. With DLCOURSE_WRITE_DOCS=1 the picture that README.md opens with is taken anew.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from dlcourse import record

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "check-names-a-mistake.png"
TOKEN = "token-of-a-test"
START_SECONDS = 120
WAIT = 90_000  # ms, for whatever a slow machine is slow at
CHROMIUM_OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
WRONG = """def softmax(z):
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)"""
RIGHT = """def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)"""
CHECK = 'check("neuron.softmax", softmax)'

# The code cells of the notebook in front, as JupyterLab's model has them, whether they are drawn at the moment or not.
CELLS = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  if (!panel?.content?.model || !panel.sessionContext?.session?.kernel) return null;
  return [...panel.content.model.cells].map((cell, index) => ({
    index, type: cell.type, source: cell.sharedModel.getSource(), count: cell.executionCount ?? null,
    outputs: cell.type === 'code' ? cell.outputs.toJSON() : [],
    state: cell.executionState ?? (cell.isDirty ? 'dirty' : null),
  }));
}"""


@dataclass
class Lab:
    """A JupyterLab that `dlcourse lab` has started."""

    url: str
    workspace: Path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the Python package playwright")
    with sync_playwright() as play:
        named = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome", "chrome"))
        choices = (os.environ.get("CHROMIUM"), *named, play.chromium.executable_path)
        program = next((choice for choice in choices if choice and Path(choice).exists()), None)
        if program is None:
            missing("Chromium")
        started = play.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield started
        started.close()


def missing(what: str) -> None:
    """Skip, or fail where the browser tests must run."""
    required = os.environ.get("DLCOURSE_REQUIRE_BROWSER") == "1"
    (pytest.fail if required else pytest.skip)(f"{what} is missing")


@pytest.fixture(scope="module")
def lab(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """`dlcourse lab FOLDER` on a free port of this computer, with none of the tester's own Jupyter settings."""
    workspace, private = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("jupyter")
    folders = {
        f"{name}_DIR": str(private / name.lower())
        for name in ("JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME", "JUPYTERLAB_SETTINGS")
    }
    env = {**os.environ, **folders, "IPYTHONDIR": str(private / "ipython"), "JUPYTER_TOKEN": TOKEN}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "dlcourse.cli", "lab", str(workspace), "--no-browser", "--ip=127.0.0.1"]
    words += [f"--port={port}", "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]
    url, log = f"http://127.0.0.1:{port}", private / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(words, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        wait_for_server(url, process, lambda: log.read_text() + log_of(workspace))
        yield Lab(url, workspace)
    finally:
        process.terminate()
        process.wait(60)


def wait_for_server(url: str, process: subprocess.Popen[bytes], said: Any) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/api/status?token={TOKEN}", timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, said()
            assert time.monotonic() < end, f"no answer after {START_SECONDS} s:\n{said()}"
            time.sleep(0.2)


def log_of(workspace: Path) -> str:
    log = workspace / ".dlcourse" / "jupyterlab.log"
    return log.read_text() if log.exists() else ""


class Notebook:
    """A notebook open in a tab: its cells are found by their text, and reached as a hand reaches them."""

    def __init__(self, browser: Any, lab: Lab, name: str, width: int = 1100, scale: int = 1) -> None:
        self.errors: list[str] = []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, device_scale_factor=scale)
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"{lab.url}/doc/tree/{name}?token={TOKEN}&reset")
        self.page.get_by_text("| Idle").wait_for()  # the kernel is connected, not only chosen

    def __enter__(self) -> Notebook:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def cells(self) -> list[dict[str, Any]]:
        return self.page.wait_for_function(CELLS).json_value()

    def cell(self, text: str, after: str = "") -> dict[str, Any]:
        """The first cell with this text (below the first with the other text)."""
        cells = self.cells()
        start = next(c["index"] for c in cells if after in c["source"])
        return next(c for c in cells[start:] if text in c["source"] and c["type"] == "code")

    def element(self, index: int) -> Any:
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def run_all(self) -> list[dict[str, Any]]:
        """Run All Cells; the code cells, when every one of them has been run."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()
        done = f"""() => {{ const cells = ({CELLS})()?.filter(c => c.type === 'code' && c.source.trim());
            return cells?.every(c => c.count !== null) && cells; }}"""
        cells = self.page.wait_for_function(done).json_value()
        self.page.get_by_text("| Idle").wait_for()
        return cells

    def run(self, index: int, source: str | None = None) -> list[dict[str, Any]]:
        """Click into a cell, replace what is written in it, if asked to, press Shift+Enter, and wait for the outputs."""
        before = self.cells()[index]["count"]
        editor = self.element(index).locator(".cm-content")
        editor.click()
        if source is not None:
            self.page.keyboard.press("ControlOrMeta+A")
            self.page.keyboard.insert_text(source)
            assert self.cells()[index]["source"] == source
        self.page.keyboard.press("Shift+Enter")
        ran = f"""() => {{ const cell = ({CELLS})()?.[{index}];
            return cell && cell.count !== null && cell.count !== {json.dumps(before)} && [cell]; }}"""
        outputs = self.page.wait_for_function(ran).json_value()[0]["outputs"]
        self.page.get_by_text("| Idle").wait_for()
        return self.cells()[index]["outputs"] or outputs

    def add_below(self, index: int) -> int:
        """A new empty cell, by the keyboard."""
        self.element(index).locator(".cm-content").click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        self.page.wait_for_function(f"() => ({CELLS})()?.[{index + 1}]?.source === ''")
        return index + 1


def text_of(outputs: list[dict[str, Any]]) -> str:
    return "".join("".join(output.get("text", [])) for output in outputs)


def test_a_lesson_runs_in_the_browser_and_its_slider_moves_the_picture(browser, lab):
    with Notebook(browser, lab, "notebooks/01_neuron.ipynb") as notebook:
        for cell in notebook.run_all():
            assert not [output for output in cell["outputs"] if output["output_type"] == "error"], cell["source"]
        page = notebook.page
        panel = page.locator(".jp-OutputArea .widget-vbox", has=page.locator("img")).first
        panel.scroll_into_view_if_needed()
        picture = panel.locator("img").first
        before, said = picture.get_attribute("src"), panel.locator("[role=status]").inner_text()
        handle = panel.locator(".noUi-handle").first
        handle.focus()
        for _ in range(3):
            handle.press("ArrowRight")
        page.wait_for_function("([img, src]) => img.src !== src", arg=[picture.element_handle(), before])
        assert panel.locator("[role=status]").inner_text() != said
        assert picture.evaluate("img => img.complete && img.naturalWidth") > 200
        assert notebook.errors == []


def test_a_wrong_answer_is_named_and_the_right_one_passes_and_lives_on(browser, lab):
    with Notebook(browser, lab, "exercises/01_neuron.ipynb") as notebook:
        notebook.run(notebook.cell("import numpy as np")["index"])
        answer, check = notebook.cell("def softmax")["index"], notebook.cell(CHECK)["index"]
        assert notebook.run(answer, WRONG) == []
        notebook.run(check)
        box = notebook.element(check).locator("[role=status]")
        box.get_by_text("Your columns sum to 1, not your rows").wait_for()
        assert record.read(lab.workspace)["neuron.softmax"].mistake == "sum-over-examples"

        assert notebook.run(answer, RIGHT) == []
        notebook.run(check)
        box.get_by_text("Passed").wait_for()
        entry = record.read(lab.workspace)["neuron.softmax"]
        assert (entry.passed, entry.attempts, entry.source.strip()) == (True, 2, "import numpy as np\n\n" + RIGHT)

        new = notebook.add_below(check)
        outputs = notebook.run(new, "from dlcourse import mine\n\nmine.softmax(np.zeros((1, 2)))")
        assert "mine.softmax: yours." in text_of(outputs)
        assert notebook.errors == []


DRAW = """import numpy as np
from dlcourse.widgets.convolutional_networks import drawing_explorer

drawing_explorer(lambda images: np.eye(10)[[3]])"""


def test_a_digit_is_drawn_with_the_mouse_and_with_the_keyboard(browser, lab):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(DRAW)]), lab.workspace / "draw.ipynb")
    with Notebook(browser, lab, "draw.ipynb") as notebook:
        notebook.run(0)
        page, said = notebook.page, notebook.element(0).locator("[role=status]")
        canvas = notebook.element(0).locator("canvas")
        said.get_by_text("The network says 3").wait_for()
        notebook.element(0).get_by_text("Clear", exact=True).click()
        said.get_by_text("Nothing is drawn yet.").wait_for()
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 60, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 120, box["y"] + 160, steps=5)
        said.get_by_text("The network says 3").wait_for()  # while the button is still down
        page.mouse.up()
        notebook.element(0).get_by_text("Clear", exact=True).click()
        said.get_by_text("Nothing is drawn yet.").wait_for()
        canvas.focus()
        for key in (" ", "ArrowDown", "ArrowDown", " "):
            page.keyboard.press(key)
        said.get_by_text("The network says 3").wait_for()
        assert notebook.errors == []


@pytest.fixture(scope="module")
def failed_check(browser: Any, lab: Lab) -> Iterator[Notebook]:
    """A notebook with a wrong softmax and its check, both run, drawn as on a screen with small dots."""
    sources = ["import numpy as np\n\nfrom dlcourse import check", WRONG, CHECK, ""]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lab.workspace / "failed.ipynb")
    with Notebook(browser, lab, "failed.ipynb", width=840, scale=2) as notebook:
        for index in range(3):
            notebook.run(index)
        yield notebook


def test_under_the_box_of_a_failed_check_stands_one_line_and_no_traceback(failed_check):
    outputs = failed_check.element(2).locator(".jp-OutputArea-child")
    assert outputs.count() == 2
    assert "Not yet: neuron.softmax" in outputs.nth(0).inner_text()
    last = outputs.nth(1).locator(".jp-OutputArea-output").inner_text().strip()
    assert last == "✗ Not yet: neuron.softmax (read the box above)"


CONTRAST = """box => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => numbers(color).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = numbers(getComputedStyle(e).backgroundColor);
      if (a === 1) return `rgb(${r}, ${g}, ${b})`;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [box, ...box.querySelectorAll('*')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  return Math.min(...texts.map(e => {
    const [dark, light] = [luminance(getComputedStyle(e).color), luminance(behind(e))].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }));
}"""


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_the_box_is_legible_in_both_themes(failed_check, theme):
    page = failed_check.page
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_selector(f"body[data-jp-theme-name='{theme}']", state="attached")
    box = failed_check.element(2).locator("[role=status]")
    contrast = box.evaluate(CONTRAST)
    assert contrast >= 4.5  # WCAG 2.2, level AA, for text


@pytest.mark.skipif(os.environ.get("DLCOURSE_WRITE_DOCS") != "1", reason="DLCOURSE_WRITE_DOCS=1 takes the picture anew")
def test_the_picture_for_the_readme_is_taken(failed_check):
    from PIL import Image

    failed_check.element(3).locator(".cm-content").click()  # the selected cell is marked: not one in the picture
    top, bottom = (failed_check.element(index).bounding_box() for index in (1, 2))
    clip = {**top, "height": bottom["y"] + bottom["height"] - top["y"]}
    shot = Image.open(io.BytesIO(failed_check.page.screenshot(clip=clip, animations="disabled"))).convert("RGB")
    PICTURE.parent.mkdir(exist_ok=True)
    shot.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    assert PICTURE.stat().st_size <= 120_000
