// RestPoll: asks a service of discovery for one path, again and again, as Envoy's REST subscriptions do: the next
// question comes refresh_delay plus a random part of as much after an answer. What it does lives on the main thread.
#pragma once
#include <expected>
#include <optional>
#include <string>

#include "core/scope.h"
#include "discovery/rest_client.h"
#include "observe/counters.h"

namespace outrider {

class RestPoll {
 public:
  // Where it counts, as Envoy names it.
  struct Stats {
    Cell& update_attempt;
    Cell& update_success;
    Cell& update_failure;   // No answer, or another status than 200.
    Cell& update_rejected;  // What was answered is wrong.
    Cell& init_fetch_timeout;
    Cell& update_time;  // Of the last success, in milliseconds since 1970.
    Cell& version;      // A hash of the text that was taken last.
  };

  // All outlive it. Path: "/v1/registration/users".
  RestPoll(Worker& worker, RestClient& client, RestSource source, std::string path, Stats stats);
  RestPoll(const RestPoll&) = delete;
  virtual ~RestPoll() = default;

  // For ever.
  Task<> run();
  // Ends with the first answer, good or bad, or when the source's initial_fetch_timeout has passed since run() began.
  Task<> first_answer();
  bool answered() const { return answered_; }
  // run() has been stopped: whoever waits for the first answer goes on.
  void give_up() { go_on(); }
  // How messages call it: "http://users-sds/v1/registration/users".
  const std::string& url() const { return url_; }
  const RestSource& source() const { return source_; }

 protected:
  // Takes a text other than the last one that was taken; or says why not.
  virtual Task<std::expected<void, std::string>> take(const std::string& text) = 0;
  // The same text came again.
  virtual void unchanged() {}

  Worker& worker_;

 private:
  Task<> ask();
  Task<> until_answered();
  void go_on();

  RestClient& client_;
  const RestSource source_;
  const std::string path_, url_;
  Stats stats_;
  std::uint64_t taken_ = 0;  // The hash of the text that was taken last; 0: none.
  std::optional<TimePoint> began_;
  bool answered_ = false;
  Signal answer_;
};

}  // namespace outrider
