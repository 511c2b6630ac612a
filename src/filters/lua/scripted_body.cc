#include "filters/lua/scripted_body.h"

#include <utility>

namespace outrider::lua {

Task<> answer_call(Run& run) {
  Outgoing& call = *run.call;
  auto answer = co_await run.x.connection.caller->call(
      run.x.arena,
      {.cluster = call.cluster, .request = &call.head, .body = call.body, .timeout = call.timeout, .cause = &run.x});
  run.looped = run.looped || (!answer && answer.error() == CallFailure::loop);
  run.resume_with_answer(answer);
}

// A length that was told and is not kept would make the rest of the connection mean something else.
Frame ScriptedBody::checked(Frame frame) {
  if (frame.is_data()) given_ += frame.data.size();
  if (!frame.is_reset() && told_ && (given_ > *told_ || (frame.last && given_ != *told_))) {
    frame = Frame::reset(Failure::protocol_error);
  }
  ended_ = frame.last;
  return frame;
}

Frame ScriptedBody::poll(std::size_t max) {
  if (ended_) return Frame::end();
  if (!rest_.empty()) return give_rest(max);
  if (!fed_.pending() || run_.waits_for_stream()) return Frame::wait();
  Frame frame = source_.poll(max);
  return frame.pending() ? frame : checked(frame);
}

Frame ScriptedBody::give_rest(std::size_t max) {
  std::string_view piece = rest_.substr(0, max);
  rest_.remove_prefix(piece.size());
  return checked(Frame::bytes(piece, rest_.empty() && rest_is_last_));
}

Task<> ScriptedBody::answer_calls() {
  while (!run_.over() && run_.wait == Wait::call) co_await answer_call(run_);
}

// Gives the frame to the script.
void ScriptedBody::feed(Frame frame) {
  fed_ = frame;
  fed_as_chunk_ = !frame.trailers && run_.wait == Wait::chunk;
  if (fed_as_chunk_) return run_.resume_with_chunk(frame.is_data() ? frame.data : std::string_view(), frame.last);
  run_.body_streamed = true;
  if (!frame.last) return;
  run_.body_ended = true;
  if (run_.wait == (frame.trailers ? Wait::chunk : Wait::trailers)) run_.resume_with_nothing();
}

// What the script leaves of the frame, once the calls that it makes are answered. Pending: it took all of it. Stopped
// before that, it goes on where it was.
Task<Frame> ScriptedBody::take_back() {
  co_await answer_calls();
  if (fed_.trailers && !run_.over() && run_.wait == Wait::trailers) {
    run_.resume_with_trailers(*fed_.trailers);
    co_await answer_calls();
  }
  Frame frame = std::exchange(fed_, Frame::wait());
  if (fed_as_chunk_) {
    run_.chunk_live = false;
    rest_ = run_.chunk;
    rest_is_last_ = frame.last;
    frame = frame.last && rest_.empty() ? Frame::end() : Frame::wait();
  }
  if (frame.trailers && run_.trailers) frame.trailers = run_.trailers;
  if (run_.over()) on_end_(owner_, run_);
  co_return frame;
}

Task<Frame> ScriptedBody::pull(std::size_t max) {
  while (!ended_) {
    if (!rest_.empty()) co_return give_rest(max);
    if (fed_.pending()) {
      Frame frame = source_.poll(max);
      if (frame.pending()) frame = co_await source_.pull(max);
      if (frame.is_reset() || !run_.waits_for_stream()) co_return checked(frame);
      feed(frame);
    }
    Frame left = co_await take_back();
    if (!left.pending()) co_return checked(left);
  }
  co_return Frame::end();
}

}  // namespace outrider::lua
