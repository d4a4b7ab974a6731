"""The site as people see it: every page in a browser, as wide as a desk's screen and as a telephone's."""

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import REPOSITORY, Collector, Context, met
from .strangers import emptied, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1280, 390)
LARGEST, LONGEST = 30e6, 180
"""Bytes of the site, and seconds that it may take to build."""

FLAGS = '--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --no-first-run'
CUT_OFF = """() => [...document.querySelectorAll('.md-content *')].filter(one => {
    if (one.closest('.md-typeset__table, pre, math, .md-typeset__scrollwrap, .highlight')) return false;
    return one.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(one).position !== 'fixed';
}).map(one => one.tagName + ' ' + one.textContent.trim().slice(0, 40))"""
"""What stands beyond the right edge and cannot be moved into sight: tables, code and formulas may be moved."""

PICTURES = '() => [...document.images].filter(one => !one.complete || !one.naturalWidth).map(one => one.src)'
FOUND = "document.querySelectorAll('.md-search-result__item').length"


def pages(context: Context) -> Collector:
    """The site: built in 3 minutes, below 30 MB; each page at 1280 and 390 pixels without errors, requests, or words cut off."""
    checks, folder = met('pages'), emptied(context.out / 'pages')
    site = folder / 'site'
    status, seconds = run([str(REPOSITORY / 'scripts/docs'), '--out', str(site)], folder)
    checks.note(
        'scripts/docs',
        f'status {status}, {seconds:.0f} s',
        not status and (context.sloppy or seconds < LONGEST),
    )
    if status:
        return checks
    size = sum(path.stat().st_size for path in site.rglob('*') if path.is_file())
    checks.note('size', f'{size / 1e6:.1f} MB', size < LARGEST)
    program = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('chromium-browser')
    if not program:
        checks.note('a browser', 'no Chromium found; set CHROMIUM to its path', False)
        return checks
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS.split())
        for width in WIDTHS:
            look(checks, browser, site, width, folder)
        browser.close()
    return checks


def look(checks: Collector, browser: 'Browser', site: Path, width: int, folder: Path) -> None:
    """Open every page at a width, note what is wrong with any, and keep a picture of each."""
    shown = browser.new_context(viewport={'width': width, 'height': 844}, offline=True).new_page()
    problems: list[str] = []
    shown.on('console', lambda message: message.type == 'error' and problems.append(message.text))
    shown.on('pageerror', lambda error: problems.append(str(error)))
    shown.on('request', lambda it: it.url.startswith(('file:', 'data:', 'blob:')) or problems.append(it.url))
    wrong, count, start = [], 0, time.monotonic()
    # the page of a server for what is not there has addresses from the root
    for path in sorted(set(site.rglob('*.html')) - {site / '404.html'}):
        name = path.relative_to(site).as_posix()
        problems.clear()
        shown.goto(path.as_uri())
        shown.wait_for_timeout(400)
        found = [*problems, *defects(shown, width)]
        wrong += [f'{name}: {problem}' for problem in found]
        shown.screenshot(path=folder / f'{width}-{name.replace("/", "-")}.png', full_page=True)
        count += 1
    took = time.monotonic() - start
    checks.note(
        f'{count} pages, {width} pixels wide',
        '; '.join(wrong) or f'nothing wrong, {took:.0f} s',
        bool(count) and not wrong,
    )
    found_words = search(shown, site)
    checks.note(f'search for "scrubbing", {width} pixels wide', f'{found_words} pages', found_words > 0)


def defects(shown: 'Page', width: int) -> list[str]:
    """Return what is wrong with an open page: sideways scrolling, words beyond the edge, pictures that are absent."""
    wide = shown.evaluate('document.documentElement.scrollWidth')
    found = [f'{wide} pixels wide'] if wide > width else []
    found += [f'beyond the edge: {word}' for word in shown.evaluate(CUT_OFF)[:3]]
    # lazy pictures load when they are in sight
    return found + [f'no picture {source}' for source in shown.evaluate(PICTURES)]


def search(shown: 'Page', site: Path) -> int:
    """Return how many pages the site's own search finds, without a network."""
    shown.goto((site / 'index.html').as_uri() + '?q=scrubbing')
    shown.wait_for_timeout(3000)
    return int(shown.evaluate(FOUND))
