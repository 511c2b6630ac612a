#include "upstream/endpoint.h"

#include <algorithm>

namespace outrider {

void Endpoint::set_metadata(std::shared_ptr<const Metadata> said) {
  metadata = std::move(said);
  const Value* told = metadata ? metadata->find(kLbMetadata, {"canary"}) : nullptr;
  canary = told && told->boolean() && *told->boolean();
}

bool has_labels(const Metadata* host, const Value::Struct& labels, bool list_as_any) {
  for (const auto& [name, wanted] : labels) {
    const Value* lb = host ? host->find(kLbMetadata) : nullptr;
    const Value* value = lb ? lb->find(name) : nullptr;
    if (!value) return false;
    if (*value == wanted) continue;
    const Value::List* list = list_as_any ? value->list() : nullptr;
    if (!list || std::find(list->begin(), list->end(), wanted) == list->end()) return false;
  }
  return true;
}

}  // namespace outrider
