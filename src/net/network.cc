#include "net/network.h"

#include <cerrno>

namespace outrider {

bool Acceptor::Accept::advance() {
  result_ = acceptor_.system_accept();
  return result_.transport || result_.error != EAGAIN;
}

void Acceptor::notify_acceptable() {
  Accept* a = waiter_;
  if (!a || !a->advance()) return;
  waiter_ = nullptr;
  a->finish();
}

}  // namespace outrider
