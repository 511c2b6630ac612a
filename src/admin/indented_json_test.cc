#include "admin/indented_json.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

TEST(IndentedJson, IsWrittenAsProtobufPrintsIt) {
  std::string out;
  IndentedJson json(out);
  json.text("name", "a\"b");
  json.number("small", 7);
  json.wide_number("wide", 1ull << 60);
  json.truth("truth", true);
  json.open_list("list");
  json.open_element();
  json.number("x", 1);
  json.close_object();
  json.text_element("two");
  json.close_list();
  json.open_object("empty");
  json.close_object();
  json.open_list("none");
  json.close_list();
  json.finish();
  EXPECT_EQ(out, R"({
 "name": "a\"b",
 "small": 7,
 "wide": "1152921504606846976",
 "truth": true,
 "list": [
  {
   "x": 1
  },
  "two"
 ],
 "empty": {},
 "none": []
}
)");
}

TEST(IndentedJson, AnObjectWithoutMembersIsTwoBraces) {
  std::string out;
  IndentedJson json(out);
  json.finish();
  EXPECT_EQ(out, "{}\n");
}

TEST(IndentedJson, MayGoOnInAnotherString) {
  std::string first, second;
  IndentedJson json(first);
  json.number("a", 1);
  json.continue_in(second);
  json.number("b", 2);
  json.finish();
  EXPECT_EQ(first + second, "{\n \"a\": 1,\n \"b\": 2\n}\n");
}

}  // namespace
}  // namespace outrider
