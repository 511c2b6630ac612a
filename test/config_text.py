"""Configurations (API v3) as Python values, with no more in them than a test needs."""

HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"
FILE_LOG = "envoy.extensions.access_loggers.file.v3.FileAccessLog"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def typed(message, **fields):
    return {"@type": f"type.googleapis.com/{message}", **fields}


def address(port, host="127.0.0.1"):
    return {"socket_address": {"address": host, "port_value": port}}


def cluster(name, *endpoints, **fields):
    """Endpoints are ports of 127.0.0.1, (host, port), or whatever has `.host` and `.port`."""

    def place(e):
        if isinstance(e, int):
            return address(e)
        return address(e[1], e[0]) if isinstance(e, tuple) else address(e.port, e.host)

    lb_endpoints = [{"endpoint": {"address": place(e)}} for e in endpoints]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": lb_endpoints}]},
        **fields,
    }


def http1_cluster(name, *endpoints, common=None, http1=None, **fields):
    """With options of the protocol, common ones as `common`."""
    options = typed(
        HTTP_OPTIONS,
        explicit_http_config={"http_protocol_options": http1 or {}},
        common_http_protocol_options=common or {},
    )
    return cluster(name, *endpoints, typed_extension_protocol_options={HTTP_OPTIONS: options}, **fields)


# A health check that asks often: `http_health_check` or another goes along.
OFTEN_CHECKED = {
    "timeout": "1s",
    "interval": "0.02s",
    "no_traffic_interval": "0.02s",
    "unhealthy_threshold": 2,
    "healthy_threshold": 2,
}


def http2_cluster(name, *endpoints, common=None, http2=None, **fields):
    options = typed(
        HTTP_OPTIONS,
        explicit_http_config={"http2_protocol_options": http2 or {}},
        common_http_protocol_options=common or {},
    )
    return cluster(name, *endpoints, typed_extension_protocol_options={HTTP_OPTIONS: options}, **fields)


def route(to, prefix="/", match=None, **action):
    """A route to the cluster `to`."""
    return {"match": match or {"prefix": prefix}, "route": {"cluster": to, **action}}


def virtual_host(*routes, domains=("*",), name="host", **fields):
    return {"name": name, "domains": list(domains), "routes": list(routes), **fields}


def http_filter(name, message, **fields):
    """A filter of envoy.extensions.filters.http.<name>.v3."""
    config = typed(f"envoy.extensions.filters.http.{name}.v3.{message}", **fields)
    return {"name": f"envoy.filters.http.{name}", "typed_config": config}


def http_filters(*filters):
    """These, and the router behind them."""
    return [*filters, {"name": "envoy.filters.http.router", "typed_config": typed(ROUTER)}]


def per_filter(name, message, **fields):
    """What a route, a virtual host or all routes say to that filter."""
    config = typed(f"envoy.extensions.filters.http.{name}.v3.{message}", **fields)
    return {"typed_per_filter_config": {f"envoy.filters.http.{name}": config}}


def file_log(path, text=None, **fields):
    """`text`: the line; a dictionary: the whole log_format."""
    fields = {"path": str(path), **fields}
    if isinstance(text, dict):
        fields["log_format"] = text
    elif text is not None:
        fields["log_format"] = {"text_format_source": {"inline_string": text + "\n"}}
    return {"name": "envoy.access_loggers.file", "typed_config": typed(FILE_LOG, **fields)}


def listener(port, virtual_hosts, host="127.0.0.1", name="", **hcm):
    manager = {
        "stat_prefix": "in",
        "route_config": {"name": "local", "virtual_hosts": virtual_hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": typed(ROUTER)}],
        **hcm,
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": typed(HCM, **manager)}]
    return {**({"name": name} if name else {}), "address": address(port, host), "filter_chains": [{"filters": filters}]}


def bootstrap(listeners, clusters, admin=None, **fields):
    config = {"static_resources": {"listeners": listeners, "clusters": clusters}, **fields}
    if admin:
        config["admin"] = {"address": address(admin)}
    return config
