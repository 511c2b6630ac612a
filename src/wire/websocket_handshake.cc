// The opening handshake (RFC 6455 §4.2).

#include <sha1.h>

#include <string_view>

#include "wire/h1.h"
#include "wire/websocket.h"

namespace outrider::websocket {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr size_t kKeyCharacters = 24;  // 16 bytes

bool is_key(std::string_view text) {
  return text.size() == kKeyCharacters && text.ends_with("==") &&
         text.find_first_not_of(kBase64) == kKeyCharacters - 2 && std::string_view("AQgw").contains(text[21]);
}

bool is_websocket(std::string_view upgrade) {
  constexpr std::string_view kToken = "websocket";
  if (upgrade.size() != kToken.size()) return false;
  for (size_t i = 0; i < kToken.size(); ++i) {
    if ((upgrade[i] | 0x20) != kToken[i]) return false;
  }
  return true;
}

}  // namespace

AcceptKey accept_key(std::string_view client_key) {
  constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  SHA1_CTX hash;
  uint8_t digest[SHA1_DIGEST_LENGTH + 1] = {};  // one zero byte more, so that it splits into threes
  SHA1Init(&hash);
  SHA1Update(&hash, reinterpret_cast<const uint8_t*>(client_key.data()), client_key.size());
  SHA1Update(&hash, reinterpret_cast<const uint8_t*>(kGuid.data()), kGuid.size());
  SHA1Final(digest, &hash);
  AcceptKey key;
  for (size_t i = 0, at = 0; i < SHA1_DIGEST_LENGTH; i += 3) {
    uint32_t bits = static_cast<uint32_t>(digest[i] << 16 | digest[i + 1] << 8 | digest[i + 2]);
    for (int shift = 18; shift >= 0; shift -= 6) key[at++] = kBase64[bits >> shift & 63];
  }
  key.back() = '=';
  return key;
}

const char* handshake_error(const RequestHead& request) {
  if (request.method != Method::get) return "method is not GET";
  if (request.version != Version::http11) return "version is not HTTP/1.1";
  if (!is_websocket(h1::requested_upgrade(request.headers))) return "no upgrade to websocket";
  if (!is_key(request.headers.value("sec-websocket-key"))) return "malformed Sec-WebSocket-Key";
  if (request.headers.value("sec-websocket-version") != "13") return "Sec-WebSocket-Version is not 13";
  return nullptr;
}

}  // namespace outrider::websocket
