"""The report in a real browser: nothing fails, nothing is requested, nothing overflows, tables obey."""

import json
import shutil

import pytest
from PIL import Image

import synthetic
from studies.report import publish

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium here: apt-get install chromium chromium-driver"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
WIDTHS, SCHEMES = (390, 1440), ("light", "dark")
CONTRAST = """
const light = (c) => c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const lum = (c) => { const [r, g, b] = light(c); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
const paper = lum(rgb(getComputedStyle(document.body).backgroundColor));
return arguments[0].map((selector) => {
  const style = getComputedStyle(document.querySelector(selector));
  const ink = lum(rgb(document.querySelector(selector) instanceof SVGElement ? style.fill : style.color));
  return [selector, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)];
});
"""
SPILLS = """
const wide = [...document.querySelectorAll("main *")].filter((e) => {
  if (e.closest(".scroll, pre, .unseen, dialog, svg") && !e.matches(".scroll, pre, svg")) return false;
  const box = e.getBoundingClientRect();
  return box.width && box.right > innerWidth + 0.5;
});
return wide.map((e) => e.tagName + "." + e.className);
"""
WIDTHS_OF = "return [...document.querySelectorAll(arguments[0])].map((e) => e.getBoundingClientRect().width)"
UNREACHABLE = "return [...document.querySelectorAll('button, a, input, .scroll')].filter((e) => e.tabIndex < 0).length"
UNNAMED = """
const named = (e) => e.textContent.trim() || e.ariaLabel || e.labels?.length || e.querySelector("img[alt]");
return [...document.querySelectorAll("button, input, [role=region]")].filter((e) => !named(e)).length;
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    ledger = synthetic.ledger(tmp_path_factory.mktemp("browser") / "ablations-mnist-cpu", memory=True)
    for name in ("tiles_learned_cls", "tiles_rope2d_mean"):
        (ledger.folder / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (900, 500), "white").save(ledger.folder / "pictures" / name / "cuts.png")
    return (publish(ledger).folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.get("about:blank")
    driver.get_log("performance")  # what the browser's own first tab asked for
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium, address):
    show(chromium, address, 1440, "light")
    return chromium


def show(driver, address, width, scheme):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.get(address)


def requested(driver):
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


def table(driver, name):
    return driver.find_element(By.CSS_SELECTOR, f".sortable[data-name={name}]")


def header(box, words):
    return next(th for th in box.find_elements(By.CSS_SELECTOR, "thead th") if th.text.split(" ↑")[0].startswith(words))


def chip(box, words):
    return next(c for c in box.find_elements(By.CSS_SELECTOR, ".chips button") if c.text == words)


def shown(box):
    return [row.text for row in box.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]


def column(box, words):
    heads = box.find_elements(By.CSS_SELECTOR, "thead tr:last-child > *")
    number = heads.index(header(box, words)) + 1
    cells = box.find_elements(By.CSS_SELECTOR, f"tbody tr > :nth-child({number})")
    return [cell.get_attribute("data-key") for cell in cells]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_error_no_request_no_overflow_and_text_stands_out(chromium, address, width, scheme):
    show(chromium, address, width, scheme)
    assert chromium.get_log("browser") == []
    assert [url for url in requested(chromium) if not url.startswith(("data:", address))] == []
    assert chromium.execute_script("return document.scrollingElement.scrollWidth <= innerWidth")
    assert chromium.execute_script(SPILLS) == []
    selectors = ["body", ".caption", ".chart text", ".chart .tick", ".heat td", ".eyebrow", ".chips button"]
    for selector, contrast in chromium.execute_script(CONTRAST, selectors):
        assert contrast >= 4.5, selector
    background = chromium.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 300) == (scheme == "dark")


@pytest.mark.parametrize("width", WIDTHS)
def test_one_of_two_drawings_is_shown(chromium, address, width):
    show(chromium, address, width, "light")
    sizes = {name: chromium.execute_script(WIDTHS_OF, f"svg.{name}") for name in ("wide", "narrow")}
    seen, hidden = ("narrow", "wide") if width == 390 else ("wide", "narrow")
    assert all(size > 300 for size in sizes[seen])
    assert not any(sizes[hidden])


def test_a_click_on_a_header_sorts_and_another_turns_round(page):
    box = table(page, "arms")
    click = header(box, "train, images/s").find_element(By.TAG_NAME, "button").click
    click()
    speeds = column(box, "train, images/s")
    assert speeds[-1] is None  # what has no value stays last
    numbers = [float(speed) for speed in speeds[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    assert header(box, "train, images/s").get_attribute("aria-sort") == "descending"
    click()
    assert [float(speed) for speed in column(box, "train, images/s")[:-1]] == numbers[::-1]
    assert column(box, "train, images/s")[-1] is None
    sorts = [th.get_attribute("aria-sort") for th in box.find_elements(By.CSS_SELECTOR, "thead th")]
    assert sorts.count("none") == len(sorts) - 1


def test_the_keyboard_sorts_text(page):
    box = table(page, "arms")
    header(box, "arm").find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    names = [th.text for th in box.find_elements(By.CSS_SELECTOR, "tbody th")]
    assert names == sorted(names)
    assert header(box, "arm").get_attribute("aria-sort") == "ascending"


def test_words_and_chips_filter(page):
    box = table(page, "trials")
    assert len(shown(box)) == 120
    chip(box, "tiles").click()
    assert len(shown(box)) == 40
    chip(box, "vertical").click()  # chips of one factor add up
    chip(box, "rope2d").send_keys(Keys.SPACE)  # those of two factors narrow down
    assert len(shown(box)) == 20
    assert chip(box, "rope2d").get_attribute("aria-pressed") == "true"
    assert box.find_element(By.TAG_NAME, "output").text == "20 of 120 rows"
    box.find_element(By.TAG_NAME, "input").send_keys("VERTICAL mean")
    assert len(shown(box)) == 5
    assert all(row.startswith("vertical/rope2d/mean") for row in shown(box))
    assert len(shown(table(page, "arms"))) == 25


def test_verdicts_filter_contrasts(page):
    box = table(page, "contrasts")
    chip(box, "positional").click()
    assert len(shown(box)) == 6


def test_a_picture_is_enlarged_and_closed_by_keyboard(page):
    dialog = page.find_element(By.ID, "zoomed")
    page.find_element(By.CSS_SELECTOR, "button.zoom").send_keys(Keys.ENTER)
    assert dialog.is_displayed()
    assert dialog.find_element(By.TAG_NAME, "img").get_attribute("alt").startswith("cuts of ")
    webdriver.ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert not dialog.is_displayed()
    assert page.get_log("browser") == []


def test_everything_that_is_clicked_is_reached_by_tab_and_has_a_name(page):
    assert page.execute_script(UNREACHABLE) == 0
    assert page.execute_script(UNNAMED) == 0
