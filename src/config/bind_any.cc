// google.protobuf.Any: the message's own fields stand beside "@type"; a well-known type's value stands in `value`.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/dynamic_message.h>

#include <algorithm>

#include "config/bind.h"
#include "config/extensions.h"
#include "config/scalar.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kFilterConfig = "envoy.config.route.v3.FilterConfig";
constexpr std::string_view kHttpFilter = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter";

std::string not_built_yet(const Extension& extension) {
  return fmt::format("{}, {}, is not built into outrider yet", extension.name, to_text(extension.slot));
}

}  // namespace

// Named alone or behind its category, as `envoy.filters.http/envoy.filters.http.fault`.
bool Binder::is_disabled(const Extension& extension) const {
  return std::ranges::any_of(disabled_extensions,
                             [&](std::string_view name) { return name.substr(name.find('/') + 1) == extension.name; });
}

// Whether its filter may be missing from the build.
bool Binder::is_optional() const {
  const std::string_view name = holder_.descriptor ? holder_.descriptor->full_name() : std::string_view();
  if (name != kFilterConfig && name != kHttpFilter) return false;
  const Node* said = holder_.node->find("is_optional");
  bool optional = false;
  return said && said->is_scalar() && to_bool(said->text, optional) && optional;
}

// What this build has not. A filter that may be missing is left out.
void Binder::leave_out(const Node& node, const Node& type, const Path& path, std::string message, std::string hint) {
  if (is_optional()) return note(type, path.field("@type"), message + ": this filter is optional, and left out");
  refused.add(node);
  refuse(type, path.field("@type"), std::move(message), std::move(hint));
}

std::string Binder::why_not_built(const Node& node, const pb::Descriptor& descriptor) const {
  const Node* inner = descriptor.name() == "TypedStruct" ? node.find("type_url") : nullptr;
  if (inner && inner->is_scalar()) {
    return fmt::format("outrider has no `{}`, which this TypedStruct is to be", type_of_url(inner->text));
  }
  const Extension* extension = extension_of_type(descriptor.full_name());
  if (extension == nullptr) return fmt::format("{} is not built into outrider yet", descriptor.full_name());
  return not_built_yet(*extension);
}

bool Binder::any(const Node& node, Message& out, const Path& path) {
  if (!node.is_mapping()) {
    refuse(node, path, fmt::format("a mapping with \"@type\" was expected, but here is {}", shown(node)));
    return true;
  }
  const Node* type = node.find("@type");
  if (type == nullptr || !type->is_scalar()) {
    // In a FilterConfig an empty one says that the filter works, as it is configured.
    const bool enables = holder_.descriptor && holder_.descriptor->full_name() == kFilterConfig;
    if (enables && node.begin() == node.end()) return true;
    refuse(node, path, "\"@type\" is missing",
           "for example type.googleapis.com/envoy.extensions.filters.http.router.v3.Router");
    return true;
  }
  const std::string_view name = type_of_url(type->text);
  const pb::Descriptor* descriptor = schema_.message(name);
  const Extension* extension = extension_of_type(name);
  if (descriptor == nullptr && allow_unknown_types) {
    note(*type, path.field("@type"), fmt::format("the API has no message `{}`: not looked at", name));
  } else if (descriptor == nullptr && extension) {
    leave_out(node, *type, path, not_built_yet(*extension));
  } else if (descriptor == nullptr) {
    const std::vector<std::string> near = problems_.full() ? std::vector<std::string>() : near_messages(name);
    leave_out(node, *type, path, fmt::format("the API has no message `{}`", name),
              near.empty() ? std::string() : fmt::format("did you mean {}?", fmt::join(near, " or ")));
  } else if (extension && is_disabled(*extension)) {
    leave_out(node, *type, path,
              fmt::format("{}, {}, is turned off by --disable-extensions", extension->name, to_text(extension->slot)));
  } else if (!built_.message(descriptor->full_name())) {
    leave_out(node, *type, path, why_not_built(node, *descriptor));
  } else {
    content(node, *descriptor, out, path);
  }
  return true;
}

void Binder::content(const Node& node, const pb::Descriptor& descriptor, Message& out, const Path& path) {
  pb::Message* content = schema_.factory().GetPrototype(&descriptor)->New(&arena_);
  const Node* value = descriptor.full_name().starts_with("google.protobuf.") ? node.find("value") : &node;
  const int around = std::exchange(depth_, -1);  // It is encoded by itself.
  if (value != nullptr) message(*value, *content, path);
  depth_ = around;
  const pb::Descriptor& itself = *out.GetDescriptor();
  out.GetReflection()->SetString(&out, itself.FindFieldByNumber(1),
                                 fmt::format("type.googleapis.com/{}", descriptor.full_name()));
  out.GetReflection()->SetString(&out, itself.FindFieldByNumber(2), content->SerializePartialAsString());
  done_.push_back({path.text(), &node, content});
}

}  // namespace outrider::config
