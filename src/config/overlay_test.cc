#include "config/overlay.h"

#include <gtest/gtest.h>

#include "config/convert.h"

namespace outrider::config {
namespace {

constexpr std::string_view kBase = R"(admin:
  profile_path: /p
  address:
    socket_address:
      address: a
      port_value: 1
node:
  id: a
  metadata:
    m:
      x: 1
    l:
    - 1
stats_flush_interval: "1.5s"
enable_dispatcher_stats: true
static_resources:
  clusters:
  - name: one
)";

std::string merged(std::string_view over, std::string* notes = nullptr) {
  const auto out =
      convert_text(Schema(), "f.yaml", std::string(kBase), {.overlay_yaml = std::string(over)}, Form::yaml);
  if (!out) return to_text(out.error()[0]);
  for (const Problem& each : out->notes) {
    if (notes != nullptr) *notes += to_text(each) + "\n";
  }
  return out->text;
}

std::string with(std::string text, std::string_view old, std::string_view now) {
  return text.replace(text.find(old), old.size(), now);
}

const std::string base{kBase};

// Measured with Envoy 1.40.
TEST(Overlay, TextsReplaceTexts) {
  EXPECT_EQ(merged("admin: {profile_path: /q}"),
            with(with(base, "  profile_path: /p\n", ""), "port_value: 1\n", "port_value: 1\n  profile_path: /q\n"));
}

TEST(Overlay, ListsAreAppended) {
  EXPECT_EQ(merged("static_resources: {clusters: [{name: two}]}"),
            with(base, "  - name: one\n", "  - name: one\n  - name: two\n"));
}

TEST(Overlay, EntriesOfMapsAreReplaced) {
  EXPECT_EQ(merged("node: {metadata: {m: {z: 2}}}"),
            with(with(base, "    m:\n      x: 1\n", ""), "    - 1\n", "    - 1\n    m:\n      z: 2\n"));
}

TEST(Overlay, TheLastMemberOfAOneofWins) {
  EXPECT_EQ(merged("admin: {address: {pipe: {path: /s}}}"),
            with(base, "    socket_address:\n      address: a\n      port_value: 1\n", "    pipe:\n      path: /s\n"));
}

TEST(Overlay, AnEmptyValueChangesNothingAndIsNoted) {
  for (const std::string_view over : {"node: {id: ''}", "stats_flush_interval: 0s", "enable_dispatcher_stats: false"}) {
    std::string notes;
    EXPECT_EQ(merged(over, &notes), base) << over;
    EXPECT_NE(notes.find("changes nothing"), notes.npos) << over;
  }
}

TEST(Overlay, TheFractionOfADurationStaysIfTheNewOneHasNone) {
  EXPECT_EQ(merged("stats_flush_interval: 2s"),
            with(base, "stats_flush_interval: \"1.5s\"\n", "") + "stats_flush_interval: \"2.5s\"\n");
}

TEST(Overlay, MistakesNameTheCommandLine) {
  EXPECT_EQ(merged("\nnode: {idd: x}"),
            "--config-yaml:2:8: node: envoy.config.core.v3.Node has no field `idd` (did you mean `id`?)");
}

}  // namespace
}  // namespace outrider::config
