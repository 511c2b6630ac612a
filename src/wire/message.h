#pragma once

#include <cstdint>
#include <string_view>

#include "wire/headers.h"

namespace outrider {

enum class Version : uint8_t { http10, http11, http2 };
// "HTTP/1.0", "HTTP/1.1", "HTTP/2" as Envoy's %PROTOCOL% writes them.
std::string_view name_of(Version version);

enum class Method : uint8_t { extension, get, head, post, put, delete_, connect, options, trace, patch };
// The Method of a name, `extension` for any other. Names are case-sensitive (RFC 9110 §9.1).
Method method_of(std::string_view name);
// Upper-case name; empty for `extension`.
std::string_view name_of(Method method);

// The form in which an HTTP/1 request target came (RFC 9112 §3.2).
enum class TargetForm : uint8_t { origin, absolute, authority, asterisk };

// A request head of any protocol. Views live as long as the bytes that were parsed, or static text.
struct RequestHead {
  explicit RequestHead(Arena& arena) : headers(arena) {}

  void set_method(Method m) {
    method = m;
    method_name = name_of(m);
  }
  // Takes any method name, an extension too.
  void set_method(std::string_view name) {
    method = method_of(name);
    method_name = name;
  }

  Method method = Method::get;
  TargetForm target_form = TargetForm::origin;
  Version version = Version::http11;
  std::string_view method_name = "GET";
  std::string_view path;  // path and query; "*" in asterisk-form; empty in authority-form (CONNECT)
  // :authority, the host[:port] of the target or of Host, which is never among `headers`. May be empty; data() is null
  // where there was none at all.
  std::string_view authority;
  std::string_view protocol;  // what an extended CONNECT asks for (RFC 8441); else empty
  std::string_view scheme;  // lower case "http" or "https" from an absolute-form target (or :scheme); else empty
  Headers headers;
};

// A response head of any protocol.
struct ResponseHead {
  explicit ResponseHead(Arena& arena) : headers(arena) {}

  bool informational() const { return status >= 100 && status < 200; }

  uint16_t status = 200;  // 100..999
  Version version = Version::http11;
  std::string_view reason;  // what the peer sent; the encoder writes the standard phrase, as Envoy does
  Headers headers;
};

// The registered phrase of a status as Envoy writes it ("Payload Too Large"); "Unknown" when there is none.
std::string_view reason_phrase(uint16_t status);

}  // namespace outrider
