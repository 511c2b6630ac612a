// JSON as protobuf prints it for people: a line for each value, one space for each level.
#pragma once
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/json_text.h"

namespace outrider {

// Appends to a string that may be another one at each step, so that a large text can be made in pieces. The caller
// closes what it opens; finish() ends the text.
class IndentedJson {
 public:
  explicit IndentedJson(std::string& out) : out_(&out) { *out_ += '{'; }

  void continue_in(std::string& out) { out_ = &out; }

  // Members of an object.
  void text(std::string_view name, std::string_view value) {
    member(name);
    append_json_string(value, *out_);
  }
  void number(std::string_view name, std::uint64_t value) {
    member(name);
    append_number(value);
  }
  void fraction(std::string_view name, double value) {
    member(name);
    char digits[32];
    out_->append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  // 64 bits wide: in quotes, since readers of JSON may keep only 53.
  void wide_number(std::string_view name, std::uint64_t value) {
    member(name);
    *out_ += '"';
    append_number(value);
    *out_ += '"';
  }
  void truth(std::string_view name, bool value) {
    member(name);
    *out_ += value ? "true" : "false";
  }
  void open_object(std::string_view name) {
    member(name);
    open('{');
  }
  void open_list(std::string_view name) {
    member(name);
    open('[');
  }

  // Elements of a list.
  void open_element() {
    element();
    open('{');
  }
  void text_element(std::string_view value) {
    element();
    append_json_string(value, *out_);
  }

  void close_object() { close('}'); }
  void close_list() { close(']'); }
  void finish() {
    close('}');
    *out_ += '\n';
  }

 private:
  void element() {
    *out_ += empty_ ? "\n" : ",\n";
    out_->append(depth_, ' ');
    empty_ = false;
  }
  void member(std::string_view name) {
    element();
    append_json_string(name, *out_);
    *out_ += ": ";
  }
  void open(char bracket) {
    *out_ += bracket;
    depth_++;
    empty_ = true;
  }
  void close(char bracket) {
    depth_--;
    if (!empty_) {
      *out_ += '\n';
      out_->append(depth_, ' ');
    }
    *out_ += bracket;
    empty_ = false;
  }
  void append_number(std::uint64_t value) {
    char digits[20];
    out_->append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }

  std::string* out_;
  std::size_t depth_ = 1;
  bool empty_ = true;
};

}  // namespace outrider
