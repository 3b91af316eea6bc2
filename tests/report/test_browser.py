"""The report in a real browser: nothing fails, nothing is requested, nothing overflows, tables obey."""

import pytest
from PIL import Image

import synthetic
import tiny
from studies.report.publishing import publish

browsers = pytest.importorskip("browsers", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

pytestmark = browsers.NEEDED
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
OPACITY = (
    "return [...document.querySelectorAll(arguments[0])].map((e) => [e.dataset.arm, +getComputedStyle(e).opacity])"
)
BOTTOM = "return Math.max(...arguments[0].map((s) => document.querySelector(s).getBoundingClientRect().bottom))"
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
        (tiny.home(ledger).path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (900, 500), "white").save(tiny.home(ledger).path / "pictures" / name / "cuts.png")
    return (publish(ledger, tiny.home(ledger)).folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browsers.chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


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
    assert [url for url in browsers.requested(chromium) if not url.startswith(("data:", address))] == []
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
    one = [bool(wide) != bool(narrow) for wide, narrow in zip(sizes["wide"], sizes["narrow"], strict=True)]
    assert one
    assert all(one)
    assert all(size > 300 for size in map(max, zip(*sizes.values(), strict=True)))
    assert all(sizes["narrow"]) == (width == 390)
    assert sizes["narrow"][0]  # beside the answer there is no room for the wide one


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
    assert len(shown(table(page, "arms"))) == 4 + 1  # levels filter every table, words one; and what cannot be


def test_verdicts_filter_contrasts(page):
    box = table(page, "contrasts")
    chip(box, "positional, on average").click()
    assert len(shown(box)) == 6


def test_levels_filter_charts_too_and_stand_in_the_address(page, address):
    page.find_element(By.CSS_SELECTOR, "#cost .legend button[data-level=mean]").click()
    page.execute_script("for (const g of document.querySelectorAll('g[data-arm]')) g.style.transition = 'none'")
    arms = page.execute_script(OPACITY, "#cost svg.wide g[data-arm]")
    assert len(arms) == 48
    assert all((opacity == 1) == name.endswith("/mean") for name, opacity in arms)
    table(page, "trials").find_element(By.TAG_NAME, "input").send_keys("tiles")
    chosen = page.current_url
    assert "pooling" in chosen
    page.get("about:blank")
    page.get(chosen)
    assert len(shown(table(page, "arms"))) == 12
    assert len(shown(table(page, "trials"))) == 20
    assert chip(table(page, "trials"), "mean").get_attribute("aria-pressed") == "true"
    assert page.get_log("browser") == []


def test_every_arm_of_a_chart_says_what_it_is_by_pointer_tap_and_tab(page):
    tip = page.find_element(By.ID, "tip")
    arms = page.find_elements(By.CSS_SELECTOR, "#cost svg.wide g[data-arm]")
    assert all(arm.get_attribute("tabindex") == "0" for arm in arms)
    assert not tip.is_displayed()
    page.execute_script("arguments[0].focus({preventScroll: true})", arms[0])
    assert tip.text.startswith(arms[0].get_attribute("data-arm") + ": ")
    assert "images/s" in tip.text
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()
    page.execute_script("arguments[0].dispatchEvent(new MouseEvent('click'))", arms[1])
    assert tip.text.startswith(arms[1].get_attribute("data-arm") + ": ")


def test_a_table_that_goes_on_says_so(chromium, address):
    more = "return getComputedStyle(document.querySelector('.sortable[data-name=arms]'), '::after').content"
    said = {}
    for width in WIDTHS:
        show(chromium, address, width, "light")
        chromium.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        said[width] = chromium.execute_script(more)
    assert "goes on to the right" in said[390]
    assert said[1440] == "none"


def test_answer_and_first_chart_share_the_first_screen(page):
    assert page.execute_script(BOTTOM, [".answer", "#effects svg.narrow"]) <= 900


def test_on_a_phone_long_sentences_fold_and_a_key_unfolds_them(chromium, address):
    show(chromium, address, 1440, "light")
    assert chromium.find_elements(By.CSS_SELECTOR, "#answer dd[tabindex]") == []
    show(chromium, address, 390, "light")
    assert chromium.execute_script(BOTTOM, ["#answer"]) <= 900
    folded = chromium.find_elements(By.CSS_SELECTOR, "#answer dd[tabindex]")
    assert folded
    first, height = folded[0], folded[0].size["height"]
    first.send_keys(Keys.ENTER)
    assert first.size["height"] > height
    assert first.get_attribute("tabindex") is None
    assert chromium.get_log("browser") == []


def test_an_arm_leads_to_its_pictures(page):
    link = table(page, "arms").find_element(By.LINK_TEXT, "tiles/learned/cls")
    link.click()
    place = link.get_attribute("href").split("#")[1]
    image = page.find_element(By.ID, place).find_element(By.TAG_NAME, "img")
    assert image.get_attribute("alt") == "cuts of tiles/learned/cls"


def test_a_picture_is_enlarged_and_closed_by_keyboard(page):
    dialog = page.find_element(By.ID, "zoomed")
    page.find_element(By.CSS_SELECTOR, "button.zoom").send_keys(Keys.ENTER)
    assert dialog.is_displayed()
    assert dialog.find_element(By.TAG_NAME, "img").get_attribute("alt").startswith("cuts of ")
    assert dialog.find_element(By.TAG_NAME, "figcaption").text.startswith("cuts of ")
    assert page.execute_script("return arguments[0].scrollHeight <= arguments[0].clientHeight + 1", dialog)
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert not dialog.is_displayed()
    assert page.get_log("browser") == []


def test_everything_that_is_clicked_is_reached_by_tab_and_has_a_name(page):
    assert page.execute_script(UNREACHABLE) == 0
    assert page.execute_script(UNNAMED) == 0
