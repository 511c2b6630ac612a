#include "http/format_time.h"

#include <charconv>
#include <chrono>
#include <ctime>

namespace outrider {
namespace {

constexpr std::size_t kPieceBytesMax = 1024;  // Of what strftime makes of one piece.

struct Split {
  std::time_t seconds;
  std::uint32_t nanoseconds;
};

Split split(WallTime time) {
  auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return {static_cast<std::time_t>(whole.time_since_epoch().count()),
          static_cast<std::uint32_t>((time - whole).count())};
}

// The first `digits` digits of the fraction.
void append_fraction(std::uint32_t nanoseconds, int digits, std::string& out) {
  char text[9];
  for (int i = 8; i >= 0; i--) {
    text[i] = static_cast<char>('0' + nanoseconds % 10);
    nanoseconds /= 10;
  }
  out.append(text, static_cast<std::size_t>(digits));
}

int digits_needed(std::uint32_t nanoseconds) {
  int digits = 9;
  while (digits > 0 && nanoseconds % 10 == 0) {
    nanoseconds /= 10;
    digits--;
  }
  return digits;
}

void append_two_digits(int value, std::string& out) {
  out += static_cast<char>('0' + value / 10);
  out += static_cast<char>('0' + value % 10);
}

void append_strftime(const std::string& format, const std::tm& time, std::string& out) {
  std::size_t before = out.size();
  out.resize(before + kPieceBytesMax);
  out.resize(before + std::strftime(out.data() + before, kPieceBytesMax, format.c_str(), &time));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

TimeFormat::TimeFormat(std::string_view format, bool local) : local_(local) {
  while (!format.empty()) {
    std::size_t used = format[0] == '%' ? add_conversion(format) : 0;
    if (used == 0) {
      if (pieces_.empty() || pieces_.back().kind != Kind::broken_down) pieces_.push_back({Kind::broken_down, 0, {}});
      used = format[0] == '%' && format.size() > 1 ? 2 : 1;
      pieces_.back().format += format.substr(0, used);
    }
    format.remove_prefix(used);
  }
}

void TimeFormat::add(Kind kind, int digits) { pieces_.push_back({kind, static_cast<std::uint8_t>(digits), {}}); }

// If `rest` begins with a conversion that strftime does not know, adds it and says how long it is; else 0.
std::size_t TimeFormat::add_conversion(std::string_view rest) {
  auto at = [&](std::size_t i) { return i < rest.size() ? rest[i] : '\0'; };
  if (at(1) == 's') return add(Kind::epoch_seconds, 0), 2;
  if (at(1) == 'f') return add(Kind::fraction, 9), 2;
  if (is_digit(at(1)) && at(2) == 's') return add(Kind::epoch_seconds, 0), 3;
  if (is_digit(at(1)) && at(1) != '0' && at(2) == 'f') return add(Kind::fraction, at(1) - '0'), 3;
  if (at(1) != 'E') return 0;
  bool seconds = at(3) == 'S';
  if (!seconds && at(3) != 'f') return 0;
  if (at(2) == '*') return add(seconds ? Kind::seconds_needed : Kind::fraction_needed, 0), 4;
  if (!is_digit(at(2))) return 0;
  return add(seconds ? Kind::seconds_fraction : Kind::fraction, at(2) - '0'), 4;
}

void TimeFormat::append(WallTime time, std::string& out) const {
  if (pieces_.empty() && !local_) return append_iso_time(time, out);
  static const TimeFormat kLocalDefault("%Y-%m-%dT%H:%M:%S.%3f%z");
  const std::vector<Piece>& pieces = pieces_.empty() ? kLocalDefault.pieces_ : pieces_;
  Split at = split(time);
  std::tm broken_down{};
  local_ ? localtime_r(&at.seconds, &broken_down) : gmtime_r(&at.seconds, &broken_down);
  for (const Piece& piece : pieces) {
    int digits = piece.digits;
    switch (piece.kind) {
      case Kind::broken_down:
        append_strftime(piece.format, broken_down, out);
        break;
      case Kind::epoch_seconds: {
        char text[20];
        out.append(text, std::to_chars(text, text + sizeof text, at.seconds).ptr);
        break;
      }
      case Kind::fraction_needed:
      case Kind::fraction:
        if (piece.kind == Kind::fraction_needed) digits = std::max(1, digits_needed(at.nanoseconds));
        append_fraction(at.nanoseconds, digits, out);
        break;
      case Kind::seconds_needed:
      case Kind::seconds_fraction:
        if (piece.kind == Kind::seconds_needed) digits = digits_needed(at.nanoseconds);
        append_two_digits(broken_down.tm_sec, out);
        if (digits > 0) out += '.';
        append_fraction(at.nanoseconds, digits, out);
        break;
    }
  }
}

void append_iso_time(WallTime time, std::string& out) {
  // Requests come many to a second: its text is kept.
  static thread_local std::time_t kept_second = -1;
  static thread_local char kept[sizeof "-2147483648-01-01T00:00:00."];
  static thread_local std::size_t kept_size = 0;
  Split at = split(time);
  if (at.seconds != kept_second) {
    std::tm utc{};
    gmtime_r(&at.seconds, &utc);
    kept_size = std::strftime(kept, sizeof kept, "%Y-%m-%dT%H:%M:%S.", &utc);
    kept_second = at.seconds;
  }
  out.append(kept, kept_size);
  append_fraction(at.nanoseconds, 3, out);
  out += 'Z';
}

}  // namespace outrider
