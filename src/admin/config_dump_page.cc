// `/config_dump`: the running configuration as envoy.admin.v3.ConfigDump. The API's messages exist for the time of the
// dump only: their descriptors take some ten megabytes, and nobody else needs them.
#include <fmt/format.h>
#include <malloc.h>
#include <re2/re2.h>

#include <algorithm>

#include "admin/config_dump.h"
#include "admin/page.h"

namespace outrider {
namespace {

// Megabytes for a while: when the last reader has them, the heap is to be as small as before.
std::shared_ptr<const std::string> share(std::string text) {
  return {new std::string(std::move(text)), [](const std::string* gone) {
            delete gone;
            malloc_trim(0);
          }};
}

class DumpText final : public PageText {
 public:
  explicit DumpText(std::shared_ptr<const std::string> text) : text_(std::move(text)) {}
  bool next(std::string& out, std::size_t bytes) override {
    std::size_t piece = std::min(bytes, text_->size() - at_);
    out.append(*text_, at_, piece);
    at_ += piece;
    return at_ < text_->size();
  }

 private:
  const std::shared_ptr<const std::string> text_;
  std::size_t at_ = 0;
};

PageAnswer page_of(std::shared_ptr<const std::string> text) {
  return {200, content_type::kJson, "", std::make_unique<DumpText>(std::move(text))};
}

// As Envoy, the only pages whose refusals name no character set.
PageAnswer refused(int status, std::string text) { return {status, "text/plain", std::move(text)}; }

}  // namespace

PageAnswer config_dump_page(const PageRequest& request) {
  ConfigDump::Choice choice;
  choice.resource = request.parameter("resource").value_or("");
  choice.mask = request.parameter("mask").value_or("");
  choice.endpoints = request.parameter("include_eds").has_value();
  if (auto pattern = request.parameter("name_regex"); pattern && !pattern->empty()) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    auto regex = std::make_shared<re2::RE2>(re2::StringPiece(pattern->data(), pattern->size()), options);
    if (!regex->ok()) {
      return refused(400, "INVALID_ARGUMENT: Error while parsing name_regex from " + std::string(*pattern) + ": " +
                              regex->error());
    }
    choice.name_regex = std::move(regex);
  }
  SnapshotPtr snapshot = request.view.snapshot();
  if (!snapshot) return PageAnswer::json("{}\n");
  // Hosts come and go: a dump with them is nobody else's.
  const std::string wish = fmt::format("{}\n{}\n{}", choice.resource, choice.mask,
                                       choice.name_regex ? choice.name_regex->pattern() : std::string());
  SharedDump& shared = *request.view.dump;
  if (!choice.endpoints) {
    if (auto text = shared.find(snapshot, wish)) return page_of(std::move(text));
  }
  std::optional<WallTime> configured;
  if (request.view.configured) configured = request.view.configured();
  auto text = ConfigDump(*snapshot, configured).json(choice);
  if (!text) return refused(text.error().status, std::move(text.error().text));
  auto whole = share(std::move(*text));
  if (!choice.endpoints) shared = {snapshot, wish, whole};
  return page_of(std::move(whole));
}

}  // namespace outrider
