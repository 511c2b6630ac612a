#include "admin/html.h"

#include <algorithm>

extern "C" {
extern const char outrider_page_html[], outrider_page_html_end[];
extern const char outrider_page_css[], outrider_page_css_end[];
extern const char outrider_page_js[], outrider_page_js_end[];
}

namespace outrider {
namespace {

using Kind = PageParameter::Kind;

std::string_view between(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

std::string field(const PageParameter& parameter, const std::string& form, const std::string& id,
                  const QueryParameter* chosen) {
  std::string attributes = " name=\"" + html(parameter.name) + "\" id=\"" + id + "\" form=\"" + form + "\"";
  if (parameter.kind == Kind::flag) return "<input type=\"checkbox\"" + attributes + (chosen ? " checked>" : ">");
  if (parameter.kind == Kind::text) {
    return "<input type=\"text\"" + attributes + (chosen ? " value=\"" + html(chosen->value) + "\">" : ">");
  }
  std::string out = "<select" + attributes + ">";
  for (std::string_view choice : parameter.choices) {
    out += chosen && chosen->value == choice ? "<option selected>" : "<option>";
    out += html(choice) + "</option>";
  }
  return out + "</select>";
}

// A link where that is enough; a form where there is something to choose, and a button where something happens.
std::string command(const Page& page, const std::string& name) {
  if (!page.post && page.parameters.empty()) return "<a href=\"" + name + "\">" + name + "</a>";
  std::string form = "<form id=\"" + name + "\" action=\"" + name + "\" method=\"";
  form += page.post ? "post\"><button>" : "get\"><button class=\"link\">";
  return form + name + "</button></form>";
}

}  // namespace

std::string_view page_html() { return between(outrider_page_html, outrider_page_html_end); }
std::string_view page_css() { return between(outrider_page_css, outrider_page_css_end); }
std::string_view page_js() { return between(outrider_page_js, outrider_page_js_end); }

void append_html(std::string& out, std::string_view text) {
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
}

std::string html(std::string_view text) {
  std::string out;
  append_html(out, text);
  return out;
}

std::string command_rows(const Page& page, std::span<const QueryParameter> chosen) {
  std::string name = html(page.path.substr(1));
  std::string out = "<tbody>\n<tr><td>" + command(page, name) + "</td><td>" + html(page.help) + "</td></tr>\n";
  for (const PageParameter& parameter : page.parameters) {
    std::string id = name + "-" + html(parameter.name);
    auto value = std::ranges::find(chosen, parameter.name, &QueryParameter::name);
    out += "<tr class=\"option\"><td>" + field(parameter, name, id, value == chosen.end() ? nullptr : &*value) +
           "</td><td><label for=\"" + id + "\">" + html(parameter.name) + ": " + html(parameter.help) +
           "</label></td></tr>\n";
  }
  return out + "</tbody>\n";
}

}  // namespace outrider
