#include "http/span_ids.h"

#include <algorithm>
#include <charconv>

namespace outrider {
namespace {

std::optional<std::uint64_t> number_of(std::string_view digits) {
  std::uint64_t number = 0;
  if (digits.empty() || digits.size() > 16) return std::nullopt;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// Of 64 or 128 bits.
bool read_trace_id(std::string_view digits, SpanIds& into) {
  std::optional<std::uint64_t> high = 0;
  if (digits.size() == 32) {
    high = number_of(digits.substr(0, 16));
    digits.remove_prefix(16);
  }
  auto low = number_of(digits);
  if (!high || !low || (*high == 0 && *low == 0)) return false;
  into.trace_high = *high;
  into.trace_low = *low;
  return true;
}

// In the one field `b3`.
std::optional<bool> sampled_of(std::string_view text) {
  if (text == "1" || text == "d") return true;
  if (text == "0") return false;
  return std::nullopt;
}

std::string_view take_part(std::string_view& rest) {
  std::string_view part = rest.substr(0, rest.find('-'));
  rest.remove_prefix(std::min(part.size() + 1, rest.size()));
  return part;
}

// "trace-span-sampled-parent", the last two of which may be missing; or "sampled" alone.
ReceivedTrace read_single(std::string_view text) {
  ReceivedTrace read;
  read.single = true;
  if (text.find('-') == text.npos) {
    read.sampled = sampled_of(text);
    read.broken = !read.sampled;
    return read;
  }
  SpanIds trace;
  bool good = read_trace_id(take_part(text), trace);
  auto span = number_of(take_part(text));
  std::string_view sampled = take_part(text), parent = take_part(text);
  if (!sampled.empty()) read.sampled = sampled_of(sampled);
  auto parent_id = parent.empty() ? std::optional<std::uint64_t>(0) : number_of(parent);
  read.broken = !good || !span || *span == 0 || !parent_id || (!sampled.empty() && !read.sampled);
  if (read.broken) return read;
  trace.span = *span;
  trace.parent = *parent_id;
  read.context = trace;
  return read;
}

void set(Headers& headers, std::string_view name, const std::string& value) {
  headers.set(name, headers.arena().copy(value));
}

}  // namespace

ReceivedTrace read_b3(const Headers& headers) {
  if (std::string_view single = headers.value("b3"); !single.empty()) return read_single(single);
  ReceivedTrace read;
  if (std::string_view sampled = headers.value("x-b3-sampled"); !sampled.empty()) {
    read.sampled = sampled == "1" || sampled == "true";
  }
  std::string_view id = headers.value("x-b3-traceid"), span = headers.value("x-b3-spanid");
  if (id.empty() || span.empty()) return read;
  SpanIds trace;
  std::string_view parent = headers.value("x-b3-parentspanid");
  auto span_id = number_of(span);
  auto parent_id = parent.empty() ? std::optional<std::uint64_t>(0) : number_of(parent);
  read.broken = !read_trace_id(id, trace) || !span_id || *span_id == 0 || !parent_id;
  if (read.broken) return read;
  trace.span = *span_id;
  trace.parent = *parent_id;
  read.context = trace;
  return read;
}

ReceivedTrace read_traceparent(const Headers& headers) {
  ReceivedTrace read;
  std::string_view text = headers.value("traceparent");
  if (text.empty()) return read;
  constexpr std::size_t kBytes = 55;  // Of version 00.
  SpanIds trace;
  if (text.size() != kBytes) text = {};
  std::string_view version = take_part(text);
  std::string_view id = take_part(text), span = take_part(text), flags = take_part(text);
  auto span_id = number_of(span), flag_bits = number_of(flags);
  read.broken = version.size() != 2 || !number_of(version) || id.size() != 32 || span.size() != 16 ||
                flags.size() != 2 || !read_trace_id(id, trace) || !span_id || *span_id == 0 || !flag_bits;
  if (read.broken) return read;
  trace.span = *span_id;
  read.sampled = (*flag_bits & 1) != 0;
  read.context = trace;
  return read;
}

std::string hex_of(std::uint64_t number) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; number >>= 4) text[i] = kHex[number & 15];
  return text;
}

std::string trace_id_of(const SpanIds& trace) {
  return (trace.trace_high ? hex_of(trace.trace_high) : std::string()) + hex_of(trace.trace_low);
}

std::string long_trace_id_of(const SpanIds& trace) { return hex_of(trace.trace_high) + hex_of(trace.trace_low); }

void write_b3(const SpanIds& trace, Headers& headers) {
  if (trace.single) {
    std::string text = trace_id_of(trace) + "-" + hex_of(trace.span) + (trace.sampled ? "-1" : "-0");
    if (trace.parent) text += "-" + hex_of(trace.parent);
    set(headers, "b3", text);
    return;
  }
  set(headers, "x-b3-traceid", trace_id_of(trace));
  set(headers, "x-b3-spanid", hex_of(trace.span));
  if (trace.parent) set(headers, "x-b3-parentspanid", hex_of(trace.parent));
  headers.set("x-b3-sampled", trace.sampled ? "1" : "0");
}

void write_traceparent(const SpanIds& trace, Headers& headers) {
  set(headers, "traceparent",
      "00-" + long_trace_id_of(trace) + "-" + hex_of(trace.span) + (trace.sampled ? "-01" : "-00"));
}

}  // namespace outrider
