#include "server/worker_rest_client.h"

namespace outrider {

Task<std::expected<std::string, std::string>> WorkerRestClient::get(const RestSource& source, const std::string& path) {
  struct Question {  // Whoever asked may have gone when the answer comes.
    std::optional<ProxyWorker::Fetched> answer;
    Signal answered;
  };
  auto question = std::make_shared<Question>();
  workers_.front()->fetch(source, path, [&main = main_, question](ProxyWorker::Fetched answer) {
    main.post([question, answer = std::move(answer)]() mutable {
      question->answer = std::move(answer);
      question->answered.notify_all();
    });
  });
  while (!question->answer) co_await question->answered.wait();
  co_return std::move(*question->answer);
}

}  // namespace outrider
