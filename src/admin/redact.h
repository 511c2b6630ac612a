// Secrets do not leave the process through its admin page.
#pragma once

namespace google::protobuf {
class Message;
}

namespace outrider {

namespace config {
class Schema;
}

// Replaces what Envoy's API marks as sensitive (udpa.annotations.sensitive: private keys, passwords), inside of Any
// fields too: texts become "[redacted]", numbers and truths are cleared. The message is one of the schema's.
void redact(google::protobuf::Message& message, const config::Schema& schema);

}  // namespace outrider
