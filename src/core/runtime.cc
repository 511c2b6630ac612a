#include "core/runtime.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/ascii.h"
#include "core/random.h"

namespace outrider {
namespace {

template <class N>
std::optional<N> parse(std::string_view text) {
  N number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

// The value of a member in {"numerator": 5, "denominator": "HUNDRED"}, or in YAML that says the same; empty if it is
// not there.
std::string_view member(std::string_view object, std::string_view name) {
  std::size_t at = object.find(name);
  if (at == std::string_view::npos) return {};
  at = object.find(':', at);
  if (at == std::string_view::npos) return {};
  std::size_t begin = object.find_first_not_of(" \"", at + 1);
  if (begin == std::string_view::npos) return {};
  return object.substr(begin, object.find_first_of(" \",}\n", begin) - begin);
}

std::optional<Fraction> parse_fraction(std::string_view text) {
  if (!text.starts_with('{') && !text.starts_with("numerator:") && !text.starts_with("denominator:")) {
    return std::nullopt;
  }
  auto numerator = parse<double>(member(text, "numerator"));
  if (!numerator || *numerator < 0 || *numerator > UINT32_MAX) return std::nullopt;
  std::string_view of = member(text, "denominator");
  std::uint32_t denominator = of == "TEN_THOUSAND" || of == "1" ? 10'000
                              : of == "MILLION" || of == "2"    ? 1'000'000
                                                                : 100;
  return Fraction{static_cast<std::uint32_t>(*numerator), denominator};
}

}  // namespace

Runtime::Entry Runtime::read(std::string text) {
  Entry e;
  e.number = parse<double>(text);
  if (e.number && *e.number >= 0 && *e.number < 1e18 && std::floor(*e.number) == *e.number) {
    e.integer = static_cast<std::uint64_t>(*e.number);
  }
  if (equals_ignore_case(text, "true")) e.boolean = true;
  if (equals_ignore_case(text, "false")) e.boolean = false;
  e.fraction = parse_fraction(text);
  e.text = std::move(text);
  return e;
}

Runtime::Runtime(std::vector<Layer> layers) : layers_(std::move(layers)) {
  for (const Layer& layer : layers_) {
    for (const auto& [key, text] : layer.values) values_[key] = read(text);
  }
}

const Runtime::Entry* Runtime::find(std::string_view key) const {
  if (values_.empty()) return nullptr;
  auto at = values_.find(key);
  return at == values_.end() ? nullptr : &at->second;
}

const std::string* Runtime::text(std::string_view key) const {
  const Entry* e = find(key);
  return e ? &e->text : nullptr;
}

std::optional<double> Runtime::number(std::string_view key) const {
  const Entry* e = find(key);
  return e ? e->number : std::nullopt;
}

std::uint64_t Runtime::integer(std::string_view key, std::uint64_t fallback) const {
  const Entry* e = find(key);
  return e ? e->integer.value_or(fallback) : fallback;
}

bool Runtime::boolean(std::string_view key, bool fallback) const {
  const Entry* e = find(key);
  return e ? e->boolean.value_or(fallback) : fallback;
}

Fraction Runtime::fraction(std::string_view key, Fraction fallback) const {
  const Entry* e = find(key);
  if (!e) return fallback;
  if (e->fraction) return *e->fraction;
  if (e->integer) return {static_cast<std::uint32_t>(std::min<std::uint64_t>(*e->integer, 100)), 100};
  return fallback;
}

bool RuntimeFraction::sample(const Runtime& runtime, Random& random) const {
  Fraction fraction = now(runtime);
  if (fraction.always()) return true;
  return fraction.numerator > 0 && fraction.takes(random.next());
}

}  // namespace outrider
