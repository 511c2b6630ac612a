#include "server/sds.h"

#include <algorithm>
#include <cstdio>

#include "config/load_steps.h"
#include "http/exchange.h"
#include "http/h2_options.h"
#include "http/http_stats.h"
#include "http/json_text.h"
#include "http/query.h"
#include "server/small_service.h"

namespace outrider {
namespace {

constexpr std::string_view kRegistration = "/v1/registration/";

std::size_t count_hosts(const Registry& registry) {
  std::size_t count = 0;
  for (const auto& [service, hosts] : registry) count += hosts.size();
  return count;
}

}  // namespace

HostRegistry::Stamp HostRegistry::stamp() const {
  struct stat now;
  if (stat(path_.c_str(), &now) != 0) return {};
  return {now.st_ino, now.st_size, now.st_mtim};
}

std::string HostRegistry::open(std::string path) {
  path_ = std::move(path);
  return read();
}

std::string HostRegistry::read() {
  read_as_ = stamp();
  config::Problems problems;
  auto text = config::read_text(path_, problems);
  if (!text) return config::to_text(problems.take());
  auto read = read_registry(path_, *text);
  if (!read) return config::to_text(read.error());
  of_file_ = std::move(*read);
  return {};
}

std::vector<ConfiguredHost> HostRegistry::hosts(const std::string& service) {
  if (stamp() != read_as_) {
    std::string wrong = read();
    if (wrong.empty()) {
      std::printf("%s has changed: %zu hosts of %zu services\n", path_.c_str(), count_hosts(of_file_), of_file_.size());
    } else {
      std::printf("%s has changed; the hosts that were known stay:\n%s\n", path_.c_str(), wrong.c_str());
    }
    std::fflush(stdout);
  }
  std::vector<ConfiguredHost> out;
  for (const Registry* each : {&of_file_, &registered_}) {
    auto at = each->find(service);
    if (at != each->end()) out.insert(out.end(), at->second.begin(), at->second.end());
  }
  return out;
}

void HostRegistry::add(const std::string& service, ConfiguredHost host) {
  std::vector<ConfiguredHost>& all = registered_[service];
  auto same =
      std::ranges::find_if(all, [&](const auto& h) { return h.address == host.address && h.port == host.port; });
  same == all.end() ? all.push_back(std::move(host)) : void(*same = std::move(host));
}

bool HostRegistry::remove(const std::string& service, std::string_view ip) {
  auto at = registered_.find(service);
  return at != registered_.end() && std::erase_if(at->second, [&](const auto& h) { return h.address == ip; }) > 0;
}

namespace {

Response json(Exchange& x, std::string_view text) {
  auto& head = x.arena.make_owned<ResponseHead>(x.arena);
  head.headers.add(Known::content_type, "application/json");
  x.record.details = "direct_response";
  return {&head, &x.arena.make_owned<TextBody>(x.arena.copy(text))};
}

// False: it is too long, or did not come whole.
Task<bool> read_body(Body& from, std::string& into) {
  for (;;) {
    Frame frame = from.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await from.pull(BlockPool::kBodyBytes);
    if (frame.is_reset()) co_return false;
    if (!frame.is_data()) co_return true;
    into += frame.data;
    if (into.size() > SdsService::kBodyBytesMax) co_return false;
    if (frame.last) co_return true;
  }
}

// What is JSON as it stands, anything else as a text: whoever reads the object says what is wrong.
void append_member(std::string_view name, std::string_view value, std::string& out) {
  out += std::string(out.size() > 1 ? ",\"" : "\"").append(name) + "\":";
  is_json(value) ? void(out += value) : append_json_string(value, out);
}

// "ip=10.0.0.1&port=80&tags={...}" as the object of the file. Without an ip, the client's own.
std::string form_to_json(std::string_view form, const Exchange& x) {
  const QueryParameters fields("/?" + std::string(form));
  std::string out = "{\"ip_address\":";
  append_json_string(fields.first("ip").value_or(x.connection.peer->ip_text()), out);
  append_member("port", fields.first("port").value_or(""), out);
  if (auto tags = fields.first("tags")) append_member("tags", *tags, out);
  return out + "}";
}

}  // namespace

Response SdsService::list(Exchange& x, const std::string& service) const {
  std::string text;
  append_registration(service, registry_.hosts(service), text);
  return json(x, text);
}

Response SdsService::take_away(Exchange& x, std::string_view rest) const {
  const std::size_t slash = rest.rfind('/');
  if (slash == rest.npos) return x.reply(400, "/v1/registration/SERVICE/IP was expected\n", "bad_path");
  const bool done = registry_.remove(percent_decode(rest.substr(0, slash)), percent_decode(rest.substr(slash + 1)));
  return done ? json(x, "{}\n") : x.reply(404, "no such host has registered itself\n", "unknown_host");
}

Task<Response> SdsService::register_host(Exchange& x, std::string service) const {
  std::string text;
  if (!co_await read_body(*x.request_body, text)) co_return x.reply(413, "Payload Too Large", "request_too_large");
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] != '{') text = form_to_json(text, x);
  auto host = read_registered_host("the request", text);
  if (!host) {
    co_return x.reply(400, x.arena.copy(config::to_text(host.error()) + "\n"), "bad_host");
  }
  registry_.add(service, std::move(*host));
  co_return json(x, "{}\n");
}

Task<Response> SdsService::handle(Exchange& x, Next) const {
  std::string_view path = x.request.path.substr(0, x.request.path.find('?'));
  const Method method = x.request.method;
  if (path == "/healthcheck") co_return json(x, "{}\n");
  if (!path.starts_with(kRegistration)) co_return x.reply(404, "there is /v1/registration/SERVICE\n", "unknown_path");
  path.remove_prefix(kRegistration.size());
  if (method == Method::get || method == Method::head) co_return list(x, percent_decode(path));
  if (method == Method::delete_) co_return take_away(x, path);
  if (method == Method::post || method == Method::put) co_return co_await register_host(x, percent_decode(path));
  Response response = x.reply(405, "Method Not Allowed", "method_not_allowed");
  response.head->headers.add("allow", "GET, HEAD, POST, PUT, DELETE");
  co_return response;
}

namespace {

constexpr std::string_view kUsage =
    "usage: outrider sds --file HOSTS --port N [--address A]\n"
    "  --file HOSTS  {\"SERVICE\": [{\"ip_address\": \"10.0.0.1\", \"port\": 80, \"tags\": {\"az\": \"a\",\n"
    "                \"canary\": true, \"load_balancing_weight\": 2}}]}; looked at again when it has changed\n"
    "  --port N      listen on this port; 0 takes a free one\n"
    "  --address A   listen on this address (0.0.0.0)\n"
    "\n"
    "GET /v1/registration/SERVICE lists hosts. POST (ip=10.0.0.1&port=80, or a host as in the file) adds one until "
    "the\n"
    "end, DELETE /v1/registration/SERVICE/IP takes it away again: whoever reaches the address may do so.\n";

std::shared_ptr<const HttpOptions> sds_options(HostRegistry& registry, StatRegistry& stats) {
  auto options = std::make_shared<HttpOptions>();
  options->stat_prefix = "sds";
  options->stats = stats.scope("http.sds.", http_stat_table());
  options->h2 = own_h2_options(stats);
  options->server_name = "outrider-sds";
  options->accept_http_10 = true;
  options->edge = false;
  options->filters.add(std::make_unique<SdsService>(registry));
  return options;
}

}  // namespace

int run_sds(int argc, const char* const* argv) {
  SmallService service{.program = "outrider sds", .usage = kUsage, .threads = 1};  // The registry is one thread's.
  std::string file;
  auto set = [&](std::string_view flag, std::string_view value) {
    file = value;
    return flag == "--file" && !value.empty();
  };
  if (auto code = read_flags(service, argc, argv, set)) return *code;
  HostRegistry registry;
  std::string wrong = file.empty() ? "--file is missing" : registry.open(file);
  if (!wrong.empty()) return std::fprintf(stderr, "outrider sds: %s\n", wrong.c_str()), 1;
  return run_small_service(service, [&](StatRegistry& stats) { return sds_options(registry, stats); });
}

}  // namespace outrider
