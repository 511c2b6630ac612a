"""The page at `/` of the admin interface, as a browser shows it."""

import pytest

from browser import Browser, keep_picture
from config_text import bootstrap, cluster, listener, route, virtual_host
from peers import eventually
from processes import free_port

ODD = "<img src=x onerror=document.title='taken'>"


@pytest.fixture(scope="module")
def proxy(shared):
    a, b = shared.backends(2)
    odd = free_port()
    hosts = [
        virtual_host(route("api", "/api"), {"match": {"prefix": "/old"}, "redirect": {"path_redirect": "/api"}}),
        virtual_host(route("web"), name="shop", domains=["shop.example", "*.shop.example"]),
    ]
    clusters = [cluster("api", a, b), cluster("web", b), cluster(ODD, odd), cluster("spare")]
    port, admin = free_port(), free_port()
    config = bootstrap([{**listener(port, hosts), "name": "front"}], clusters, admin)
    made = shared.start(config, ports=[port], admin=admin)
    made.port = port
    client = shared.client(made)
    made.busy = lambda: [client.ask(path) for path in ("/api/x", "/api/y", "/none")]
    made.busy()
    return made


@pytest.fixture(scope="module")
def browser(proxy):
    with Browser() as made:
        made.base = f"http://127.0.0.1:{proxy.admin}/"
        yield made
        assert [c for c in made.complaints() if "favicon.ico" not in c] == []  # Pages of text have none.


def show(browser, view, path=""):
    browser.open("about:blank")
    browser.open(browser.base + path + "#" + view)


def test_overview(browser, proxy):
    show(browser, "overview")
    for text in ("LIVE", "Requests per second", "Latency P99", "Busiest clusters", "api"):
        browser.wait_text(text)

    def rising():
        proxy.busy()
        return browser.run("return document.querySelector('#cards b').textContent") not in ("–", "0")

    eventually(rising, "a rate of requests")
    keep_picture(browser, "overview")


def test_clusters_with_their_hosts(browser, proxy):
    show(browser, "clusters")
    browser.wait_text("127.0.0.1:", "#cluster-table")
    browser.wait_text("2 of 2", "#cluster-table")
    keep_picture(browser, "clusters")
    browser.type("#cluster-filter", "^web")
    eventually(lambda: browser.text("#cluster-count") == "1 of 1 shown", "one cluster")


def test_names_are_text_and_nothing_else(browser):
    for view, table in (("clusters", "#cluster-table"), ("stats", "#stat-table"), ("configuration", "#config-tree")):
        show(browser, view)
        if view == "stats":
            browser.click("#stat-used")
            browser.type("#stat-filter", "onerror.*membership_total")
        browser.wait_text("onerror=", table)
        assert browser.run("return document.title") == "outrider admin"
        assert browser.run("return document.querySelectorAll('img').length") == 0
    browser.open(browser.base + "stats?format=html&filter=onerror")
    browser.wait_text("onerror=", "pre")
    assert browser.run("return document.querySelectorAll('img').length") == 0


def test_listeners(browser, proxy):
    show(browser, "listeners")
    browser.wait_text(f"127.0.0.1:{proxy.port}", "#listener-table")
    browser.wait_text("front", "#listener-table")
    keep_picture(browser, "listeners")


def test_statistics_are_searched(browser):
    show(browser, "stats")
    browser.wait_text("server.", "#stat-table")
    browser.type("#stat-filter", "^http\\.in\\.downstream_rq_total$")
    eventually(lambda: browser.text("#stat-count") == "1", "one statistic")
    browser.wait_text("http.in.downstream_rq_total", "#stat-table")
    keep_picture(browser, "stats")


def test_the_active_form_of_stats_is_this_view(browser):
    browser.open(browser.base + "stats?format=active-html&filter=^server%5C.concurrency&usedonly")
    eventually(lambda: "server.concurrency" in browser.text("#stat-table"), "the statistic")
    assert browser.run("return document.getElementById('stat-used').checked")


def test_the_configuration_with_its_lines(browser, proxy):
    show(browser, "configuration")
    browser.wait_text("static_resources", "#config-tree")
    browser.type("#config-filter", "shop.example")
    browser.wait_text("shop.example", "#config-tree mark")
    browser.wait_text(f"{proxy.config}:", "#config-tree")
    keep_picture(browser, "configuration")


@pytest.mark.parametrize(
    "url, said",
    [
        ("http://test.example/api/x", ["front", "host", "api"]),
        ("http://a.shop.example/", ["shop", "web"]),
        ("http://test.example/old", ["a redirect, status 301"]),
        ("http://test.example/none", ["404: no route"]),
    ],
)
def test_explain(browser, url, said):
    show(browser, "explain")
    browser.type("#explain-form input", url)
    browser.click("#explain-form button")
    for text in said:
        browser.wait_text(text, "#explain-answer")
    keep_picture(browser, "explain")


def test_commands_are_links_and_forms(browser, proxy):
    show(browser, "commands")
    browser.wait_text("quitquitquit")
    keep_picture(browser, "commands")
    browser.click("form#reset_counters button")
    browser.wait_text("OK")
    show(browser, "commands")
    browser.click("a[href='server_info']")
    browser.wait_text("LIVE")
    assert proxy.alive


def test_every_view_can_be_reached_by_keyboard_and_has_a_name(browser):
    show(browser, "overview")
    unnamed = browser.run(
        "return [...document.querySelectorAll('input, select, button, a')]"
        ".filter((e) => !(e.labels && e.labels.length) && !e.textContent.trim()).map((e) => e.outerHTML)"
    )
    assert unnamed == []
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.run("return [...document.querySelectorAll('nav a')].every((a) => a.tabIndex === 0)")


def test_it_is_readable_in_the_dark(proxy):
    with Browser(dark=True) as browser:
        browser.open(f"http://127.0.0.1:{proxy.admin}/#clusters")
        browser.wait_text("127.0.0.1:", "#cluster-table")
        back, text = browser.run(
            "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color].map((c) =>"
            " c.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0))"
        )
        assert back < 150 < 500 < text
        keep_picture(browser, "dark")
