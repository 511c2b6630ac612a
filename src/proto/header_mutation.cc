#include "proto/header_mutation.h"

#include "core/ascii.h"
#include "envoy/config/common/mutation_rules/v3/mutation_rules.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "proto/matcher.h"

namespace outrider::proto {
namespace {

using Option = envoy::config::core::v3::HeaderValueOption;
using Action = HeaderMutation::Action;

Action action_of(const Option& option) {
  if (option.has_append()) return option.append().value() ? Action::append : Action::overwrite;
  switch (option.append_action()) {
    case Option::ADD_IF_ABSENT:
      return Action::add_if_absent;
    case Option::OVERWRITE_IF_EXISTS_OR_ADD:
      return Action::overwrite;
    case Option::OVERWRITE_IF_EXISTS:
      return Action::overwrite_if_there;
    default:
      return Action::append;
  }
}

bool is_pseudo(std::string_view name) { return name.starts_with(':') || name == "host"; }

void refuse_pseudo(Report& report, std::string_view name, const std::string& path) {
  if (is_pseudo(name)) report.fail(path, "':' pseudo-headers and 'host' cannot be changed here");
}

}  // namespace

HeaderMutation to_mutation(Report& report, const Option& option, const std::string& path, bool pseudo_allowed) {
  HeaderMutation m;
  m.action = action_of(option);
  m.name = ascii_lower(option.header().key());
  m.known = known_of(m.name);
  m.keep_empty = option.keep_empty_value();
  if (!pseudo_allowed) refuse_pseudo(report, m.name, path + ".header.key");
  m.constant = option.header().raw_value().empty() ? option.header().value() : option.header().raw_value();
  if (m.constant.find('%') == std::string::npos) return m;
  auto format = Format::compile(m.constant, {.omit_empty = true});
  if (format) {
    m.format = std::move(*format);
  } else {
    report.fail(path + ".header.value",
                "in the format, at byte " + std::to_string(format.error().position) + ": " + format.error().message);
  }
  return m;
}

HeaderMutations to_mutations(
    Report& report,
    const google::protobuf::RepeatedPtrField<envoy::config::common::mutation_rules::v3::HeaderMutation>& list,
    const std::string& path) {
  HeaderMutations result;
  for (int i = 0; i < list.size(); i++) {
    std::string at = path + "[" + std::to_string(i) + "]";
    if (list[i].has_append()) {
      result.push_back(to_mutation(report, list[i].append(), at + ".append"));
      continue;
    }
    HeaderMutation m;
    m.action = list[i].has_remove_on_match() ? Action::remove_matching : Action::remove;
    m.name = ascii_lower(list[i].remove());
    if (m.name == ":path" || m.name == ":method" || m.name == ":status")
      report.fail(at + ".remove",
                  "without '" + m.name + "' nothing can be sent: Envoy answers 503 or 502 to all requests");
    if (list[i].has_remove_on_match()) {
      m.names = compile_matcher(report, list[i].remove_on_match().key_matcher(), at + ".remove_on_match.key_matcher");
    }
    result.push_back(std::move(m));
  }
  return result;
}

void add_mutations(Report& report, const google::protobuf::RepeatedPtrField<Option>& to_add,
                   const std::string& add_path, const google::protobuf::RepeatedPtrField<std::string>& to_remove,
                   const std::string& remove_path, HeaderMutations& into) {
  for (int i = 0; i < to_remove.size(); i++) {
    HeaderMutation m;
    m.action = Action::remove;
    m.name = ascii_lower(to_remove[i]);
    refuse_pseudo(report, m.name, remove_path + "[" + std::to_string(i) + "]");
    into.push_back(std::move(m));
  }
  for (int i = 0; i < to_add.size(); i++) {
    into.push_back(to_mutation(report, to_add[i], add_path + "[" + std::to_string(i) + "]"));
  }
}

}  // namespace outrider::proto
