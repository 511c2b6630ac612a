#include <gmock/gmock.h>

#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "filters/filter_for_test.h"

namespace outrider {
namespace filters {
extern const proto::HttpFilterType header_mutation;
}
namespace {

using testing::HasSubstr;
using testing::StartsWith;
namespace v3 = envoy::extensions::filters::http::header_mutation::v3;

template <class List>
void append(List* list, const char* name, const std::string& value) {
  auto* header = list->Add()->mutable_append()->mutable_header();
  header->set_key(name);
  header->set_value(value);
}

v3::HeaderMutationPerRoute word(const std::string& name) {
  v3::HeaderMutationPerRoute said;
  append(said.mutable_mutations()->mutable_request_trailers_mutations(), "t", name);
  append(said.mutable_mutations()->mutable_response_mutations(), "who", name);
  append(said.mutable_mutations()->mutable_response_trailers_mutations(), "t", name + " %RESP(who)% %TRAILER(own)%");
  return said;
}

// Sends the request's body back, with its trailers.
Task<Response> echo(TestService&, Exchange& x) {
  Response response = x.reply(200, "", "direct_response");
  response.body = x.request_body;
  co_return response;
}

std::string echoed(bool specific_last, const char* sent) {
  static std::string request;
  request = sent;
  FilterService service;
  v3::HeaderMutation config;
  *config.mutable_mutations() = word("filter").mutations();
  config.set_most_specific_header_mutations_wins(specific_last);
  service.add(filters::header_mutation, config);
  for (const char* scope : {"all", "host", "route"}) service.say(0, filters::header_mutation, word(scope));
  service.handler = echo;
  service.run([](TestService& s) -> Task<> {
    TestClient client(s.connect());
    s.seen = co_await client.ask(request, "<end>");
  });
  return service.seen;
}

constexpr const char* kRequest =
    "POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nown: "
    "me\r\n\r\n";

TEST(HeaderMutation, ChangesTrailersOfAllScopesInTheirOrder) {
  std::string widest_last = echoed(false, kRequest);
  EXPECT_THAT(widest_last, HasSubstr("who: filter\r\nwho: route\r\nwho: host\r\nwho: all\r\n"));
  EXPECT_THAT(widest_last, HasSubstr("own: me\r\nt: filter\r\nt: route\r\nt: host\r\nt: all\r\nt: filter filter me\r\n"
                                     "t: route filter me\r\nt: host filter me\r\nt: all filter me\r\n\r\n"));
  std::string specific_last = echoed(true, kRequest);
  EXPECT_THAT(specific_last, HasSubstr("who: filter\r\nwho: all\r\nwho: host\r\nwho: route\r\n"));
  EXPECT_THAT(specific_last, HasSubstr("own: me\r\nt: filter\r\nt: all\r\nt: host\r\nt: route\r\n"));
}

TEST(HeaderMutation, MakesNoTrailersWhereThereAreNone) {
  EXPECT_THAT(
      echoed(
          false,
          "POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
      testing::EndsWith("3\r\nabc\r\n0\r\n\r\n<end>"));
}

TEST(HeaderMutation, RefusesParametersThatAreNone) {
  v3::HeaderMutation config;
  auto* list = config.mutable_mutations()->mutable_query_parameter_mutations();
  list->Add();
  list->Add()->mutable_append();
  auto* number = list->Add()->mutable_append()->mutable_record();
  number->set_key("n");
  number->mutable_value()->set_number_value(5);
  auto* format = list->Add()->mutable_append()->mutable_record();
  format->set_key("n");
  format->mutable_value()->set_string_value("a%BAD%");
  FilterService service;
  service.add(filters::header_mutation, config);
  const std::string path = "filter.mutations.query_parameter_mutations";
  EXPECT_THAT(std::exchange(service.mistakes, {}),
              testing::ElementsAre(StartsWith(path + "[0]: "), StartsWith(path + "[1].append: "),
                                   StartsWith(path + "[2].append.record.value: the value"),
                                   StartsWith(path + "[3].append.record.value: in the format, at byte 1: ")));
}

}  // namespace
}  // namespace outrider
