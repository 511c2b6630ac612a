// `/` and `/help`: what there is, for people. The page at `/` is put together from src/admin/page; it asks the other
// pages for what it shows.
#include "admin/html.h"
#include "admin/page.h"
#include "admin/server_state.h"

namespace outrider {
namespace {

std::string choices(const PageParameter& parameter) {
  std::string out;
  for (std::string_view choice : parameter.choices) out.append(choice).append(", ");
  return "; One of (" + out.substr(0, out.size() - 2) + ")";
}

std::string all_commands() {
  std::string out;
  for (const Page& page : admin_pages()) {
    if (page.path != "/") out += command_rows(page);
  }
  return out;
}

}  // namespace

std::string help_lines() {
  std::string out;
  for (const Page& page : admin_pages()) {
    out.append("  ").append(page.path).append(page.post ? " (POST)" : "").append(": ").append(page.help).append("\n");
    for (const PageParameter& parameter : page.parameters) {
      out.append("      ").append(parameter.name).append(": ").append(parameter.help);
      if (parameter.kind == PageParameter::Kind::choice) out += choices(parameter);
      out += "\n";
    }
  }
  return out;
}

PageAnswer help_page(const PageRequest&) { return PageAnswer::plain("admin commands are:\n" + help_lines()); }

// Names in the page that stand in double braces are replaced.
PageAnswer home_page(const PageRequest& request) {
  std::string out;
  std::string_view rest = page_html();
  for (std::size_t at; (at = rest.find("{{")) != rest.npos;) {
    std::size_t end = rest.find("}}", at);
    std::string_view name = rest.substr(at + 2, end - at - 2);
    out += rest.substr(0, at);
    if (name == "style") out += page_css();
    if (name == "script") out += page_js();
    if (name == "commands") out += all_commands();
    if (name == "version") append_html(out, version_line(request.view.version()));
    if (name == "state") append_html(out, name_of(request.view.state()));
    rest.remove_prefix(end + 2);
  }
  return {200, content_type::kHtml, out.append(rest)};
}

}  // namespace outrider
