// Runtime: settings that an operator changes while the proxy runs. Envoy's document: "Runtime configuration".
//
// A Runtime is immutable; a change publishes a new one to every worker (Worker::set_runtime).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace outrider {

class Random;

// So many of so many. A denominator other than 100, 10,000 and 1,000,000 does not come from a configuration.
struct Fraction {
  std::uint32_t numerator = 100;
  std::uint32_t denominator = 100;

  // Whether a random number belongs to it.
  bool takes(std::uint64_t random) const { return random % denominator < numerator; }
  bool always() const { return numerator >= denominator; }
};

class Runtime {
 public:
  struct Layer {
    std::string name;
    std::vector<std::pair<std::string, std::string>> values;  // By key, as text; fractions as JSON objects.
  };
  // A later layer wins.
  explicit Runtime(std::vector<Layer> layers = {});

  // Null if no layer has the key.
  const std::string* text(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  // As Envoy: whole numbers only, else the default.
  std::uint64_t integer(std::string_view key, std::uint64_t fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  // What the key says, a whole number being one of 100; else the default.
  Fraction fraction(std::string_view key, Fraction fallback) const;

  const std::vector<Layer>& layers() const { return layers_; }
  bool empty() const { return values_.empty(); }
  std::size_t keys() const { return values_.size(); }

 private:
  struct Entry {
    std::string text;
    std::optional<double> number;
    std::optional<std::uint64_t> integer;
    std::optional<bool> boolean;
    std::optional<Fraction> fraction;
  };
  static Entry read(std::string text);
  const Entry* find(std::string_view key) const;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  std::vector<Layer> layers_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> values_;
};

using RuntimePtr = std::shared_ptr<const Runtime>;

// A fraction that a runtime key may override (RuntimeFractionalPercent).
struct RuntimeFraction {
  Fraction fallback;
  std::string key;  // Empty: none.

  Fraction now(const Runtime& runtime) const { return key.empty() ? fallback : runtime.fraction(key, fallback); }
  bool sample(const Runtime& runtime, Random& random) const;
};

// A switch that a runtime key may override (RuntimeFeatureFlag).
struct RuntimeFlag {
  bool fallback = true;
  std::string key;

  bool on(const Runtime& runtime) const { return key.empty() ? fallback : runtime.boolean(key, fallback); }
};

}  // namespace outrider
