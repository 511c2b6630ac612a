#include "filters/lua/scripted_body.h"

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
  if (run_.waits_for_stream()) return Frame::wait();
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

// Gives the frame to the script. Pending: it took all of it.
Task<Frame> ScriptedBody::feed(Frame frame) {
  bool data = frame.is_data(), last = frame.last;
  const Headers* trailers = frame.trailers;
  if (!trailers && run_.wait == Wait::chunk) {
    run_.resume_with_chunk(data ? frame.data : std::string_view(), last);
    co_await answer_calls();
    run_.chunk_live = false;
    rest_ = run_.chunk;
    rest_is_last_ = last;
    frame = last && rest_.empty() ? Frame::end() : Frame::wait();
  } else if (trailers) {
    run_.body_streamed = run_.body_ended = true;
    if (run_.wait == Wait::chunk) run_.resume_with_nothing();
    co_await answer_calls();
    if (!run_.over() && run_.wait == Wait::trailers) run_.resume_with_trailers(*trailers);
    co_await answer_calls();
    if (run_.trailers) frame.trailers = run_.trailers;
  } else if (last) {
    run_.body_streamed = run_.body_ended = true;
    if (run_.wait == Wait::trailers) run_.resume_with_nothing();
    co_await answer_calls();
  } else {
    run_.body_streamed = true;
  }
  if (run_.over()) on_end_(owner_, run_);
  co_return frame;
}

Task<Frame> ScriptedBody::pull(std::size_t max) {
  while (!ended_) {
    if (!rest_.empty()) co_return give_rest(max);
    Frame frame = source_.poll(max);
    if (frame.pending()) frame = co_await source_.pull(max);
    if (!frame.is_reset() && run_.waits_for_stream()) frame = co_await feed(frame);
    if (!frame.pending()) co_return checked(frame);
  }
  co_return Frame::end();
}

}  // namespace outrider::lua
