#pragma once

// Character classes of RFC 9110 §5.6 and how to run over many bytes of one class.

#include <array>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace outrider::h1 {

// For a token character its lower-case form, for all others 0.
inline constexpr std::array<char, 256> kTokenLower = [] {
  std::array<char, 256> table{};
  for (const char* c = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"; *c != 0; ++c) {
    table[static_cast<unsigned char>(*c)] = *c;
  }
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = static_cast<char>(c - 'A' + 'a');
  return table;
}();

inline char token_lower(char c) { return kTokenLower[static_cast<unsigned char>(c)]; }
inline bool is_token(char c) { return token_lower(c) != 0; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_blank(char c) { return c == ' ' || c == '\t'; }
inline bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
// field-vchar, obs-text, SP, HTAB.
inline bool is_value(char c) { return !is_control(c) || c == '\t'; }
// What a request target may hold: visible ASCII, without '#'.
inline bool is_target(char c) { return c > 0x20 && c < 0x7f && c != '#'; }

#ifdef __SSE2__
// Of each byte, whether it lies in low..high (ASCII).
inline __m128i bytes_between(__m128i bytes, char low, char high) {
  return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))),
                       _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
}

// Puts up to sixteen letters, digits, "-" and "_" from `at` on into lower case; how many there were. Nearly every name
// is made of these, and one step for a name spares the processor a loop whose end it cannot foresee.
inline int lower_sixteen(char* at) {
  alignas(16) static constexpr unsigned char kOnesThenZeros[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                   255, 255, 255, 255, 255, 255, 255, 255};
  auto* place = reinterpret_cast<__m128i*>(at);
  __m128i bytes = _mm_loadu_si128(place);
  __m128i upper = bytes_between(bytes, 'A', 'Z');
  __m128i signs = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
  __m128i others = _mm_or_si128(bytes_between(bytes, 'a', 'z'), bytes_between(bytes, '0', '9'));
  __m128i named = _mm_or_si128(upper, _mm_or_si128(signs, others));
  unsigned rest = ~static_cast<unsigned>(_mm_movemask_epi8(named)) & 0xffff;
  int count = rest != 0 ? __builtin_ctz(rest) : 16;
  __m128i counted = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kOnesThenZeros + 16 - count));
  __m128i change = _mm_and_si128(_mm_and_si128(upper, counted), _mm_set1_epi8(0x20));
  _mm_storeu_si128(place, _mm_add_epi8(bytes, change));
  return count;
}
#endif

// Puts the token characters from `at` on into lower case; the first byte in [at, end) that is none, or `end`.
inline char* lower_token(char* at, const char* end) {
#ifdef __SSE2__
  int count = 16;
  while (count == 16 && end - at >= 16) at += count = lower_sixteen(at);
#endif
  for (; at != end; ++at) {
    char lower = token_lower(*at);
    if (lower == 0) break;
    *at = lower;
  }
  return at;
}

// The first byte in [at, end) that is no value character; `end` when all are.
inline char* skip_value(char* at, const char* end) {
#ifdef __SSE2__
  const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
  while (end - at >= 16) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low), _mm_cmpeq_epi8(bytes, del));
    if (int mask = _mm_movemask_epi8(bad)) return at + __builtin_ctz(static_cast<unsigned>(mask));
    at += 16;
  }
#endif
  while (at != end && is_value(*at)) ++at;
  return at;
}

// The first byte in [at, end) that is no target character; `end` when all are.
inline char* skip_target(char* at, const char* end) {
#ifdef __SSE2__
  const __m128i space = _mm_set1_epi8(0x20), del = _mm_set1_epi8(0x7f), hash = _mm_set1_epi8('#');
  while (end - at >= 16) {
    __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    __m128i visible = _mm_and_si128(_mm_cmpgt_epi8(bytes, space), _mm_cmplt_epi8(bytes, del));
    unsigned good = static_cast<unsigned>(_mm_movemask_epi8(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, hash), visible)));
    if (good != 0xffff) return at + __builtin_ctz(~good);
    at += 16;
  }
#endif
  while (at != end && is_target(*at)) ++at;
  return at;
}

}  // namespace outrider::h1
