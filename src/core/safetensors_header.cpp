#include "core/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/error.h"

namespace laban {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostDimensions = 64;
constexpr size_t kMostTensors = 50'000;  // the largest networks and their optimizers have some thousand

/// Receives the JSON token by token. Nothing is kept but what belongs into a header, so a file cannot make
/// this take much more memory than its own size.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::filesystem::path& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }
  [[noreturn]] void fail(const std::string& what) const { throw FileError(path_.string(), what); }
  [[noreturn]] void foreign() const {
    throw FileError(path_.string(), "is not a safetensors file: its header is not a JSON object",
                    "A safetensors file (.safetensors) is expected here.");
  }

  bool start_object(size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::top;
    } else if (place_ == Place::value) {
      place_ = name_ == "__metadata__" ? Place::metadata : Place::tensor;
      fields_.clear();
      entry_ = {};
    } else {
      unexpected();
    }
    return true;
  }

  bool key(std::string& name) override {
    if (place_ == Place::top) {
      if (!names_.insert(name).second) fail(text("has a damaged header: '", name, "' occurs twice"));
      if (names_.size() > kMostTensors) fail(text("has more than ", kMostTensors, " tensors"));
      name_ = std::move(name);
      place_ = Place::value;
      return true;
    }
    field_ = std::move(name);
    if (!fields_.insert(field_).second) fail(damaged() + "'" + field_ + "' occurs twice");
    if (place_ == Place::tensor && field_ != "dtype" && field_ != "shape" && field_ != "data_offsets")
      fail(damaged() + "there is an unknown field '" + field_ + "'");
    return true;
  }

  bool end_object() override {
    if (place_ == Place::top) {
      place_ = Place::outside;
      return true;
    }
    if (place_ == Place::tensor) finish_tensor();
    place_ = Place::top;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ == Place::outside) foreign();
    if (place_ != Place::tensor || (field_ != "shape" && field_ != "data_offsets")) unexpected();
    place_ = Place::list;
    numbers_.clear();
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    if (field_ == "shape") {
      for (const uint64_t extent : numbers_) {
        if (extent > INT64_MAX) impossible_shape();
        entry_.shape.push_back(static_cast<int64_t>(extent));
      }
    } else {
      if (numbers_.size() != 2) fail(damaged() + "data_offsets are not two numbers");
      entry_.begin = numbers_[0];
      entry_.end = numbers_[1];
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::metadata) {
      header_.metadata[field_] = std::move(value);
      return true;
    }
    if (place_ != Place::tensor || field_ != "dtype") unexpected();
    const auto type = element_type_named(value);
    if (!type) fail(damaged() + "unknown dtype '" + value + "'");
    entry_.type = *type;
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (place_ != Place::list) unexpected();
    numbers_.push_back(value);
    if (numbers_.size() > kMostDimensions)
      fail(damaged() + text("a list of more than ", kMostDimensions, " numbers"));
    return true;
  }
  bool number_integer(int64_t) override { return no_whole_number(); }
  bool number_float(double, const std::string&) override { return no_whole_number(); }
  bool null() override { unexpected(); }
  bool boolean(bool) override { unexpected(); }
  bool binary(Json::binary_t&) override { unexpected(); }
  bool parse_error(size_t, const std::string&, const Json::exception&) override { foreign(); }

 private:
  enum class Place { outside, top, value /* of a name */, metadata, tensor, list /* in a tensor's field */ };

  std::string damaged() const { return text("has a damaged header at tensor '", name_, "': "); }

  [[noreturn]] void unexpected() const {
    if (place_ == Place::outside) foreign();
    if (place_ == Place::metadata) fail(text("has a damaged header: metadata '", field_, "' is not text"));
    if (place_ == Place::value && name_ == "__metadata__")
      fail("has a damaged header: __metadata__ is not an object");
    if (place_ == Place::value) fail(damaged() + "dtype, shape and data_offsets are missing");
    if (place_ == Place::list) fail(damaged() + field_ + " is not a list of whole numbers");
    fail(damaged() + "'" + field_ + "' is not what belongs there");
  }
  [[noreturn]] void impossible_shape() const { fail(damaged() + "its shape is impossible"); }
  bool no_whole_number() const {
    if (place_ == Place::list && field_ == "shape") impossible_shape();
    unexpected();
  }

  void finish_tensor() {
    if (fields_.size() != 3) fail(damaged() + "dtype, shape or data_offsets is missing");
    // Strides are made of extents even where another one is 0, so those must not overflow either.
    auto largest = static_cast<int64_t>(size_of(entry_.type));
    for (const int64_t extent : entry_.shape)
      if (__builtin_mul_overflow(largest, std::max<int64_t>(1, extent), &largest)) impossible_shape();
    const bool is_empty = std::ranges::count(entry_.shape, 0) > 0;
    const auto bytes = is_empty ? 0 : static_cast<uint64_t>(largest);
    if (entry_.end < entry_.begin || entry_.end - entry_.begin != bytes)
      fail(text(damaged(), "shape ", shape_text(entry_.shape), " of ", name_of(entry_.type), " needs ", bytes,
                " bytes, but its place is ", entry_.begin, " to ", entry_.end));
    header_.entries[name_] = std::move(entry_);
  }

  const std::filesystem::path& path_;
  SafetensorsHeader header_;
  Place place_ = Place::outside;
  std::set<std::string> names_, fields_;
  std::string name_, field_;
  SafetensorsEntry entry_;
  std::vector<uint64_t> numbers_;
};

}  // namespace

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (const int64_t extent : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(extent);
  return out + "]";
}

SafetensorsHeader parse_safetensors_header(std::string_view header_text, uint64_t data_bytes,
                                           const std::filesystem::path& path) {
  HeaderReader reader(path);
  Json::sax_parse(header_text, &reader);
  // The parser takes a zero byte for the end of its input; anything could hide behind one.
  if (const size_t zero = header_text.find('\0'); zero != std::string_view::npos)
    reader.fail(text("has a damaged header: byte ", zero, " of ", header_text.size(),
                     " is zero, but only spaces may follow the JSON"));
  SafetensorsHeader header = reader.take();

  struct Place {
    uint64_t begin, end;
    const std::string* name;
  };
  std::vector<Place> places;
  for (const auto& [name, entry] : header.entries) places.push_back({entry.begin, entry.end, &name});
  std::ranges::sort(places, {}, [](const Place& p) { return std::pair(p.begin, p.end); });
  uint64_t next = 0;
  for (const Place& place : places) {
    if (place.begin != next)
      reader.fail(text("has a damaged header: tensor '", *place.name, "' begins at byte ", place.begin,
                       place.begin < next ? ", but overlaps the one before it, which ends at "
                                          : ", which leaves a gap after ",
                       next));
    next = place.end;
  }
  if (next > data_bytes)
    throw FileError(
        path.string(),
        text("is truncated: ", next, " bytes of tensors are promised, ", data_bytes, " are there"),
        "It was cut off while being copied or written; a run's other checkpoint may still be whole.");
  if (next < data_bytes)
    reader.fail(text("has ", data_bytes - next, " bytes more than its header accounts for"));
  return header;
}

}  // namespace laban
