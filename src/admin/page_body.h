// The body of an admin answer: a text that is there, then one that is made piece by piece.
#pragma once
#include <memory>
#include <string>

#include "admin/page.h"
#include "http/body.h"

namespace outrider {

// Its length is not known beforehand: like Envoy's admin page it goes out chunked.
class PageBody final : public Body {
 public:
  // `place` is held as long as the body lives.
  PageBody(std::string text, std::unique_ptr<PageText> rest, std::shared_ptr<void> place)
      : text_(std::move(text)), rest_(std::move(rest)), place_(std::move(place)) {}

  static constexpr std::size_t kPieceBytes = 64 * 1024;

  Frame poll(std::size_t max) override {
    while (at_ == text_.size()) {
      if (!rest_) return Frame::end();
      text_.clear();
      at_ = 0;
      if (!rest_->next(text_, kPieceBytes)) rest_.reset();
    }
    std::string_view piece = std::string_view(text_).substr(at_, max);
    at_ += piece.size();
    return Frame::bytes(piece, at_ == text_.size() && !rest_);
  }
  Task<Frame> pull(std::size_t max) override { co_return poll(max); }

 private:
  std::string text_;
  std::size_t at_ = 0;
  std::unique_ptr<PageText> rest_;
  std::shared_ptr<void> place_;
};

}  // namespace outrider
