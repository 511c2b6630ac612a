// Pages for people: the parts that several of them share.
#pragma once
#include <string>
#include <string_view>

#include "admin/page.h"

namespace outrider {

// The files of src/admin/page.
std::string_view page_html();
std::string_view page_css();
std::string_view page_js();

// For text and for attributes in quotes.
void append_html(std::string& out, std::string_view text);
std::string html(std::string_view text);

// Rows of a table: the path as a link, a form or a button, and below it a field for each parameter. `chosen`: the
// values that the fields have at first.
std::string command_rows(const Page& page, std::span<const QueryParameter> chosen = {});

}  // namespace outrider
