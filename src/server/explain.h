// `outrider explain FILE|ADMIN METHOD URL [-H FIELD]...`: the way of a request, rule by rule, through a file or through
// the proxy whose admin page is at the address ADMIN ("127.0.0.1:9901").
#pragma once

namespace outrider {

// 0, or 1 with what is wrong on stderr.
int run_explain(int argc, char** argv);

}  // namespace outrider
