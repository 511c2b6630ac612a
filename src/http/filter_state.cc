#include "http/filter_state.h"

#include "http/grpc_status.h"

namespace outrider {
namespace {

// Notes are told apart by whose they are: these are nobody's in particular.
class Owner final : public Filter {
  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next next) const override { return next(x); }
};
const Owner kStates, kPlainReplies;

struct StateNote : FilterNote {
  std::string_view name;
  const FilterState* state = nullptr;
};

}  // namespace

void tell(Exchange& x, std::string_view name, const FilterState& state) {
  StateNote note;
  note.name = name;
  note.state = &state;
  x.leave_note(kStates, note);
}

const FilterState* find_state(const Exchange& x, std::string_view name) {
  for (const FilterNote* each = x.notes; each; each = each->next) {
    if (each->of != &kStates) continue;
    const auto& note = static_cast<const StateNote&>(*each);
    if (note.name == name) return note.state;
  }
  return nullptr;
}

void reply_plainly(Exchange& x) { x.leave_note(kPlainReplies, FilterNote{}); }

bool replies_in_grpc(const Exchange& x) { return is_grpc_request(x.request) && !x.note<FilterNote>(kPlainReplies); }

}  // namespace outrider
