// A stream's life (RFC 9113 section 5.1), and the table of those that live.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "wire/h2_flow.h"
#include "wire/message.h"

namespace outrider::h2 {

// Of the states of the RFC's figure 2, those that a stream can be in which exists here:
//
//        HEADERS
//   idle --------> open --- we end ---> half_closed_local --- peer ends --.
//                   |                                                     v
//                   '------ peer ends --> half_closed_remote -- we end --> closed
//
// and RST_STREAM, whoever sends it, leads from each of them to closed. Reserved states do not occur: nobody pushes.
enum class StreamState : std::uint8_t { idle, open, half_closed_local, half_closed_remote, closed };

// Owned by whoever serves or asks; the Connection refers to it until it is closed.
struct Stream {
  explicit Stream(Arena& memory) : arena(memory) {}
  Stream(const Stream&) = delete;

  bool local_ended() const { return state == StreamState::half_closed_local || state == StreamState::closed; }
  bool remote_ended() const { return state == StreamState::half_closed_remote || state == StreamState::closed; }
  bool closed() const { return state == StreamState::closed; }

  Arena& arena;                      // For what is received; outlives the stream.
  RequestHead* request = nullptr;    // Server: where the head goes. Client: what was sent.
  ResponseHead* response = nullptr;  // Client: where the next head goes.
  Headers* trailers = nullptr;       // Once they have come.
  StreamId id = 0;
  Stream* next_at_place = nullptr;  // The StreamTable's.
  StreamState state = StreamState::idle;
  bool head_received = false;  // The final one, of a response.
  bool cut_short = false;      // What comes is ignored: it was reset by us.
  SendWindow send_window{0};
  ReceiveWindow receive_window{0};
  std::optional<std::uint64_t> announced;  // Content-Length.
  std::uint64_t received = 0;              // Bytes of the body.
  std::uint64_t head_wire_bytes = 0;       // Of the frames that brought its head.
  std::uint64_t wire_received = 0;         // Of those behind it.
};

// The streams of one connection by their number. As ids are handed out in order, a list at each place is short.
class StreamTable {
 public:
  std::uint32_t size() const { return size_; }
  Stream* find(StreamId id) const {
    Stream* at = size_ > 0 ? places_[place_of(id)] : nullptr;
    while (at && at->id != id) at = at->next_at_place;
    return at;
  }
  void add(Stream& stream) {
    if (size_ == capacity()) grow();
    put(stream);
    size_++;
  }
  void remove(Stream& stream) {
    Stream** at = &places_[place_of(stream.id)];
    while (*at != &stream) at = &(*at)->next_at_place;
    *at = stream.next_at_place;
    size_--;
  }
  // Of all that are there when it begins; what is visited may remove itself.
  template <class Visit>
  void each(Visit visit) const {
    auto all = std::make_unique<Stream*[]>(size_);
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < capacity(); i++) {
      for (Stream* at = places_[i]; at; at = at->next_at_place) all[count++] = at;
    }
    for (std::uint32_t i = 0; i < count; i++) visit(*all[i]);
  }

 private:
  static constexpr std::uint32_t kFirstCapacity = 16;
  std::uint32_t capacity() const { return places_ ? mask_ + 1 : 0; }
  std::uint32_t place_of(StreamId id) const { return (id >> 1) & mask_; }
  void put(Stream& stream) {
    Stream*& place = places_[place_of(stream.id)];
    stream.next_at_place = std::exchange(place, &stream);
  }
  void grow() {
    std::uint32_t before = capacity();
    std::unique_ptr<Stream*[]> old = std::move(places_);
    std::uint32_t after = before ? before * 2 : kFirstCapacity;
    places_ = std::make_unique<Stream*[]>(after);
    mask_ = after - 1;
    for (std::uint32_t i = 0; i < before; i++) {
      for (Stream* at = old[i]; at;) put(*std::exchange(at, at->next_at_place));
    }
  }

  std::unique_ptr<Stream*[]> places_;
  std::uint32_t mask_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace outrider::h2
