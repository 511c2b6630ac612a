// From the API's SubstitutionFormatString to a format.
#pragma once
#include <optional>
#include <string>

#include "config/compile_parts.h"
#include "http/json_format.h"

namespace envoy::config::core::v3 {
class SubstitutionFormatString;
}
namespace google::protobuf {
class Struct;
}

namespace outrider::config {

// Mistakes are reported under `path`, with the place of the operator; then there is none.
std::optional<AnyFormat> compile_format(Compilation& c, const envoy::config::core::v3::SubstitutionFormatString& format,
                                        const std::string& path, FormatOptions options = {});
std::optional<AnyFormat> compile_text_format(Compilation& c, const std::string& text, const std::string& path,
                                             FormatOptions options = {});
std::optional<AnyFormat> compile_json_format(Compilation& c, const google::protobuf::Struct& fields,
                                             const std::string& path, FormatOptions options = {});

// Moves the problem, which stands at a text of the configuration, to a place within that text, as far as the file
// shows the text as it is.
void place_within(Problem& problem, std::string_view text, std::size_t position);

}  // namespace outrider::config
