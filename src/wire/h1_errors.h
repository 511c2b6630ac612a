#pragma once

// Everything that the HTTP/1 codec refuses, with Envoy's status and response code detail.

#include "wire/protocol_error.h"

namespace outrider::h1 {

inline constexpr std::string_view kCodecError = "http1.codec_error";

// Lines
inline constexpr ProtocolError kBareCr{400, kCodecError, "CR without LF"};
inline constexpr ProtocolError kBareLf{400, kCodecError, "line ends with LF alone"};
inline constexpr ProtocolError kControlCharacter{400, "http1.invalid_characters", "control character"};
inline constexpr ProtocolError kHeadTooLarge{431, "http1.headers_too_large", "header section over its size limit"};
inline constexpr ProtocolError kTooManyFields{431, "http1.too_many_headers", "more fields than allowed"};
inline constexpr ProtocolError kFoldedField{400, kCodecError, "line starts with white space (obsolete folding)"};
inline constexpr ProtocolError kEmptyFieldName{400, kCodecError, "empty field name"};
inline constexpr ProtocolError kNoColon{400, kCodecError, "field line without colon"};
inline constexpr ProtocolError kBlankBeforeColon{400, kCodecError, "white space before colon"};
inline constexpr ProtocolError kBadFieldName{400, kCodecError, "field name is not a token"};

// Request line
inline constexpr ProtocolError kTooManyEmptyLines{400, kCodecError, "too many empty lines before the start line"};
inline constexpr ProtocolError kBadMethod{400, kCodecError, "method is not a token"};
inline constexpr ProtocolError kUnknownMethod{400, kCodecError, "method is not allowed"};
inline constexpr ProtocolError kNoTarget{400, kCodecError, "request line without target"};
inline constexpr ProtocolError kBadTargetCharacter{400, kCodecError, "character not allowed in a request target"};
inline constexpr ProtocolError kFragment{400, "path_normalization_failed", "fragment in a request target"};
inline constexpr ProtocolError kBadTarget{400, kCodecError, "request target has none of the four forms"};
inline constexpr ProtocolError kBadUrl{400, "http1.invalid_url",
                                       "request target does not fit the method or is malformed"};
inline constexpr ProtocolError kBadScheme{400, "http1.invalid_scheme", "scheme is neither http nor https"};
inline constexpr ProtocolError kBadVersion{400, kCodecError, "malformed HTTP version"};
inline constexpr ProtocolError kLowVersion{426, "low_version", "HTTP version is neither 1.0 nor 1.1"};
inline constexpr ProtocolError kNoHost{400, "missing_host_header", "no Host field"};
inline constexpr ProtocolError kSeveralHosts{400, kCodecError, "several Host fields"};
inline constexpr ProtocolError kBadHost{400, "http.invalid_authority", "malformed Host field"};

// Status line; the status is what a proxy answers to its client.
inline constexpr ProtocolError kBadStatusLine{502, kCodecError, "malformed status line"};
inline constexpr ProtocolError kResponseVersion{502, kCodecError, "response version is neither HTTP/1.0 nor 1.1"};

// Framing
inline constexpr ProtocolError kBadLength{400, kCodecError, "malformed Content-Length"};
inline constexpr ProtocolError kSeveralLengths{400, kCodecError, "several Content-Length fields"};
inline constexpr ProtocolError kLengthAndCoding{400, "http1.content_length_and_chunked_not_allowed",
                                                "both Content-Length and Transfer-Encoding"};
inline constexpr ProtocolError kUnknownCoding{501, "http1.invalid_transfer_encoding",
                                              "transfer coding other than chunked"};
inline constexpr ProtocolError kCodingInHttp10{400, kCodecError, "Transfer-Encoding in an HTTP/1.0 message"};
inline constexpr ProtocolError kBodyOfConnect{400, "http1.body_disallowed", "CONNECT with a body"};
inline constexpr ProtocolError kLengthNotAllowed{502, "http1.content_length_not_allowed",
                                                 "Content-Length in a 1xx or 204 response"};
inline constexpr ProtocolError kCodingNotAllowed{502, "http1.transfer_encoding_not_allowed",
                                                 "Transfer-Encoding in a 1xx or 204 response"};

// Chunks
inline constexpr ProtocolError kBadChunkSize{400, kCodecError, "malformed chunk size"};
inline constexpr ProtocolError kChunkTooLarge{400, kCodecError, "chunk size out of range"};
inline constexpr ProtocolError kChunkLineTooLong{400, kCodecError, "chunk-size line over its size limit"};
inline constexpr ProtocolError kBadChunkExtension{400, kCodecError, "control character in a chunk extension"};
inline constexpr ProtocolError kBadChunkEnd{400, kCodecError, "chunk data not followed by CRLF"};
inline constexpr ProtocolError kBadTrailer{400, kCodecError, "field not allowed among trailers"};

// Connection options
inline constexpr ProtocolError kBadConnectionOption{400, "http1.connection_header_rejected",
                                                    "Connection names what it may not"};

}  // namespace outrider::h1
