"""The page in a browser: nothing is in the way, nothing is in error, and the filter shows what is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from suite.judge import judge
from suite.records import find_baselines
from suite.report.judged import JudgedRun
from suite.report.page.page import write_page
from suite.trial import RunRecord

BROWSERS = ("chromium", "google-chrome", "chrome")
DRIVER = "chromedriver"
WIDTHS = (1280, 390)

OVERLAPS = """
const found = [];
const shown = (e) => { const r = e.getBoundingClientRect(); return r.width > 1 && r.height > 1; };
const apart = (a, b) => {
  const [p, q] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
  return p.right <= q.left + 1 || q.right <= p.left + 1 || p.bottom <= q.top + 1 || q.bottom <= p.top + 1;
};
const compare = (elements) => elements.forEach((a, i) => elements.slice(0, i).forEach((b) => {
  if (!apart(a, b)) found.push(`${b.outerHTML.slice(0, 90)} | ${a.outerHTML.slice(0, 90)}`);
}));
for (const parent of document.body.querySelectorAll(":not(svg, svg *)"))
  compare([...parent.children].filter((e) => shown(e) && getComputedStyle(e).display !== "inline"));
for (const svg of document.querySelectorAll("svg")) compare([...svg.querySelectorAll("text")].filter(shown));
return found.slice(0, 5);
"""
"""Boxes of one parent that lie over each other, and texts of one picture that do."""

OUTSIDE = """
const edge = document.documentElement.clientWidth + 1;
return [...document.body.querySelectorAll("*")]
  .filter((e) => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > edge)
  .map((e) => e.outerHTML.slice(0, 90)).slice(0, 5);
"""
"""What reaches over the window's edge, and does not scroll."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Start a browser without a window."""
    binary = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which(DRIVER)
    if binary is None or driver is None:
        pytest.skip("no browser with a driver is installed here; on Debian: chromium and chromium-driver")
    options = ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def everything(trained: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of all documented cases, and beside them a run of two that regressed, is dead, and diverged."""
    baseline = find_baselines(Path(__file__).parents[3] / "results" / "baselines")["cpu"]
    worse = trained.trials.assign(final_loss=trained.trials["final_loss"].mask(trained.trials["seed"] < 3, np.inf))
    runs = [baseline, replace(trained, trials=worse)]
    file = tmp_path_factory.mktemp("page") / "page.html"
    write_page(file, [JudgedRun(run=run, verdicts=judge(run, {"cpu": baseline})) for run in runs])
    return file


@pytest.fixture
def opened(browser: Chrome, everything: Path) -> Chrome:
    """Open the page afresh, as from disk."""
    browser.set_window_size(1280, 900)
    browser.get("about:blank")  # a place on the page may have been opened, which is no other page
    browser.get(everything.as_uri())
    WebDriverWait(browser, 60).until(lambda page: page.execute_script("return document.readyState") == "complete")
    return browser


def cards(browser: Chrome) -> list[str]:
    """Return the places of the cells that are shown."""
    found: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('article')].filter((e) => e.checkVisibility()).map((e) => e.id)"
    )
    return found


def test_nothing_is_in_error(opened: Chrome) -> None:
    """Neither the page's script nor its policy has anything to complain of."""
    assert opened.get_log("browser") == []  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("folded", [True, False])
def test_nothing_overlaps(opened: Chrome, width: int, *, folded: bool) -> None:
    """At the width of a desk and of a hand, folded or not, no box lies over another, and none beyond the edge."""
    opened.execute_cdp_cmd(  # a window has a least width; a screen has none
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    opened.execute_script("document.querySelectorAll('details').forEach((e) => { e.open = arguments[0] })", not folded)
    try:
        assert opened.execute_script("return document.documentElement.clientWidth") in {width, width - 15}
        assert opened.execute_script(OVERLAPS) == []
        assert opened.execute_script(OUTSIDE) == []
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_every_picture_has_an_alternative_text(opened: Chrome) -> None:
    """Each picture, whatever element holds it, is named for those who do not see it."""
    silent = """return [...document.querySelectorAll('svg, img, canvas')]
        .filter((e) => !(e.closest('[role=img]') || e).getAttribute('aria-label')).length"""
    assert opened.execute_script("return document.querySelectorAll('svg').length") > 100
    assert opened.execute_script(silent) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("device", "a-run:cpu"), ("dtype", "bfloat16"), ("verdict", "regressed"), ("verdict", "pass")]
)
def test_a_choice_shows_what_fits(opened: Chrome, name: str, value: str) -> None:
    """Cells that do not fit are hidden, with their rows and sections; the count says how many are left."""
    everything = cards(opened)
    Select(opened.find_element(By.NAME, name)).select_by_visible_text(value)
    shown = cards(opened)
    meant = opened.execute_script(f"return [...document.querySelectorAll('article[data-{name}=\"{value}\"]')].length")
    assert 0 < len(shown) == meant < len(everything)
    assert opened.find_element(By.ID, "shown").text == f"{len(shown)} of {len(everything)} cells"
    opened.find_element(By.CSS_SELECTOR, "input[type=reset]").click()
    WebDriverWait(opened, 10).until(lambda browser: len(cards(browser)) == len(everything))


def test_a_part_of_a_name_finds_its_cases(opened: Chrome) -> None:
    """Whatever is typed is looked for in the cases' names, as text, whatever its case."""
    field = opened.find_element(By.NAME, "case")
    field.send_keys("SQUARE_N")
    assert {place.split("-")[1] for place in cards(opened)} == {f"square_n{n}" for n in (1, 2, 5, 10, 100)}
    rows = opened.find_elements(By.CSS_SELECTOR, ".matrix tbody tr")
    assert sum(row.is_displayed() for row in rows) == 5
    field.send_keys("[")
    assert cards(opened) == []


def test_a_cell_of_the_matrix_leads_to_its_card(opened: Chrome) -> None:
    """A click brings the cell's pictures into view."""
    link = opened.find_element(By.CSS_SELECTOR, ".matrix td.regressed a")
    link.click()
    target = (link.get_attribute("href") or "").partition("#")[2]
    top = opened.execute_script("return document.getElementById(arguments[0]).getBoundingClientRect().top", target)
    assert 0 <= top < 900


def test_light_and_dark_are_told_apart(opened: Chrome) -> None:
    """The page takes the reader's scheme, and its pictures with it."""
    seen = []
    for scheme in ("light", "dark"):
        opened.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        line = "getComputedStyle(document.querySelector('figure path[stroke=\"var(--live)\"]')).stroke"
        seen.append(opened.execute_script(f"return [getComputedStyle(document.body).backgroundColor, {line}]"))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
