// Envoy's `/stats` as text and JSON, in pieces.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "observe/counters.h"
#include "observe/stat_format.h"
#include "observe/stat_query.h"

namespace outrider {

// One rendering. Counters and gauges come first, by name, then histograms, by name. Each scope is read when the
// rendering reaches it.
class StatsText {
 public:
  // The format is that of the query: text or json.
  StatsText(const StatRegistry& registry, StatQuery query);
  StatsText(const StatsText&) = delete;
  ~StatsText();

  // Appends about that many bytes or more; false when nothing is left.
  bool next(std::string& out, std::size_t bytes);

 private:
  struct Line;
  struct Frame;
  enum class Pass : std::uint8_t { numbers, histograms, done };

  bool step(std::string& out);
  void open(std::size_t scope);
  void fill_numbers(Frame& frame);
  void fill_histograms(Frame& frame);
  void find_child(Frame& frame) const;
  bool accepts(const Frame& frame, const Line& line, std::string& out);
  void number(const Frame& frame, const Line& line, std::string& out);
  void histogram(const Frame& frame, const Line& line, std::string& out);
  void end_pass(std::string& out);
  // What is the same in the lines of all scopes of a table.
  struct Order {
    struct Entry {
      std::size_t index;  // Of the definition.
      stat_format::PaddedText ending;
    };
    const StatTable* table;
    std::vector<Entry> entries;  // By name.
  };
  const std::vector<Order::Entry>& sorted(const StatTable& table);
  stat_format::PaddedText ending(std::string_view name) const;
  void begin_lines(Frame& frame) const;

  const StatQuery query_;
  std::vector<std::shared_ptr<StatScope>> scopes_;
  std::vector<std::unique_ptr<Order>> orders_;
  // The scopes that surround the current place, outermost first; frames beyond depth_ keep their memory for reuse.
  std::vector<std::unique_ptr<Frame>> frames_;
  std::size_t depth_ = 0;
  std::size_t next_scope_ = 0;
  Pass pass_ = Pass::numbers;
  bool any_ = false;  // Something was written: the next JSON element needs a comma.
  bool any_histogram_ = false;
  bool begun_ = false;
};

// All at once.
std::string stats_text(const StatRegistry& registry, const StatQuery& query);

}  // namespace outrider
