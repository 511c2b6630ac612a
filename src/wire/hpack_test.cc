#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/hpack_decoder.h"
#include "wire/hpack_encoder.h"
#include "wire/hpack_huffman.h"

namespace outrider::hpack {
namespace {

using Lines = std::vector<std::string>;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size();) {
    if (hex[i] == ' ') {
      i++;
      continue;
    }
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    i += 2;
  }
  return bytes;
}

// Fields as lines; those that nobody may index have a '!' in front.
class LineSink final : public FieldSink {
 public:
  explicit LineSink(std::size_t max = 1000) : max_(max) {}
  bool put(const Name& name, std::string_view value, bool never_indexed) override {
    EXPECT_EQ(look_up(name.text).known, name.known);
    EXPECT_EQ(look_up(name.text).pseudo, name.pseudo);
    lines.push_back((never_indexed ? "!" : "") + std::string(name.text) + ": " + std::string(value));
    return lines.size() < max_;
  }
  Lines lines;

 private:
  std::size_t max_;
};

class DecoderTest : public testing::Test {
 protected:
  // The fields of the block, or "malformed".
  Lines decode(std::string_view block) {
    LineSink sink;
    return decoder_.decode(block, arena_, sink) ? sink.lines : Lines{"malformed"};
  }
  Arena arena_;
  Decoder decoder_{4096};
};

// RFC 7541 appendix C.3 and C.4: the same three requests, plain and coded.
const std::vector<Lines> kRequests{
    {":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"},
    {":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com", "cache-control: no-cache"},
    {":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
     "custom-key: custom-value"}};

TEST_F(DecoderTest, ReadsTheRequestsOfTheRfc) {
  EXPECT_EQ(decode(from_hex("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d")), kRequests[0]);
  EXPECT_EQ(decode(from_hex("8286 84be 5808 6e6f 2d63 6163 6865")), kRequests[1]);
  EXPECT_EQ(decode(from_hex("8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65")), kRequests[2]);
}

TEST_F(DecoderTest, ReadsTheCodedRequestsOfTheRfc) {
  EXPECT_EQ(decode(from_hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff")), kRequests[0]);
  EXPECT_EQ(decode(from_hex("8286 84be 5886 a8eb 1064 9cbf")), kRequests[1]);
  EXPECT_EQ(decode(from_hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf")), kRequests[2]);
}

// Appendix C.6: a table of 256 bytes that has to forget.
TEST_F(DecoderTest, ForgetsWhatNoLongerFits) {
  decode(from_hex("3f e1 01"));  // 256 bytes.
  Lines first = decode(
      from_hex("4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad "
               "1718 63c7 8f0b 97c8 e9ae 82ae 43d3"));
  EXPECT_EQ(first, (Lines{":status: 302", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT",
                          "location: https://www.example.com"}));
  EXPECT_EQ(decode(from_hex("4883 640e ffc1 c0bf")),
            (Lines{":status: 307", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:21 GMT",
                   "location: https://www.example.com"}));
  EXPECT_EQ(decode(from_hex("88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 "
                            "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed "
                            "4ee5 b106 3d50 07")),
            (Lines{":status: 200", "cache-control: private", "date: Mon, 21 Oct 2013 20:13:22 GMT",
                   "location: https://www.example.com", "content-encoding: gzip",
                   "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"}));
}

TEST_F(DecoderTest, TellsWhatNobodyMayKeep) {
  EXPECT_EQ(decode(from_hex("1008 7061 7373 776f 7264 0673 6563 7265 74")), (Lines{"!password: secret"}));
  EXPECT_EQ(decode(from_hex("0008 7061 7373 776f 7264 0673 6563 7265 74")), (Lines{"password: secret"}));
}

TEST_F(DecoderTest, RefusesWhatIsMalformed) {
  const std::vector<std::pair<std::string, std::string>> kMalformed{
      {"index 0", "80"},
      {"an index beyond the tables", "be"},
      {"a name beyond the tables", "7f 00 01 61"},
      {"an integer without end", "ff ff"},
      {"an integer that is absurd", "ff ff ff ff ff 7f"},
      {"zeros that make an integer long", "ff 80 80 80 80 80 00"},
      {"a string that is cut short", "40 05 61 62"},
      {"no value", "40 01 61"},
      {"a literal without name", "40"},
      {"a size update behind a field", "82 20"},
      {"a size update above the limit", "3f e2 1f"},
      {"EOS in a string", "40 84 ff ff ff ff 00"},
      {"padding of more than seven bits", "40 82 1f ff 00"},
      {"padding that is no part of EOS", "40 81 00 00"},
  };
  for (const auto& [what, hex] : kMalformed) {
    Decoder fresh(4096);
    LineSink sink;
    EXPECT_FALSE(fresh.decode(from_hex(hex), arena_, sink)) << what;
  }
}

TEST_F(DecoderTest, InsistsOnASizeUpdateWhereTheTableMustShrink) {
  decoder_.set_limit(100);
  EXPECT_EQ(decode(from_hex("82")), (Lines{"malformed"}));
  EXPECT_EQ(decode(from_hex("3f e1 01 82")), (Lines{"malformed"}));
  EXPECT_EQ(decode(from_hex("3f 45 82")), (Lines{":method: GET"}));
  EXPECT_EQ(decode(from_hex("82")), (Lines{":method: GET"}));
}

TEST_F(DecoderTest, KeepsItsTableTrueWhereFieldsAreNoLongerWanted) {
  Encoder encoder;
  std::string block(4096, '\0');
  auto encode = [&](std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    char* end = encoder.begin(block.data());
    for (auto& [name, value] : fields) end = encoder.field(look_up(name), value, Indexing::yes, end);
    return std::string(block.data(), end);
  };
  LineSink two(2);
  EXPECT_TRUE(decoder_.decode(encode({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"a", "1"}, {"server", "d"}}), arena_, two));
  EXPECT_EQ(two.lines, (Lines{"a: 1", "b: 2"}));
  EXPECT_EQ(decode(encode({{"c", "3"}, {"server", "d"}})), (Lines{"c: 3", "server: d"}));
}

// One byte may stand for 4 KiB: what nobody wants must cost no memory.
TEST_F(DecoderTest, ABombOfIndicesCostsNoMoreThanWhatIsWanted) {
  std::string bomb = from_hex("40 01 61 7f d1 1e");  // a: 4,000 bytes.
  bomb.resize(bomb.size() + 4000, 'x');
  bomb.append(60'000, static_cast<char>(0xbe));
  LineSink ten(10);
  EXPECT_TRUE(decoder_.decode(bomb, arena_, ten));
  EXPECT_EQ(ten.lines.size(), 10u);
}

class EncoderTest : public testing::Test {
 protected:
  std::string encode(const std::vector<std::pair<std::string, std::string>>& fields, Indexing indexing) {
    std::size_t room = Encoder::kBeginBytesMax;
    for (auto& [name, value] : fields) room += Encoder::field_bytes_max(name.size(), value.size());
    std::string block(room, '\0');
    char* end = encoder_.begin(block.data());
    for (auto& [name, value] : fields) end = encoder_.field(look_up(name), value, indexing, end);
    block.resize(static_cast<std::size_t>(end - block.data()));
    return block;
  }
  Lines decode(std::string_view block) {
    LineSink sink;
    return decoder_.decode(block, arena_, sink) ? sink.lines : Lines{"malformed"};
  }
  Arena arena_;
  Encoder encoder_;
  Decoder decoder_{4096};
};

TEST_F(EncoderTest, WritesWhatComesAgainAsOneByte) {
  std::vector<std::pair<std::string, std::string>> fields{{":method", "GET"},  {":path", "/"}, {":scheme", "http"},
                                                          {":authority", "a"}, {"x-own", "1"}, {"server", "s"}};
  EXPECT_GT(encode(fields, Indexing::yes).size(), fields.size());
  std::string again = encode(fields, Indexing::yes);
  EXPECT_EQ(again.size(), fields.size());
}

TEST_F(EncoderTest, IsReadBackWhateverItRemembers) {
  std::uint64_t seed = 1;
  auto random = [&](std::uint64_t below) {
    return (seed = seed * 6364136223846793005u + 1442695040888963407u) % below;
  };
  const std::string names[] = {":path", "cookie", "x-a", "x-b", "x-request-id", "date", "accept-charset"};
  for (int block = 0; block < 2000; block++) {
    if (random(50) == 0) encoder_.set_limit(static_cast<std::uint32_t>(random(5000)));
    std::vector<std::pair<std::string, std::string>> fields;
    Lines lines;
    auto indexing = static_cast<Indexing>(random(3));
    for (std::uint64_t i = random(12); i > 0; i--) {
      fields.emplace_back(names[random(7)],
                          std::string(random(4) == 0 ? random(900) : random(20), 'a' + static_cast<char>(random(4))));
      lines.push_back((indexing == Indexing::never ? "!" : "") + fields.back().first + ": " + fields.back().second);
    }
    if (random(2) == 0) encoder_.set_limit(4096);
    ASSERT_EQ(decode(encode(fields, indexing)), lines) << block;
  }
}

TEST_F(EncoderTest, ObeysAPeerThatWantsNoTable) {
  encoder_.set_limit(0);
  std::string first = encode({{"x-own", "1"}}, Indexing::yes);
  EXPECT_EQ(first.substr(0, 1), from_hex("20"));
  EXPECT_EQ(decode(first), (Lines{"x-own: 1"}));
  EXPECT_EQ(decode(encode({{"x-own", "1"}}, Indexing::yes)), (Lines{"x-own: 1"}));
}

TEST_F(EncoderTest, TellsTheSmallestLimitOfTheMeantime) {
  encode({{"x-own", "1"}}, Indexing::yes);
  encoder_.set_limit(0);
  encoder_.set_limit(4096);
  EXPECT_EQ(encode({}, Indexing::yes), from_hex("20 3f e1 1f"));
}

TEST_F(EncoderTest, WritesNoIndexOfWhatNobodyMayKeep) {
  EXPECT_EQ(encode({{":method", "GET"}}, Indexing::never), from_hex("12 03") + "GET");
  EXPECT_EQ(decode(encode({{"authorization", "Basic x"}}, Indexing::never)), (Lines{"!authorization: Basic x"}));
}

TEST(Huffman, StaysWithinTheRoomThatItAsksFor) {
  std::string all_shortest(100, '\0');  // "0" has five bits, all of them zero.
  std::string out(huffman_decoded_max(all_shortest.size()), '\0');
  HuffmanDecoded decoded = huffman_decode(all_shortest, out.data());
  EXPECT_TRUE(decoded.valid);
  EXPECT_EQ(decoded.bytes, 160u);
}

}  // namespace
}  // namespace outrider::hpack
