#include "upstream/mirror.h"

#include <sys/socket.h>

#include "http/http_call.h"
#include "net/address.h"
#include "upstream/attempt.h"

namespace outrider {
namespace {

// The port stays behind the name.
std::string_view shadow_host(Arena& arena, std::string_view host) {
  std::size_t bracket = host.rfind(']');
  std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  std::string_view name = host.substr(0, colon);
  std::string made(name);
  made.append("-shadow").append(host.substr(name.size()));
  return arena.copy(made);
}

// The copy is a request of this machine.
std::string_view forwarded_for(Arena& arena, const Headers& headers) {
  static const std::string own = Address::of_this_machine(AF_INET).ip_text();
  const Field* before = headers.find(Known::x_forwarded_for);
  return before ? arena.copy(std::string(before->value) + "," + own) : std::string_view(own);
}

// One request on its way to be mirrored; lives in the exchange's arena.
struct Mirroring {
  Forwarding& f;
  std::vector<const MirrorPolicy*> wanted;

  void send(std::string_view body) const {
    for (const MirrorPolicy* each : wanted) send_to(*each, body);
  }

 private:
  void send_to(const MirrorPolicy& policy, std::string_view body) const {
    Exchange& x = f.x;
    std::string_view cluster =
        policy.cluster.empty() ? x.request.headers.value(std::string_view(policy.cluster_header)) : policy.cluster;
    if (cluster.empty() || !x.connection.caller->has_cluster(cluster)) return;
    RequestHead head(x.arena);
    head.set_method(x.request.method_name);
    head.path = x.request.path;
    head.authority = policy.keeps_host ? x.request.authority : shadow_host(x.arena, x.request.authority);
    for (const Field& field : x.request.headers) head.headers.add(field.name, field.known, field.value);
    head.headers.set(Known::x_forwarded_for, forwarded_for(x.arena, head.headers));
    if (policy.sampled && head.headers.find("x-b3-sampled"))
      head.headers.set("x-b3-sampled", *policy.sampled ? "1" : "0");
    HttpCall call{.cluster = cluster, .request = &head, .body = body, .timeout = f.time_limit};
    call.discard_answer = true;
    x.connection.caller->start(call);
  }
};

}  // namespace

void mirror(Forwarding& f) {
  Exchange& x = f.x;
  if (!x.connection.caller) return;
  auto& mirroring = x.arena.make_owned<Mirroring>(Mirroring{f, {}});
  for (const MirrorPolicy& each : *f.route.mirrors) {
    if (!each.fraction || each.fraction->sample(*x.worker.runtime(), x.worker.random())) {
      mirroring.wanted.push_back(&each);
    }
  }
  if (mirroring.wanted.empty()) return;
  ReplayBody* body = f.keep_body();
  if (!body) return mirroring.send({});
  body->on_end = [](void* m, std::string_view whole) { static_cast<Mirroring*>(m)->send(whole); };
  body->told = &mirroring;
}

}  // namespace outrider
