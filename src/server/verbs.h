// The verbs that read configurations and serve nothing.
#pragma once

namespace outrider {

// `outrider validate [OPTION...] FILE...`: every error and note of every file. 0: all could be run, 1: not.
int run_validate(int argc, char** argv);

// `outrider convert [OPTION...] FILE`: the file as v3, on stdout; notes on stderr. 0, or 1 with every error.
int run_convert(int argc, char** argv);

// `outrider lint [OPTION...] FILE...`: what is right and can hardly be meant. 0: nothing was found, 2: something was,
// 1: a file is not right, with every error of it.
int run_lint(int argc, char** argv);

}  // namespace outrider
