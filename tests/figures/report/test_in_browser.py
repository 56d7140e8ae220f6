"""Tests of the report page in headless Chromium: layout, filters, sorting, no errors."""

import shutil

import pytest

from tests.conftest import write_tiny_dataset
from tests.figures.report.small_experiment import write_experiment
from tests.figures.report.test_page import CONFIGS, SECTIONS
from wsss_core.figures.report.page import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on the PATH")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = tmp_path_factory.mktemp("browser")
    results = write_experiment(root / "tiny", write_tiny_dataset(root / "data"))
    write_report(results.folder / "report.html", results, CONFIGS)
    return (results.folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a window of some width; it may have nothing to complain of."""
    told, contexts = [], []

    def opened(width=1280, scheme="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_every_part_is_seen_and_nothing_sticks_out(open_page, width, scheme):
    page = open_page(width, scheme)
    for name in SECTIONS:
        assert page.locator(f"#{name}").bounding_box()["height"] > 50
    assert page.evaluate("document.documentElement.scrollWidth") == width
    broken = "[...document.images].filter((image) => !image.naturalWidth).length"
    assert page.evaluate(broken) == 0


def luminance(color):
    red, green, blue = (int(part) for part in color[4:-1].split(",")[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_dark_is_dark(open_page):
    for scheme, is_dark in (("light", False), ("dark", True)):
        page = open_page(scheme=scheme)
        style = "getComputedStyle(document.body)"
        ground, ink = (page.evaluate(f"{style}.{name}") for name in ("backgroundColor", "color"))
        assert (luminance(ground) < 0.2, luminance(ink) > 0.8) == (is_dark, is_dark)


def shown(page):
    return page.locator(".shot:visible").evaluate_all("all => all.map((one) => one.dataset.id)")


def value(page):
    return page.locator(".shot:visible .value").all_text_contents()


def test_classes_filter(open_page):
    page = open_page()
    assert set(shown(page)) == {"val_0", "val_1"}
    page.locator("#by-class").select_option("disc")
    assert shown(page) == ["val_0"]
    assert page.locator("#count").inner_text() == "1 of 2 images"
    page.locator("#by-class").select_option("all")
    assert set(shown(page)) == {"val_0", "val_1"}


def test_orders_sort(open_page):
    page = open_page()
    order = page.locator("#order")
    worst = shown(page)
    numbers = [float(text.rpartition(" ")[2]) for text in value(page)]
    assert numbers == sorted(numbers)
    order.select_option("best first")
    assert shown(page) == worst[::-1]
    page.get_by_role("button", name="Worst first").click()
    assert shown(page) == worst
    assert not page.locator("#over").is_visible()
    order.select_option("largest gain first")
    page.locator("#stage").select_option("CAM")
    page.locator("#over").select_option("cam")
    assert value(page) == ["sb over cam, CAM: +0.0"] * 2  # one shift, one score
    page.locator("#stage").select_option("segmentation")
    assert value(page) == ["not scored"] * 2  # cam ends with its CAM


def test_masks_fade_and_methods_and_stages_are_hidden(open_page):
    page = open_page()
    slider = page.get_by_label("Strength of the mask")
    slider.focus()
    page.keyboard.press("Home")
    picture = page.locator(".shot .pic img").first
    assert picture.evaluate("one => getComputedStyle(one).opacity") == "0"
    rows = page.locator(".shot tr[data-method=cam]")
    assert rows.first.is_visible()
    page.get_by_role("checkbox", name="cam", exact=True).uncheck()
    assert not rows.first.is_visible()
    page.get_by_role("checkbox", name="random walk").uncheck()
    assert page.locator(".shot td[data-stage=random_walk]:visible").count() == 0


def test_keyboard_reaches_the_parts_and_the_tools(open_page):
    page = open_page()
    reached = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.hash"))
    assert reached[0] == "#run"  # the link that skips the head of the page
    assert {f"#{name}" for name in SECTIONS} <= set(reached)
    assert {"by-class", "order", "method", "stage", "worst", "strength", "size"} <= set(reached)
