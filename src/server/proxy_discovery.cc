// Proxy: how answers of discovery come into force.
#include <malloc.h>

#include "core/log.h"
#include "server/proxy.h"

namespace outrider {
namespace {

void put(config::Answers& answers, config::Resources resources, const std::string& url, config::Loaded answer) {
  for (const config::Problem& note : answer.notes) log(Logger::config, LogLevel::warning, config::to_text(note));
  auto loaded = std::make_shared<const config::Loaded>(std::move(answer));
  switch (resources) {
    case config::Resources::clusters:
      answers.clusters = {url, std::move(loaded)};
      return;
    case config::Resources::listeners:
      answers.listeners = {url, std::move(loaded)};
      return;
    case config::Resources::routes:
      answers.routes.insert_or_assign(url, std::move(loaded));
  }
}

}  // namespace

Task<std::expected<void, std::string>> Proxy::take(config::Resources resources, const config::ResourceSource& source,
                                                   const std::string& text) {
  co_await until_unchanging();
  Change change(*this);
  if (state_ == ServerState::draining || !file_) co_return std::unexpected(std::string(kDrains));
  auto answer = config::load_answer(resources, source.url(), source.name, text, *file_);
  if (!answer) co_return std::unexpected(to_text(answer.error()));
  config::Answers answers = snapshot_->answers;
  put(answers, resources, source.url(), std::move(*answer));
  auto taken = co_await take_answers(std::move(answers));
  malloc_trim(0);  // A snapshot has gone, and all that it took to make one.
  co_return taken;
}

Task<std::expected<void, std::string>> Proxy::take_answers(config::Answers answers) {
  auto next = compile(*file_, snapshot_, answers);
  if (!next) co_return std::unexpected(to_text(next.error()));
  config::Answers with_routes = answers;
  if (co_await fetch_routes(**next, with_routes)) {
    give_slots_back();
    next = compile(*file_, snapshot_, with_routes);
    if (!next) {
      log(Logger::config, LogLevel::warning, to_text(next.error()));
      next = compile(*file_, snapshot_, answers);  // It was good before.
    }
  }
  co_return co_await bring_into_force({std::move(*next), file_});
}

Task<bool> Proxy::fetch_routes(const Snapshot& next, config::Answers& answers) {
  bool any = false;
  for (const auto& [url, source] : next.rds) {
    if (answers.routes.contains(url) || snapshot_->rds.contains(url)) continue;
    auto text = co_await rest_client_.get(source.rest, source.path);
    if (!text) continue;  // Whoever asks next counts it.
    auto answer = config::load_answer(config::Resources::routes, url, source.name, std::move(*text), *file_);
    if (!answer) continue;
    put(answers, config::Resources::routes, url, std::move(*answer));
    any = true;
  }
  co_return any;
}

}  // namespace outrider
