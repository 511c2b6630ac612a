"""`outrider lint`: what is right and can hardly be meant."""

from config_text import bootstrap, cluster
from processes import BINARY


def lint(stage, *words):
    done = stage.process([BINARY, "lint", *words])
    done.status = done.wait()
    return done


def test_nothing_is_found_in_a_good_file(stage):
    done = lint(stage, stage.file("admin: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}\n"))
    assert (done.status, done.stdout, done.stderr) == (0, "", "")


def test_a_finding_has_its_place_its_reason_and_its_name(stage):
    good = stage.file("node: {id: a}\n")
    file = stage.file("static_resources:\n  clusters:\n  - name: alone\n    connect_timeout: 1s\n")
    done = lint(stage, good, file)
    assert done.status == 2
    place = f"{file}:3:11: static_resources.clusters[0].name"
    assert done.stdout == f"{place}: nothing uses the cluster `alone` [unused-cluster]"


def test_a_file_that_is_not_right_gives_its_errors(stage):
    bad, found = stage.file("admin: {adress: {}}\n"), stage.file(bootstrap([], [cluster("alone", 1)]))
    done = lint(stage, bad, found)
    assert done.status == 1
    assert "`adress`" in done.stderr and "[unused-cluster]" in done.stdout


def test_help_names_every_check(stage):
    done = lint(stage, "--help")
    assert done.status == 0
    for check in ("unused-cluster", "shadowed-route", "duplicate-domain", "duplicate-address", "loop", "open-admin"):
        assert f"  {check} " in done.stdout
