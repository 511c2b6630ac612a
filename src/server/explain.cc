#include "server/explain.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/explain.h"
#include "core/ascii.h"
#include "core/hex.h"
#include "core/runtime_layers.h"
#include "server/proxy.h"

namespace outrider {
namespace {

constexpr std::string_view kUsage =
    "usage: outrider explain FILE|ADMIN METHOD URL [-H 'name: value']... [--no-environment]\n"
    "\n"
    "Tells the way of a request, rule by rule, through a configuration file, or through the proxy whose admin page is\n"
    "at the address ADMIN, such as 127.0.0.1:9901. URL is http://host/path, or a path where -H gives the host.\n"
    "--no-environment: ${NAME} in the file stays as it stands.\n";
constexpr std::size_t kAnswerBytesMax = 16 * 1024 * 1024;

struct Request {
  std::string where, method, url;
  std::vector<std::string> fields;  // "name: value"
  bool substitute_environment = true;
};

std::expected<Request, int> read_request(std::span<char*> words) {
  Request r;
  std::vector<std::string> plain;
  for (std::size_t i = 0; i < words.size(); i++) {
    std::string_view word = words[i];
    if (word == "-H" && i + 1 < words.size()) {
      r.fields.emplace_back(words[++i]);
    } else if (word == "--no-environment") {
      r.substitute_environment = false;
    } else if (word == "--help" || word == "-h") {
      std::fputs(kUsage.data(), stdout);
      return std::unexpected(0);
    } else {
      plain.emplace_back(word);
    }
  }
  if (plain.size() != 3) {
    constexpr std::string_view kWords[] = {"FILE or ADMIN", "METHOD", "URL"};
    if (plain.size() < 3) {
      std::fprintf(stderr, "outrider: %s is missing\n", kWords[plain.size()].data());
    } else {
      std::fprintf(stderr, "outrider: one word too many: %s\n", plain[3].c_str());
    }
    std::fputs(kUsage.data(), stderr);
    return std::unexpected(1);
  }
  r.where = plain[0];
  if (constexpr std::string_view kScheme = "http://"; r.where.starts_with(kScheme)) {
    r.where = r.where.substr(kScheme.size(), r.where.find('/', kScheme.size()) - kScheme.size());
  }
  r.method = plain[1];
  r.url = plain[2];
  return r;
}

std::string percent_encoded(std::string_view text) {
  std::string result;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool plain = (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '.' || c == '-';
    if (plain) {
      result += c;
    } else {
      result.append("%").append(kHexPairs[byte].data(), 2);
    }
  }
  return result;
}

std::expected<int, std::string> connect_to(const std::string& where) {
  std::size_t colon = where.rfind(':');
  std::string host = where.substr(0, colon), port = where.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found)) return std::unexpected(gai_strerror(error));
  int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
  int error = errno;
  freeaddrinfo(found);
  if (connected) return fd;
  if (fd >= 0) close(fd);
  return std::unexpected(std::strerror(error));
}

// The body of the answer; the error says why there is none.
std::expected<std::string, std::string> ask(const Request& r) {
  auto fd = connect_to(r.where);
  if (!fd) return std::unexpected(fd.error());
  std::string fields;
  for (const std::string& field : r.fields) fields.append(field).append("\n");
  // In HTTP/1.0 the answer has no chunks.
  std::string text = "GET /explain?format=text&method=" + percent_encoded(r.method) + "&url=" + percent_encoded(r.url) +
                     "&fields=" + percent_encoded(fields) + " HTTP/1.0\r\nhost: admin\r\n\r\n";
  std::string answer;
  bool sent = send(*fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  char buffer[16384];
  for (ssize_t n = 1; sent && n > 0 && answer.size() < kAnswerBytesMax;) {
    n = recv(*fd, buffer, sizeof buffer, 0);
    if (n > 0) answer.append(buffer, static_cast<std::size_t>(n));
  }
  close(*fd);
  std::size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.0 200 ") || head == std::string::npos) {
    return std::unexpected("the answer is '" + answer.substr(0, answer.find("\r\n")) + "'");
  }
  return answer.substr(head + 4);
}

int explain_admin(const Request& r) {
  auto answer = ask(r);
  if (!answer) {
    std::fprintf(stderr, "outrider: %s is no file, and no admin page answers there: %s\n", r.where.c_str(),
                 answer.error().c_str());
    return 1;
  }
  std::fputs(answer->c_str(), stdout);
  return 0;
}

int explain_file(const Request& r) {
  Flags flags;
  flags.config_path = r.where;
  flags.concurrency = 1;
  flags.opens_logs = false;
  flags.may_lack_name = true;
  flags.substitute_environment = r.substitute_environment;
  Proxy proxy(std::move(flags));
  auto snapshot = proxy.read_snapshot();
  if (!snapshot) {
    std::fprintf(stderr, "%s\n", config::to_text(snapshot.error()).c_str());
    return 1;
  }
  RuntimeLayers layers;
  layers.set((*snapshot)->runtime);
  RuntimePtr runtime = layers.load();
  std::fputs(to_text(config::explain(**snapshot, {r.method, r.url, r.fields}, *runtime)).c_str(), stdout);
  return 0;
}

}  // namespace

int run_explain(int argc, char** argv) {
  auto request = read_request(std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
  if (!request) return request.error();
  if (std::string why = config::not_a_request({request->method, request->url, request->fields}); !why.empty()) {
    std::fprintf(stderr, "outrider: %s\n", why.c_str());
    return 1;
  }
  return std::filesystem::exists(request->where) ? explain_file(*request) : explain_admin(*request);
}

}  // namespace outrider
