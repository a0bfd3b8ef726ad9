"""The dashboard in a real browser, over the real application and a real database with a scene in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from accounting.factors.load import load as load_library
from api.app import create_app
from api.history import SentFile, import_file
from api.settings import ApiSettings
from domain.interval import DAY_US, INTERVAL_US
from storage import findings, keys, quotas, registry
from tests.accounting.bed import Bed, Sent
from tests.api import dashboard_scene as scene
from tests.api.serving import serving
from tests.conftest import missing
from tests.servers import Database, DatabaseServer, chromium_program

pytestmark = pytest.mark.browser

DASHBOARD = Path(__file__).parents[2] / "api" / "dashboard"
ARTIFACTS = Path(__file__).parents[2] / "artifacts"
# Chromium would otherwise look up its maker's hosts at every start.
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
WAIT_MS = 60_000  # browser, server and database share a machine that may be busy
YESTERDAY = scene.CALENDAR.date(scene.CALENDAR.day(scene.NOW_US) - 1).isoformat()
NOW_TEXT = scene.CALENDAR.text(scene.NOW_US)


@dataclass
class Site:
    """The application with the scene: where it answers, a key, and the database behind it."""

    base: str
    key: str
    database: Database

    def get(self, path: str, **parameters: Any) -> Any:
        answer = httpx.get(
            self.base + path, params=parameters, headers={"Authorization": f"Bearer {self.key}"}, timeout=30
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def site(plain_server: DatabaseServer) -> Iterator[Site]:
    with plain_server.database() as database:
        with database.connect() as conn:
            scene.populate(conn)
            key, _ = keys.create(conn, ["emissions:read"])
        with serving(create_app(ApiSettings(database.url), scene.FixedClock(), load_library())) as base:
            yield Site(base, key, database)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium_program()
    if program is None:
        missing("browser", "no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        yield browser
        browser.close()


expect.set_options(timeout=WAIT_MS)
Open = Callable[..., Page]


def answering(problem: dict[str, Any]) -> Callable[[Route], None]:
    return lambda route: route.fulfill(
        status=problem["status"], content_type="application/problem+json", json=problem
    )


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens the dashboard; at the end nothing may have failed in it, nor been asked of another host."""
    complaints: list[str] = []

    def open_(
        address: str = "",
        *,
        base: str = site.base,
        locale: str = "en-GB",
        width: int = 1440,
        key: str | None = site.key,
        scheme: str = "light",
        problems: dict[str, dict[str, Any]] | None = None,
        now: str = NOW_TEXT,
        **view: str,
    ) -> Page:
        # a browser far away from the plant: days are the plant's all the same
        context = browser.new_context(
            locale=locale,
            timezone_id="America/New_York",
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.clock.set_fixed_time(now)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type in ("error", "warning") and "Failed to load resource" not in message.text
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((base, "data:", "blob:"))
                else complaints.append(f"asked another host: {request.url}")
            ),
        )
        for pattern, body in (problems or {}).items():
            page.route(pattern, answering(body))
        fragment = urlencode({**({"key": key} if key else {}), **view})
        page.goto(f"{base}/{address}#{fragment}")
        return page

    yield open_
    assert complaints == []


def settled(page: Page) -> Page:
    """The page once all of its parts have their figures and charts."""
    for part in ("city", "windows", "emissions", "meters"):
        expect(page.locator(f"#{part}")).to_have_attribute("data-state", "ready", timeout=WAIT_MS)
    page.wait_for_selector("#city-chart .main-svg")
    page.wait_for_selector("#emissions-chart .main-svg, #emissions-table table")
    page.wait_for_selector("#sources tr:last-child .factor-one")
    # every meter has its strip, and every row of the list its sparkline
    page.wait_for_function(
        "[...document.querySelectorAll('#meters-rows tr')].every(row => row.querySelector('.strip'))"
    )
    page.wait_for_function(
        "[...document.querySelectorAll('#list-items li')].every(row => row.querySelector('.sparkline'))"
    )
    return page


def exact(page: Page, selector: str) -> Decimal:
    """The exact figure [kg] behind a shown one."""
    text = page.locator(selector).get_attribute("data-exact") or page.locator(selector).get_attribute("value")
    assert text
    return Decimal(text.replace("−", "-"))


def emissions(site: Site, uscc: str, day: str, **parameters: str) -> list[dict[str, Any]]:
    start = scene.CALENDAR.day_start(scene.CALENDAR.day_of(date.fromisoformat(day)))
    query = {
        "from": scene.CALENDAR.text(start),
        "to": scene.CALENDAR.text(start + DAY_US),
        "granularity": "15m",
        **parameters,
    }
    items: list[dict[str, Any]] = site.get(f"/v1/enterprises/{uscc}/emissions", **query)["items"]
    return items


def summed(items: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(item["co2e_kg"]) for item in items if item["co2e_kg"] is not None), Decimal(0))


def test_the_figures_of_the_api_appear(open_page: Open, site: Site) -> None:
    page = settled(open_page(e=scene.STEEL, d=YESTERDAY))
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "dashboard.png", full_page=True)

    quarter = scene.NOW_US - scene.NOW_US % INTERVAL_US
    district = site.get(
        "/v1/districts/430300/emissions",
        **{
            "from": scene.CALENDAR.text(quarter - DAY_US),
            "to": scene.CALENDAR.text(quarter),
            "granularity": "15m",
        },
    )["items"]
    assert exact(page, "#rate-value") == 4 * Decimal(district[-1]["co2e_kg"])
    assert exact(page, "#rate-day") == summed(district)
    expect(page.locator("#status-text")).to_have_text("live")
    expect(page.locator("#district-name")).to_have_text("Xiangtan")

    whole = emissions(site, scene.STEEL, YESTERDAY)
    assert exact(page, "#sum-net") == summed(whole)
    deducted = summed(emissions(site, scene.STEEL, YESTERDAY, by="source")) - exact(page, "#sum-gross")
    assert exact(page, "#sum-deductions") == deducted < 0
    windows = site.get(f"/v1/enterprises/{scene.STEEL}/windows", at=scene.CALENDAR.text(quarter))
    shown = page.locator("#windows-items data").evaluate_all("all => all.map(one => one.value)")
    assert shown == [
        windows[name]["total"]["co2e_kg"] or "" for name in ("24h", "7d", "30d", "mtd", "ytd", "12m")
    ]
    expect(page.locator("#intensity-unit")).to_have_text("kg CO₂e per t")
    assert page.locator("#list-items li").count() == 3


def test_the_factor_shows_its_source_and_how_far_it_is_to_be_trusted(open_page: Open) -> None:
    page = settled(open_page(e=scene.STEEL))
    heat = page.locator("#sources tr", has_text="Purchased heat")
    expect(heat.locator(".confidence")).to_have_text("M")
    expect(heat.locator(".confidence")).to_have_attribute("title", "M: from a secondary source")
    grid = page.locator("#sources tr", has_text="Purchased electricity")
    expect(grid.locator(".factor")).to_contain_text("0.4976")
    expect(grid.locator(".factor")).to_contain_text("公告2025年第47号")
    expect(grid.locator(".chip.is-provisional")).to_be_visible()


DRAWN = """() => {
  const chart = document.getElementById("emissions-chart");
  return chart.data.map((trace) => ({
    name: trace.name ?? null, type: trace.type, axis: trace.yaxis ?? "y", x: [...trace.x], y: [...trace.y],
    hatched: [...(trace.marker?.pattern?.shape ?? "")],
    above: trace.base !== undefined,
  }));
}"""


def test_missing_is_never_drawn_as_nought(open_page: Open, site: Site) -> None:
    page = settled(open_page(e=scene.STEEL, d=YESTERDAY))
    traces: list[dict[str, Any]] = page.evaluate(DRAWN)
    boiler = next(trace for trace in traces if trace["name"] == "boiler")
    missing = [
        item
        for item in emissions(site, scene.STEEL, YESTERDAY, by="source")
        if item["source"] == "boiler" and item["co2e_kg"] is None
    ]
    assert len(missing) == 12  # 04:00 to 07:00
    assert len(boiler["x"]) == 96 - 12
    assert not any("04:00" <= moment[11:16] < "07:00" for moment in boiler["x"])
    assert all(value > 0 for value in boiler["y"])
    # what is missing of these periods is hatched above their bars, and their net isn't drawn
    above = next(trace for trace in traces if trace["above"])
    assert [moment[11:16] for moment in above["x"]][:2] == ["04:07", "04:22"]
    assert len(above["x"]) == 12
    net = next(trace for trace in traces if trace["type"] == "scatter")
    assert sum(value is None for value in net["y"]) == 12
    # the feeder's gap is known in amount, so it is drawn: hatched, for its timing is estimated
    grid = next(trace for trace in traces if trace["name"] == "grid")
    estimated = [moment[11:16] for moment, shape in zip(grid["x"], grid["hatched"], strict=True) if shape]
    assert (estimated[0], estimated[-1], len(estimated)) == ("13:07", "16:07", 13)
    # deductions lie below nought
    export = next(trace for trace in traces if trace["name"] == "export")
    assert max(export["y"]) < 0

    page.click('#shape [data-value="table"]')
    row = page.locator("#emissions-table tbody tr", has_text="04:00–04:15")
    expect(row.locator("td.is-missing")).to_have_text("missing")
    assert not re.search(r"(^|\s)0(\.0+)? kg", row.inner_text())


def test_a_period_of_which_nothing_is_known_is_a_band_and_what_lies_ahead_stays_blank(
    open_page: Open,
) -> None:
    page = settled(open_page(e=scene.CEMENT, v="month"))
    fan = page.locator("#meters-rows tr", has_text="E-09/fan_kwh")
    expect(fan).to_have_attribute("data-health", "silent")
    # the last day of the fan, all of it missing after its first hours
    kinds = fan.locator(".strip rect").evaluate_all("all => all.map(one => one.getAttribute('class'))")
    assert kinds[-1] == "is-missing"
    traces: list[dict[str, Any]] = page.evaluate(DRAWN)
    days = {moment[:10] for trace in traces if trace["name"] == "grid" for moment in trace["x"]}
    assert max(days) == "2026-03-11"  # nothing is drawn of the days to come
    assert all(
        moment[:10] <= "2026-03-11" for trace in traces for moment in trace["x"] if trace["type"] == "bar"
    )


def test_a_bar_opens_where_its_figure_comes_from(open_page: Open, site: Site) -> None:
    page = settled(open_page(e=scene.STEEL, d=YESTERDAY))
    bar = page.locator("#emissions-chart .trace.bars").nth(0).locator(".point").nth(40)
    bar.click(force=True)
    drawer = page.locator("#derivation")
    expect(page.locator("#derivation-body")).to_have_attribute("data-state", "ready")
    heading = drawer.locator("#derivation-heading").inner_text()
    match = re.match(r"(\w+) · (\S+) (\d\d:\d\d)–(\d\d:\d\d)", heading)
    assert match
    source, day, begin, end = match.groups()
    answer = site.get(
        f"/v1/enterprises/{scene.STEEL}/derivation",
        source=source,
        **{"from": f"{day}T{begin}:00+08:00", "to": f"{day}T{end}:00+08:00"},
    )
    assert drawer.locator(".answer data").get_attribute("value") == answer["co2e_kg"]
    expect(drawer).to_contain_text(answer["formula"])
    expect(drawer).to_contain_text(answer["factors"][0]["reference"])
    expect(drawer).to_contain_text(answer["channels"][0]["readings"][0]["value"])
    assert drawer.locator("section").count() == 5
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_a_figure_that_wants_a_factor_says_which_and_what_to_do(open_page: Open) -> None:
    wanted = {
        "from": "2026-03-10", "to": "2026-03-11", "name": "emission_factor", "unit": "tCO2/MWh", "fuel": None,
        "material": None, "area": "430000", "year": 2026, "edition": None,
        "why": "no electricity factor of this area", "do": "register the parameter emission_factor",
    }  # fmt: skip

    def without_factor(route: Route) -> None:
        answer = route.fetch().json()
        route.fulfill(json={**answer, "co2e_kg": None, "missing_factors": [wanted]})

    page = settled(open_page(e=scene.STEEL, v="month", s="table"))
    page.route("**/derivation?*", without_factor)
    page.locator("#emissions-table tbody tr", has_text="10 Mar").locator("button").first.click()
    expect(page.locator("#derivation-body")).to_have_attribute("data-state", "ready")
    note = page.locator("#derivation-body .wanted")
    expect(note).to_have_count(1)
    expect(note).to_contain_text("Factor missing: emission_factor · 430000 · 2026 · tCO2/MWh")
    expect(note).to_contain_text("2026-03-10 – 2026-03-11")
    expect(note).to_contain_text(wanted["why"])
    expect(note).to_contain_text(wanted["do"])


def test_a_bar_of_a_month_can_be_opened_as_its_day(open_page: Open) -> None:
    page = settled(open_page(e=scene.STEEL, v="month", s="table"))
    page.locator("#emissions-table tbody tr", has_text="10 Mar").locator("button").first.click()
    expect(page.locator("#derivation-body")).to_have_attribute("data-state", "ready")
    rows = page.locator("#derivation-body section").nth(2).locator("tbody tr")
    assert rows.count() == 96
    page.get_by_role("button", name="Open this Day").click()
    expect(page.locator("#period-name")).to_contain_text("10 Mar 2026")
    assert "v=day" in page.url


def test_the_report_of_the_year_can_be_taken_along(open_page: Open) -> None:
    page = settled(open_page())
    place = page.locator("#reports")
    expect(place).to_contain_text("Report of 2026")
    for format_, start in (("PDF", b"%PDF"), ("XLSX", b"PK"), ("JSON", b"{")):
        with page.expect_download() as waiting:
            place.get_by_role("button", name=format_).click()
        path = Path(waiting.value.path())
        assert path.read_bytes().startswith(start)
        language = "" if format_ == "JSON" else "-en"
        assert waiting.value.suggested_filename == f"report-{scene.STEEL}-2026{language}.{format_.lower()}"
        expect(place.get_by_role("button", name=format_)).to_be_enabled()


def test_findings_stand_with_evidence_tonnes_and_state(open_page: Open, site: Site) -> None:
    (finding,) = site.get("/v1/findings", uscc=scene.STEEL, rule="main_against_subs")["items"]
    page = settled(open_page(e=scene.STEEL))
    expect(page.locator("#findings")).to_have_attribute("data-state", "ready")
    expect(page.locator("#findings-summary")).to_contain_text("1 open")
    row = page.locator(f'#findings-rows tr[data-finding="{finding["id"]}"]')
    expect(row).to_contain_text("main meter against the sum of its sub-meters")
    expect(row).to_contain_text("feeders: E-01/import_kwh, E-02/export_kwh")
    expect(row.locator(".severity .chip")).to_have_text("medium")
    expect(row.locator(".doubt")).to_have_attribute(
        "data-exact", finding["in_doubt_co2e_kg"].replace("-", "−")
    )
    assert Decimal(finding["in_doubt_co2e_kg"]) > 0
    expect(row.locator(".state-of .word")).to_have_text("open")
    row.locator("summary").click()
    expect(row.locator(".evidence")).to_contain_text("tolerance 0.030000")
    expect(row.locator(".evidence")).to_contain_text("carbonmeter: found")
    with site.database.connect() as conn:
        assert findings.explain(conn, finding["id"], "李雷", "出线表不在总表之下")
    page = settled(open_page(locale="zh-CN", e=scene.STEEL))
    row = page.locator(f'#findings-rows tr[data-finding="{finding["id"]}"]')
    expect(row).to_contain_text("总表与分表之和不符")
    expect(row.locator(".state-of")).to_contain_text("已说明李雷: 出线表不在总表之下")
    page = settled(open_page(e=scene.OFFICES))
    expect(page.locator("#findings > .message")).to_have_text(
        "The checks between channels have found nothing."
    )


def test_years_of_files_stand_beside_the_years_of_meters(open_page: Open, site: Site) -> None:
    page = settled(open_page(e=scene.CEMENT))
    expect(page.locator("#years")).to_be_hidden()
    rows = "uscc,year,source,amount,unit,provenance\n" + "".join(
        f"{scene.CEMENT},{year},purchased_heat,{amount},GJ,{provenance}\n"
        for year, amount, provenance in (
            (2024, 10_000, "verified"),
            (2025, 20_000, "reported"),
            (2025, 1, "estimated"),
        )
    )
    with site.database.connect() as conn:
        known, file = registry.load(conn), SentFile(rows.encode(), "years.csv")
        import_file(conn, known, load_library(), file, by="李雷", this_year=2026)
    page = settled(open_page(e=scene.CEMENT))
    expect(page.locator("#years")).to_have_attribute("data-state", "ready")
    row = page.locator('#years-rows tr[data-year="2025"]')
    expect(row.locator("td.file")).to_have_text("2,200 t")
    expect(row.locator("td.file")).to_have_attribute("title", re.compile(r"2,200,110"))
    expect(row.locator(".chip")).to_have_text("estimated")
    expect(row.locator("td.meters")).to_have_text("–")
    expect(page.locator('#years-rows tr[data-year="2024"] .chip')).to_have_text("verified")
    metered = page.locator('#years-rows tr[data-year="2026"]')
    year = {"from": "2026-01-01T00:00:00+08:00", "to": "2027-01-01T00:00:00+08:00", "granularity": "year"}
    (item,) = site.get(f"/v1/enterprises/{scene.CEMENT}/emissions", **year)["items"]
    assert exact(page, '#years-rows tr[data-year="2026"] td.meters') == Decimal(item["co2e_kg"])
    expect(metered.locator("td.file")).to_have_text("–")
    page.get_by_role("button", name="中文").click()
    expect(row.locator(".chip")).to_have_text("估算")


def test_a_grade_stands_with_reasons_distance_and_the_grades_before(open_page: Open, site: Site) -> None:
    page = settled(open_page(e=scene.OFFICES))
    expect(page.locator("#grades > .message")).to_contain_text("There is no grade yet.")
    ids = scene.grade(site.database.url)
    told = site.get(f"/v1/enterprises/{scene.STEEL}/grade")
    assert told["kind"] == "PUBLISHED"
    assert told["label"] == "LIGHT_GREEN"
    page = settled(open_page(e=scene.STEEL))
    panel = page.locator("#grades")
    expect(panel).to_have_attribute("data-state", "ready")
    expect(panel.locator(".grade-label")).to_have_text("light green")
    expect(panel.locator(".grade-score data")).to_have_attribute("value", told["score"])
    expect(panel.locator(".grade-head .is-provisional")).to_have_text("provisional")
    scores = panel.locator(".dimensions data").evaluate_all("all => all.map(one => one.value)")
    assert scores == list(told["scores"].values())
    expect(panel.locator(".distance data")).to_have_attribute("value", told["distance"]["d_tco2e"])
    expect(panel.locator(".distance .units")).to_contain_text("tCO₂e per 10⁴ yuan")
    expect(panel.locator(".distance .blocked")).to_contain_text("coverage below full")
    expect(panel.locator(".grade-reasons")).to_contain_text("Part of the twelve months isn't known.")
    strip = panel.locator("#grade-history li")
    assert strip.evaluate_all("all => all.map(one => Number(one.dataset.grade))") == ids
    expect(panel.locator("#grade-history [aria-current]")).to_have_attribute("data-grade", str(ids[-1]))
    panel.screenshot(path=ARTIFACTS / "dashboard-grade.png")
    page.click("#language")
    expect(panel.locator(".grade-label")).to_have_text("浅绿")
    expect(panel.locator(".grade-reasons")).to_contain_text("十二个月内部分数据未知。")
    page.click("#theme")
    panel.screenshot(path=ARTIFACTS / "dashboard-grade-zh-dark.png")


def test_the_compliance_year_has_a_gauge_and_the_log_tells_who_read(open_page: Open, site: Site) -> None:
    line = {"id": "bf", "output": {"product": "crude_steel"}, "sources": ["furnace", "boiler"]}
    statement = {"uscc": scene.STEEL, "year": 2026, "sector": "steel", "lines": [line], "holdings_t": "1000"}
    with site.database.connect() as conn:
        id_ = registry.load(conn).enterprises[scene.STEEL].id
        quotas.state(conn, id_, 2026, {**statement, "balance_value": "1.5"}, "tests", "the plan")
    told = site.get(f"/v1/enterprises/{scene.STEEL}/quota/2026")
    page = settled(open_page(e=scene.STEEL))
    panel = page.locator("#quota")
    expect(panel).to_have_attribute("data-state", "ready")
    emitted = panel.locator('[data-fact="quota.emitted"] dd')
    expect(emitted).to_have_attribute("title", f"{Decimal(told['totals']['ets_t']):,} t")
    expect(panel.locator(".gauge .emitted")).to_be_attached()
    expect(panel.locator('[data-fact="quota.holdings"] dd')).to_have_text("1,000 t")
    panel.screenshot(path=ARTIFACTS / "dashboard-quota.png")
    page.locator("#reads summary").click()
    expect(page.locator("#reads")).to_have_attribute("data-state", "ready")
    row = page.locator("#reads-rows tr", has_text="/quota/{year}").first
    expect(row).to_contain_text(site.key.split("_")[1])
    page.click("#language")
    page.click("#theme")
    expect(page.locator("#reads summary")).to_have_text("近一小时账户读取记录")
    panel.screenshot(path=ARTIFACTS / "dashboard-quota-zh-dark.png")
    page.locator("#reads").screenshot(path=ARTIFACTS / "dashboard-reads.png")


def test_a_part_that_the_key_may_not_read_says_so_and_the_rest_stands(open_page: Open) -> None:
    problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "grades aren't shown"}
    page = settled(open_page(e=scene.STEEL, problems={"**/grades?*": problem}))
    expect(page.locator("#grades > .message")).to_contain_text(
        "This key may not read this part. grades aren't shown"
    )
    expect(page.locator("#key")).to_be_hidden()
    expect(page.locator("#status-text")).to_have_text("live")


def test_it_can_be_used_by_keyboard_alone(open_page: Open) -> None:
    page = settled(open_page(e=scene.STEEL, d=YESTERDAY))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#enterprise")).to_be_focused()
    page.locator('#shape [data-value="table"]').focus()
    page.keyboard.press("Enter")
    expect(page.locator('#shape [data-value="table"]')).to_be_focused()
    page.locator("#emissions-table tbody button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#derivation-body")).to_have_attribute("data-state", "ready")
    page.keyboard.press("Escape")
    expect(page.locator("#emissions-table tbody button").first).to_be_focused()
    nameless = page.evaluate("""() => [...document.querySelectorAll("button, input, select, [role=img], dialog")]
      .filter((one) => one.checkVisibility() && !one.hasAttribute("aria-label"))
      .filter((one) => !one.hasAttribute("aria-labelledby") && !one.textContent.trim())
      .map((one) => one.outerHTML.slice(0, 120))""")
    assert nameless == []


def test_the_language_is_the_browsers_and_can_be_changed(open_page: Open) -> None:
    page = settled(open_page(locale="zh-CN", e=scene.STEEL))
    expect(page.locator("#city-heading")).to_contain_text("实时排放速率")
    expect(page.locator("#enterprise-name")).to_have_text("湘潭测试钢铁有限公司")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.click("#language")
    expect(page.locator("#city-heading")).to_contain_text("Emission rate now")
    expect(page.locator("#enterprise-name")).to_have_text("Xiangtan Test Steel")
    page.reload()
    expect(page.locator("#city-heading")).to_contain_text("Emission rate now")


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_a_desk_in_light_and_dark(open_page: Open, width: int, scheme: str) -> None:
    page = settled(open_page(locale="zh-CN", width=width, scheme=scheme, e=scene.STEEL, d=YESTERDAY))
    assert page.evaluate("document.documentElement.scrollWidth") == width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shades = [int(part) for part in re.findall(r"\d+", background)[:3]]
    assert (sum(shades) < 200) == (scheme == "dark")
    page.screenshot(path=ARTIFACTS / f"dashboard-{width}-{scheme}.png", full_page=True)


def test_it_asks_for_a_key_and_keeps_it_out_of_the_address(open_page: Open, site: Site) -> None:
    page = open_page(key=None)
    expect(page.locator("#key")).to_be_visible()
    page.fill("#key-input", "cm_00000000_wrong")
    page.click("#key-form button")
    expect(page.locator("#key-problem")).to_contain_text("401")
    expect(page.locator("#key-problem")).to_contain_text("this key is unknown or revoked")
    page.fill("#key-input", site.key)
    page.keyboard.press("Enter")
    settled(page)
    page.reload()  # the tab remembers
    settled(page)
    assert page.evaluate("sessionStorage.getItem('carbonmeter.key')") == site.key
    other = settled(open_page())
    assert site.key not in other.url
    assert "key=" not in other.url


def test_a_refresh_changes_figures_in_place(open_page: Open, site: Site) -> None:
    page = settled(open_page(e=scene.OFFICES))
    page.evaluate(
        """() => {
          const parts = "#list-items li, #windows-items li, #sources tr, #meters-rows tr, #emissions-chart .main-svg";
          window.was = [...document.querySelectorAll(parts)];
        }"""
    )
    before = exact(page, "#rate-value")
    with site.database.connect() as conn:
        bed = Bed(conn)
        # the offices' newest reading gets a higher revision: the newest quarter-hour counts more than it did
        row = conn.execute(
            """
            SELECT (extract(epoch FROM measured_at) * 1000000)::bigint, mantissa, exponent
            FROM readings r JOIN points p ON p.id = r.channel_id JOIN enterprises e ON e.id = p.enterprise_id
            WHERE e.uscc = %s ORDER BY measured_at DESC LIMIT 1
            """,
            [scene.OFFICES],
        ).fetchone()
        assert row is not None
        value = Decimal(row[1]).scaleb(row[2]) + 50
        bed.store([Sent(row[0], str(value), "E-01/import_kwh", revision=1)], scene.OFFICES)
        bed.tick()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(
        "before => document.getElementById('rate-value').value !== before", arg=str(before)
    )
    assert exact(page, "#rate-value") - before == 4 * 50 * Decimal("0.4976")
    assert page.evaluate("window.was.length > 10 && window.was.every((one) => one.isConnected)")


def test_a_server_that_is_away_leaves_the_figures_and_says_so(open_page: Open) -> None:
    page = settled(open_page(e=scene.STEEL))
    shown = page.locator("#rate-value").inner_text()
    page.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#status")).to_have_attribute("data-kind", "offline")
    expect(page.locator("#status-text")).to_contain_text("2026-03-11 15:05")
    assert page.locator("#rate-value").inner_text() == shown
    page.context.set_offline(False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#status")).to_have_attribute("data-kind", "live")


def test_a_refusal_shows_its_own_words_in_its_own_place(open_page: Open) -> None:
    problem = {
        "type": "urn:carbonmeter:error:invalid-request",
        "title": "Unprocessable request",
        "status": 422,
        "detail": "at: lies before the first reading",
        "errors": [{"place": "at", "message": "lies before the first reading"}],
    }
    page = open_page(e=scene.STEEL, problems={"**/windows?*": problem})
    message = page.locator("#windows > .message")
    expect(message).to_contain_text("422 Unprocessable request")
    expect(message.locator("li")).to_have_text("at: lies before the first reading")
    expect(page.locator("#emissions")).to_have_attribute("data-state", "ready")


def test_meters_that_were_not_looked_at_yet_are_not_counted_as_ill(open_page: Open) -> None:
    page = settled(open_page(e=scene.CEMENT))
    waiting: list[Route] | None = []

    def hold_back(route: Route) -> None:
        route.continue_() if waiting is None else waiting.append(route)

    page.route("**/consumption?*", hold_back)
    page.click(f'#list-items li[data-uscc="{scene.STEEL}"] button')
    expect(page.locator("#meters-summary")).to_have_text("0 of 6 looked at …")
    expect(page.locator('#meters-rows tr[aria-busy="true"]')).to_have_count(6)
    held_back, waiting = waiting, None
    for route in held_back:
        route.continue_()
    expect(page.locator("#meters-summary")).to_have_text(re.compile("of 6 healthy"))
    expect(page.locator('#meters-rows tr[aria-busy="true"]')).to_have_count(0)


def test_a_server_without_enterprises_says_what_to_do(open_page: Open, plain_server: DatabaseServer) -> None:
    with plain_server.database() as database:
        with database.connect() as conn:
            key, _ = keys.create(conn, ["emissions:read"])
        with serving(create_app(ApiSettings(database.url), scene.FixedClock(), load_library())) as base:
            page = open_page(base=base, key=key)
            expect(page.locator("#list > .message")).to_contain_text("carbonmeter registry import FILE")
            expect(page.locator("#city > .message")).to_contain_text("No quarter-hour is known yet")
            expect(page.locator("#enterprise")).to_be_hidden()


def test_while_an_older_year_is_being_sent_the_page_is_where_knowledge_ends(
    open_page: Open, site: Site
) -> None:
    later = scene.FixedClock(scene.NOW_US + 200 * DAY_US)
    with serving(create_app(ApiSettings(site.database.url), later, load_library())) as base:
        page = settled(open_page(base=base, e=scene.STEEL, now=scene.CALENDAR.text(later.now)))
        expect(page.locator("#status-text")).to_have_text("behind by 200 d")
        expect(page.locator("#rate-when")).to_contain_text("2026-03-11 14:45–15:00")
        expect(page.locator("#period-name")).to_have_text("Last 24 hours")
        expect(page.locator("#meters-summary")).to_have_text("0 of 6 healthy")
        page.click('#view [data-value="month"]')
        expect(page.locator("#period-name")).to_have_text("March 2026")


def test_decimals_are_exact(open_page: Open) -> None:
    page = open_page()
    assert page.evaluate(
        """async () => {
          const d = await import("/static/decimal.js");
          const f = await import("/static/format.js");
          const sum = d.sum(["0.1", "0.2", "9007199254740993.000001", null].map(d.parse));
          const places = (text, count) => d.text(d.parse(text), {places: count});
          return [
            d.text(sum), d.text(sum, {group: true}), d.text(d.sum([null, null])),
            places("2.5", 0), places("3.5", 0), places("-0.125", 2),
            d.text(d.parse("1e3")), d.text(d.shift(d.parse("1234567.8"), 3)), d.text(d.times(d.parse("0.30"), 4)),
            places("-0.001", 2), f.mass(d.parse("999.9996")).value, f.mass(d.parse("1234567.891")).value,
            f.mass(d.parse("-1234567.891")).unit, f.mass(null).value,
            f.percent("0.999999"), f.percent("1"), f.percent("0.0004"),
          ];
        }"""
    ) == [
        "9007199254740993.300001", "9,007,199,254,740,993.300001", None,
        "2", "4", "−0.12",
        "1000", "1234.5678", "1.20",
        "0.00", "1,000", "1,235",
        "t", "–", "99.9 %", "100 %", "0 %",
    ]  # fmt: skip


def test_the_plants_calendar_is_used_wherever_the_browser_is(open_page: Open) -> None:
    page = open_page()
    assert page.evaluate(
        """async () => {
          const t = await import("/static/time.js");
          t.learnZone("2026-03-11T00:00:00+08:00");
          const at = Date.parse("2026-03-31T17:00:00Z");
          const start = (...which) => t.stamp(t.periodStart(...which));
          return [
            start("day", at), start("month", at), start("month", at, -1), start("year", at, 1),
            t.stamp(t.periodEnd("hour", Date.parse("2026-03-31T17:15:00Z"))), t.momentText(at),
          ];
        }"""
    ) == [
        "2026-04-01T00:00:00+08:00", "2026-04-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00",
        "2027-01-01T00:00:00+08:00", "2026-04-01T02:00:00+08:00", "2026-04-01 01:00",
    ]  # fmt: skip


def test_every_text_is_there_in_both_languages(open_page: Open) -> None:
    page = open_page()
    strings: list[list[str]] = page.evaluate("async () => (await import('/static/i18n.js')).allStrings()")
    known = {key for key, *_ in strings}
    for key, english, chinese in strings:
        assert english
        assert chinese
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", chinese)), key
    text = "".join(path.read_text() for path in sorted(DASHBOARD.glob("*.js")))
    page_text = (DASHBOARD / "index.html").read_text()
    used = set(re.findall(r'\bt\("([\w.]+)"', text)) | set(
        re.findall(r'data-(?:t|label|placeholder)="([\w.]+)"', page_text)
    )
    assert len(used) > 80
    assert used <= known
    # whole families are asked for by a prefix, such as t(`flag.${flag}`)
    families = set(re.findall(r"`(\w+)\.\$\{", text))
    assert {
        key for key in known - used if key.split(".")[0] not in families and f'"{key}"' not in text
    } == set()
