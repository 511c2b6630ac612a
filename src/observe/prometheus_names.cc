#include "observe/prometheus_names.h"

#include <span>

namespace outrider::prometheus {
namespace {

bool plain_in_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

void append_label_value(std::string& out, std::string_view value) {
  while (true) {
    std::size_t plain = value.find_first_of("\n\"\\");
    out += value.substr(0, plain);
    if (plain == std::string_view::npos) return;
    out.push_back('\\');
    out.push_back(value[plain] == '\n' ? 'n' : value[plain]);
    value.remove_prefix(plain + 1);
  }
}

}  // namespace

void append_metric_name(std::string& out, std::string_view name) {
  std::size_t begin = out.size();
  out += name;
  for (char& c : std::span(out).subspan(begin)) {
    if (!plain_in_name(c)) c = '_';
  }
}

void append_label(std::string& labels, std::string_view label, std::string_view value) {
  if (!labels.empty()) labels.push_back(',');
  append_metric_name(labels, label);
  labels += "=\"";
  append_label_value(labels, value);
  labels.push_back('"');
}

}  // namespace outrider::prometheus
