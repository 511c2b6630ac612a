// Endpoint: one host of a cluster. HostSet: those that a cluster has now.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/metadata.h"
#include "net/address.h"
#include "upstream/health_flags.h"
#include "upstream/outlier.h"

namespace outrider {

struct ConsistentHash;
struct EndpointPool;
struct HostSet;
struct Subsets;
using HostSetPtr = std::shared_ptr<const HostSet>;

// The name space of metadata that load balancing looks at.
inline constexpr std::string_view kLbMetadata = "envoy.lb";

enum class HostHealth : std::uint8_t { healthy, degraded, unhealthy };

// Lives as long as some HostSet or connection holds it. Its numbers are shared by all workers.
class Endpoint : public std::enable_shared_from_this<Endpoint> {
 public:
  Endpoint(Address address, std::string hostname, std::uint32_t weight, std::uint32_t priority, int workers)
      : address(std::move(address)), hostname(std::move(hostname)), weight(weight), priority(priority) {
    local.resize(static_cast<std::size_t>(workers), nullptr);
  }
  Endpoint(const Endpoint&) = delete;

  const Address address;
  const std::string hostname;  // As configured or resolved; for auto_host_rewrite.
  const std::uint32_t weight;
  const std::uint32_t priority;
  HostHealth health = HostHealth::healthy;  // As configured.
  bool told_to_drain = false;               // Why that is unhealthy.
  HealthFlags flags;                        // What checks and outlier detection have found.
  std::string region, zone, sub_zone;
  bool canary = false;
  std::shared_ptr<const Metadata> metadata;  // Null: none.

  // By all that is known.
  HostHealth health_now() const {
    if (health == HostHealth::unhealthy || flags.has(HealthFlag::failed_active_hc) ||
        flags.has(HealthFlag::failed_outlier_check)) {
      return HostHealth::unhealthy;
    }
    return flags.has(HealthFlag::degraded_active_hc) ? HostHealth::degraded : health;
  }
  // It counts as if it were not there where the size of a priority is asked.
  bool excluded() const { return told_to_drain || flags.has(HealthFlag::excluded_via_immediate_hc_fail); }

  // Where and how it is asked for its health.
  struct Check {
    std::optional<Address> address;  // None: its own.
    std::string hostname;            // Empty: what the check says.
    bool disabled = false;
  };
  Check check;
  std::unique_ptr<Outlier> outlier;  // Null: nobody wants to know.

  // Before it serves. Its envoy.lb may say that it is a canary.
  void set_metadata(std::shared_ptr<const Metadata> said);

  // What `/clusters` shows.
  struct Numbers {
    std::atomic<std::uint64_t> cx_active{0}, cx_connect_fail{0}, cx_total{0}, rq_active{0}, rq_error{0},
        rq_pending_active{0}, rq_success{0}, rq_timeout{0}, rq_total{0};
  };
  Numbers numbers;

  // Of each worker, its connections to this host; an element is touched by its worker only.
  std::vector<EndpointPool*> local;
};

// Whether the host's metadata of envoy.lb (null: none) has each of these, with that value. `list_as_any`: an element of
// a list is enough.
bool has_labels(const Metadata* host, const Value::Struct& labels, bool list_as_any);

using EndpointPtr = std::shared_ptr<Endpoint>;

// Immutable. Hosts of the same priority keep the order in which they were found.
struct HostSet {
  std::vector<EndpointPtr> all;
  // The hosts to choose from (see host_set.h). Those with a larger share stand there more often, spread evenly (see
  // balance.h), so a rotation over this list respects weights and priorities.
  std::vector<Endpoint*> eligible;
  std::shared_ptr<const Subsets> subsets;      // Null: the cluster has none.
  std::shared_ptr<const ConsistentHash> hash;  // Null: the cluster does not hash.
  std::vector<bool> panic;                     // By priority: so few of its hosts are healthy that all are taken.
};

}  // namespace outrider
