// The messages of a stream of Connect, whose last one says how it ended. Connect's document: "Streaming-Response".
#pragma once
#include "filters/grpc_call.h"
#include "http/json_text.h"

namespace outrider::filters {

class ConnectMessages final : public GrpcMessages {
 public:
  // Without the last one.
  std::uint64_t messages() const { return count_ - (begun_ ? 1 : 0); }
  // Its last message came, and tells of no error.
  bool succeeded() const { return end_ == End::good; }

 private:
  static constexpr std::uint8_t kEndOfStream = 2;
  static constexpr std::size_t kEndBytesMax = 64 * 1024;  // Of the last message; of a longer one nothing is known.
  enum class End : std::uint8_t { missing, good, bad };

  bool begins(std::uint8_t flags) override {
    if (begun_) return false;
    begun_ = flags & kEndOfStream;
    return true;
  }
  void bytes(std::string_view piece) override {
    if (begun_ && text_.size() + piece.size() <= kEndBytesMax) text_.append(piece);
  }
  void ends() override {
    if (!begun_) return;
    std::optional<Value> said = parse_json(text_);
    end_ = said && said->fields() && !said->find("error") ? End::good : End::bad;
    text_.clear();
  }

  bool begun_ = false;
  End end_ = End::missing;
  std::string text_;
};

}  // namespace outrider::filters
