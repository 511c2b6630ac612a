"""What every test may ask for. A test gets ports and processes of its own; all end with it."""

import contextlib
import os

import pytest

import config_text
from peers import Backend, Client
from processes import BINARY, Process, Proxy, free_port, write_config


class Stage:
    """Starts backends, clients and proxies, and ends them in reverse order."""

    def __init__(self, directory):
        self.directory = directory
        self.ending = contextlib.ExitStack()
        self.files = 0

    def backend(self, *args, **options):
        return self.ending.enter_context(Backend(*args, **options))

    def backends(self, count, **options):
        return [self.backend(name=name, **options) for name in "ABCDEFGHIJ"[:count]]

    def process(self, argv, **options):
        return self.ending.enter_context(Process(argv, **options))

    def client(self, proxy_or_port, **options):
        port = proxy_or_port if isinstance(proxy_or_port, int) else proxy_or_port.port
        return self.ending.enter_context(Client(port, **options))

    def file(self, config, name=None):
        self.files += 1
        return write_config(self.directory / (name or f"envoy-{self.files}.yaml"), config)

    def start(self, config, *flags, ports=(), admin=None, concurrency=1, wait=True, **options):
        """The proxy with this configuration; `wait`: until its ports listen."""
        path = self.file(config)
        proxy = Proxy(["-c", path, "--concurrency", concurrency, *flags], admin=admin, **options)
        self.ending.enter_context(proxy)
        proxy.config = path
        if wait:
            proxy.wait_listening(*ports, *([admin] if admin else []))
        return proxy

    def proxy(
        self,
        *routes,
        clusters=(),
        virtual_hosts=None,
        flags=(),
        concurrency=1,
        listener=None,
        within=(),
        net=None,
        env=None,
        bootstrap=None,
        options=None,
        **hcm,
    ):
        """A proxy with one listener, admin, these routes and clusters. A Backend stands for a route to it."""
        clusters, table = list(clusters), []
        for r in routes:
            if isinstance(r, dict):
                table.append(r)
            else:
                clusters.append(config_text.cluster(r.name, r))
                table.append(config_text.route(r.name))
        port, admin = free_port(), free_port()
        hosts = virtual_hosts or [config_text.virtual_host(*table)]
        config = config_text.bootstrap(
            [{**config_text.listener(port, hosts, **hcm), **(listener or {})}], clusters, admin, **(bootstrap or {})
        )
        more = {"net": net} if net else {}
        proxy = self.start(
            config,
            *flags,
            ports=[port],
            admin=admin,
            concurrency=concurrency,
            within=within,
            env=env,
            **more,
            **(options or {}),
        )
        proxy.port, proxy.content = port, config
        return proxy


@pytest.fixture(scope="session")
def program():
    if not os.access(BINARY, os.X_OK):
        pytest.exit(f"there is no program {BINARY}: build it, or name it in $OUTRIDER", 2)


@pytest.fixture
def stage(program, tmp_path):
    with contextlib.ExitStack() as last:
        s = Stage(tmp_path)
        last.callback(s.ending.close)
        yield s


@pytest.fixture(scope="module")
def shared(program, tmp_path_factory):
    """A stage for all tests of a file."""
    s = Stage(tmp_path_factory.mktemp("shared"))
    with s.ending:
        yield s
