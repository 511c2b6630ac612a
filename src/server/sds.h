// `outrider sds`: a service of discovery as Envoy v1 asks it, with the hosts of a file.
#pragma once
#include <sys/stat.h>

#include <map>
#include <string>

#include "discovery/registration.h"
#include "http/filter.h"

namespace outrider {

// The hosts of each service: those of the file, and those that have registered themselves. Of one thread.
class HostRegistry {
 public:
  // What is wrong with the file as it is now, by line and column; empty: nothing.
  std::string open(std::string path);
  // The file is read again if it has changed; one that is wrong is told about, and changes nothing.
  std::vector<ConfiguredHost> hosts(const std::string& service);
  // Takes the place of the registered host of that address.
  void add(const std::string& service, ConfiguredHost host);
  // Of the registered ones; false: there is none.
  bool remove(const std::string& service, std::string_view ip);

 private:
  struct Stamp {
    ino_t inode = 0;
    off_t bytes = 0;
    timespec changed{};
    bool operator==(const Stamp& other) const {
      return inode == other.inode && bytes == other.bytes && changed.tv_sec == other.changed.tv_sec &&
             changed.tv_nsec == other.changed.tv_nsec;
    }
  };
  Stamp stamp() const;
  std::string read();

  std::string path_;
  Stamp read_as_;
  Registry of_file_, registered_;
};

// The last filter of a chain. GET /v1/registration/SERVICE: {"hosts": [...]}, empty where nobody is known. As in Lyft's
// discovery service, POST (or PUT) registers a host there, by the parameters ip, port and tags (JSON) of a form or by a
// JSON object as the file has them, and DELETE /v1/registration/SERVICE/IP takes it away. GET /healthcheck: 200.
class SdsService final : public Filter {
 public:
  static constexpr std::size_t kBodyBytesMax = 64 * 1024;

  explicit SdsService(HostRegistry& registry) : registry_(registry) {}
  Task<Response> handle(Exchange& x, Next next) const override;

 private:
  Response list(Exchange& x, const std::string& service) const;
  Response take_away(Exchange& x, std::string_view rest) const;
  Task<Response> register_host(Exchange& x, std::string service) const;

  HostRegistry& registry_;
};

// argv[0] is the verb. Serves until SIGTERM or SIGINT. The process' exit code.
int run_sds(int argc, const char* const* argv);

}  // namespace outrider
