"""A running Burnline for the tests that meet it from outside, as its newcomer does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e import crawl
from tests.e2e.crawl import Crawl
from tests.e2e.house import House
from tests.e2e.installation import Installation, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("burnline"))
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def burnline(server: Server) -> Installation:
    return server.introduced()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        pytest.fail("There is no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=binary,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-lcd-text",
                "--no-first-run",
                "--disable-background-networking",
            ],
        )
        expect.set_options(timeout=20_000)  # there are slow minutes; what has to be quick is measured
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for all who only look around; ask for `furnished` where something must have happened in it."""
    opened = House(Server(tmp_path_factory.mktemp("house")))
    try:
        opened.open()
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="session")
def crawl_of_empty_house(house: House) -> Crawl:
    assert not house.is_furnished, "whoever asks for the empty house must come first"
    return crawled(house, "admin")


@pytest.fixture(scope="session")
def furnished(house: House, crawl_of_empty_house: Crawl) -> House:
    house.furnish()
    return house


@pytest.fixture(scope="session")
def crawl_of_furnished_house(furnished: House) -> Crawl:
    found = Crawl()
    for reader in furnished.readers:
        found += crawled(furnished, reader)
    return found


def crawled(house: House, reader: str) -> Crawl:
    return crawl.crawl(house.url, reader, house.readers[reader], ["/", *house.unlinked])
