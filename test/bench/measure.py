"""Starts proxies on one core, load on the other, and reads what CPU time the requests took."""

import importlib.util, json, pathlib, re, socket, subprocess, time

OUTRIDER = pathlib.Path(__file__).resolve().parents[2] / "build/release/outrider"
PROXY_CORE, LOAD_CORE = "0", "1"
API = "type.googleapis.com/envoy.extensions."


def bootstrap(port, routes, clusters):
    """A bootstrap with one listener and one virtual host with these routes."""
    manager = {
        "@type": API + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "max_direct_response_body_size_bytes": 2 << 20,
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": API + "filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"name": "bench", "address": address, "filter_chains": [{"filters": filters}]}
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


def cluster(backend, name="backend", **options):
    host = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": backend}}}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [host]}]},
        **options,
    }


def forward_all(port, backend):
    """To the backend over HTTP/1.1; what is below /h2, over HTTP/2."""
    protocol = {
        "@type": API + "upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    options = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol}
    routes = [
        {"match": {"prefix": "/h2/"}, "route": {"cluster": "h2"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "backend"}},
    ]
    return bootstrap(port, routes, [cluster(backend), cluster(backend, "h2", typed_extension_protocol_options=options)])


def answer_all(port, sizes):
    """A backend: a body of N bytes for each path /N and /h2/N, one byte for all others."""
    routes = []
    for size in sizes:
        answer = {"status": 200, "body": {"inline_string": "x" * size}}
        routes += [{"match": {"path": p}, "direct_response": answer} for p in (f"/{size}", f"/h2/{size}")]
    routes.append({"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "x"}}})
    return bootstrap(port, routes, [])


def envoy_binary():
    found = importlib.util.find_spec("envoy")
    return pathlib.Path(found.submodule_search_locations[0]) / "_bin/envoy" if found else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(core, argv, port):
    process = subprocess.Popen(
        ["taskset", "-c", core, *map(str, argv)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    raise SystemExit(f"{argv[0]} does not listen on port {port}")


def cpu_seconds(pid):
    """Of a process and its children."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return time.clock_gettime(((~pid) << 3) | 2) + sum(cpu_seconds(int(child)) for child in children)


HTTP1, HTTP2 = ["--h1"], ["-m", 32]  # Streams at once.


def measure(process, port, path, seconds, connections=64, header=(), protocol=HTTP1):
    """CPU microseconds of the process for each request for `path`."""
    load = [
        "taskset",
        "-c",
        LOAD_CORE,
        "h2load",
        *protocol,
        "-c",
        connections,
        "-D",
        seconds,
        *(word for field in header for word in ("-H", field)),
        f"http://127.0.0.1:{port}{path}",
    ]
    before = cpu_seconds(process.pid)
    text = subprocess.run([*map(str, load)], capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(process.pid) - before
    done = int(re.search(r"(\d+) 2xx", text)[1])
    if not done:
        raise SystemExit(f"no request succeeded:\n{text}")
    return spent / done * 1e6
