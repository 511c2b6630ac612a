// `/` and `/help`: the table of paths, for people.
#include <algorithm>

#include "admin/page.h"
#include "admin/server_state.h"

namespace outrider {
namespace {

using Kind = PageParameter::Kind;

// For text and for attributes in quotes.
std::string escaped(std::string_view text) {
  std::string out;
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
  return out;
}

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>outrider admin</title>
<link rel="icon" href="data:,">
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1e21; background: #fff; margin: 2rem auto; max-width: 60rem;
  padding: 0 1rem; }
h1 { font-size: 1.25rem; margin: 0; }
p { color: #5a6069; margin: 0 0 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem; }
th { color: #5a6069; font-weight: 600; border-bottom: 2px solid #d0d5db; }
tbody { border-bottom: 1px solid #e3e6ea; }
tbody:hover { background: #f4f6f9; }
td:first-child { white-space: nowrap; width: 18rem; }
.option td { padding-top: 0; color: #5a6069; font-size: .875rem; }
.option td:first-child { padding-left: 2rem; }
a, .link { color: #0b57c2; text-decoration: underline; }
form { margin: 0; }
button, input, select { font: inherit; }
.link { background: none; border: 0; padding: 0; cursor: pointer; }
input[type=text], select { width: 14rem; box-sizing: border-box; }
</style>
</head>
<body>
)";

std::string field(const PageParameter& parameter, const std::string& form, const std::string& id) {
  std::string attributes = " name=\"" + escaped(parameter.name) + "\" id=\"" + id + "\" form=\"" + form + "\"";
  if (parameter.kind == Kind::flag) return "<input type=\"checkbox\"" + attributes + ">";
  if (parameter.kind == Kind::text) return "<input type=\"text\"" + attributes + ">";
  std::string out = "<select" + attributes + ">";
  for (std::string_view choice : parameter.choices) out += "<option>" + escaped(choice) + "</option>";
  return out + "</select>";
}

// A link where that is enough; a form where there is something to choose, and a button where something happens.
std::string command(const Page& page, const std::string& name) {
  if (!page.post && page.parameters.empty()) return "<a href=\"" + name + "\">" + name + "</a>";
  std::string form = "<form id=\"" + name + "\" action=\"" + name + "\" method=\"";
  form += page.post ? "post\"><button>" : "get\"><button class=\"link\">";
  return form + name + "</button></form>";
}

std::string rows(const Page& page) {
  std::string name = escaped(page.path.substr(1));
  std::string out = "<tbody>\n<tr><td>" + command(page, name) + "</td><td>" + escaped(page.help) + "</td></tr>\n";
  for (const PageParameter& parameter : page.parameters) {
    std::string id = name + "-" + escaped(parameter.name);
    out += "<tr class=\"option\"><td>" + field(parameter, name, id) + "</td><td><label for=\"" + id + "\">" +
           escaped(parameter.name) + ": " + escaped(parameter.help) + "</label></td></tr>\n";
  }
  return out + "</tbody>\n";
}

std::string choices(const PageParameter& parameter) {
  std::string out;
  for (std::string_view choice : parameter.choices) out.append(choice).append(", ");
  return "; One of (" + out.substr(0, out.size() - 2) + ")";
}

}  // namespace

std::string help_lines() {
  std::string out;
  for (const Page& page : admin_pages()) {
    out.append("  ").append(page.path).append(page.post ? " (POST)" : "").append(": ").append(page.help).append("\n");
    for (const PageParameter& parameter : page.parameters) {
      out.append("      ").append(parameter.name).append(": ").append(parameter.help);
      if (parameter.kind == Kind::choice) out += choices(parameter);
      out += "\n";
    }
  }
  return out;
}

PageAnswer help_page(const PageRequest&) { return PageAnswer::plain("admin commands are:\n" + help_lines()); }

PageAnswer home_page(const PageRequest& request) {
  std::string out(kHead);
  out += "<h1>outrider admin</h1>\n<p>" + escaped(version_line(request.view.version())) + " &middot; " +
         escaped(name_of(request.view.state())) + "</p>\n";
  out += "<table>\n<thead><tr><th>Command</th><th>Description</th></tr></thead>\n";
  for (const Page& page : admin_pages()) {
    if (page.path != "/") out += rows(page);
  }
  return {200, content_type::kHtml, out + "</table>\n</body>\n</html>\n"};
}

}  // namespace outrider
