#pragma once

namespace outrider::h1 {

// Field names of an encoded head or trailer section, its first line left out, as Envoy's proper_case_words has them: a
// letter is put in upper case where the name begins and behind whatever is neither letter nor digit.
void capitalize_names(char* begin, char* end);

}  // namespace outrider::h1
