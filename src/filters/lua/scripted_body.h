// ScriptedBody: a body that a script sees, and may change, while it goes by.
#pragma once
#include "filters/lua/run.h"

namespace outrider::lua {

class ScriptedBody final : public Body {
 public:
  // Both outlive it. `on_end` is called when the script has ended.
  ScriptedBody(Run& run, Body& source, void (*on_end)(const void*, const Run&), const void* owner)
      : run_(run), source_(source), on_end_(on_end), owner_(owner) {
    if (run.fields().has(Known::content_length)) told_ = source.length();
  }

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;
  // Known only if the script left the field in the head: then what it makes of the body has to be as long.
  std::optional<std::uint64_t> length() const override { return told_; }

 private:
  void feed(Frame frame);
  Task<Frame> take_back();
  Task<> answer_calls();
  Frame checked(Frame frame);
  Frame give_rest(std::size_t max);

  Run& run_;
  Body& source_;
  void (*on_end_)(const void*, const Run&);
  const void* owner_;
  std::optional<std::uint64_t> told_;
  Frame fed_;  // What the script has, while it waits for calls of its own; pending: nothing.
  bool fed_as_chunk_ = false;
  std::string_view rest_;  // Of a chunk that the script has had.
  bool rest_is_last_ = false;
  std::uint64_t given_ = 0;
  bool ended_ = false;
};

// Makes the call that the script waits for and goes on with its answer.
Task<> answer_call(Run& run);

}  // namespace outrider::lua
