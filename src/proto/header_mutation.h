// From the API's header changes to those that requests meet. Mistakes are reported under `path`.
#pragma once
#include "http/header_mutation.h"
#include "proto/report.h"

namespace google::protobuf {
template <class T>
class RepeatedPtrField;
}
namespace envoy::config {
namespace common::mutation_rules::v3 {
class HeaderMutation;
}
namespace core::v3 {
class HeaderValueOption;
}
}  // namespace envoy::config

namespace outrider::proto {

// `pseudo_allowed`: ":path" and "host" may be set: of a call of the proxy's own. Elsewhere they are refused.
HeaderMutation to_mutation(Report& report, const envoy::config::core::v3::HeaderValueOption& option,
                           const std::string& path, bool pseudo_allowed = false);
HeaderMutations to_mutations(
    Report& report,
    const google::protobuf::RepeatedPtrField<envoy::config::common::mutation_rules::v3::HeaderMutation>& list,
    const std::string& path);
// request_headers_to_add and request_headers_to_remove of a route, and their like: removals come first.
void add_mutations(Report& report,
                   const google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>& to_add,
                   const std::string& add_path, const google::protobuf::RepeatedPtrField<std::string>& to_remove,
                   const std::string& remove_path, HeaderMutations& into);

}  // namespace outrider::proto
