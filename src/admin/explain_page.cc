// `/explain` and `/sources`, which Envoy has not: where a request would go, and where in the files that is written.
#include "config/explain.h"

#include "admin/indented_json.h"
#include "admin/page.h"

namespace outrider {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

std::string to_json(const std::vector<config::ExplainedStep>& steps) {
  std::string out;
  IndentedJson json(out);
  json.open_list("steps");
  for (const config::ExplainedStep& step : steps) {
    json.open_element();
    json.text("kind", name_of(step.kind));
    json.number("depth", static_cast<std::uint64_t>(step.depth));
    json.text("text", step.text);
    if (!step.source.empty()) json.text("source", step.source);
    json.close_object();
  }
  json.close_list();
  json.finish();
  return out;
}

}  // namespace

PageAnswer explain_page(const PageRequest& request) {
  config::ExplainedRequest asked;
  asked.url = request.parameter("url").value_or("");
  if (asked.url.empty()) {
    return PageAnswer::plain(
        "usage: /explain?url=http://host/path, with method=GET, fields=name:value and format=text\n", 400);
  }
  asked.method = request.parameter("method").value_or("GET");
  asked.fields = lines_of(request.parameter("fields").value_or(""));
  if (std::string why = config::not_a_request(asked); !why.empty()) return PageAnswer::plain(why + "\n", 400);
  SnapshotPtr snapshot = request.view.snapshot();
  if (!snapshot) return PageAnswer::plain("there is no configuration yet\n", 503);
  auto steps = config::explain(*snapshot, asked, *request.worker.runtime());
  return request.parameter("format") == "text" ? PageAnswer::plain(to_text(steps)) : PageAnswer::json(to_json(steps));
}

PageAnswer sources_page(const PageRequest& request) {
  std::string out;
  IndentedJson json(out);
  json.open_list("sources");
  if (SnapshotPtr snapshot = request.view.snapshot()) {
    const SourceMap& sources = snapshot->sources;
    for (const SourceMap::Place& place : sources.places) {
      json.open_element();
      json.text("path", sources.path(place));
      json.text("file", sources.files[place.file]);
      json.number("line", place.line);
      json.close_object();
    }
  }
  json.close_list();
  json.finish();
  return PageAnswer::json(std::move(out));
}

}  // namespace outrider
