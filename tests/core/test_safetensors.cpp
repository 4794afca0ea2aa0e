#include "core/safetensors.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "core/rng.h"
#include "core/sha256.h"

using namespace laban;

namespace {

size_t temporary_files(const std::filesystem::path& folder) {
  return static_cast<size_t>(std::ranges::count_if(
      std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator(),
      [](const auto& entry) { return is_temporary_name(entry.path().filename().native()); }));
}

/// A folder that goes when the test does.
struct TemporaryFolder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / text("laban_safetensors_", ::getpid(), "_", counter++);
  TemporaryFolder() { std::filesystem::create_directories(path); }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  static inline int counter = 0;
};

/// A file as the format's description has it, put together by hand: header length, header, data.
std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + data;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  std::string bytes;
  for (const T value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  return bytes;
}

/// What opening and checking the file says; empty where it is accepted.
std::string complaint(const std::filesystem::path& path, const std::string& bytes) {
  write_file(path, bytes);
  try {
    SafetensorsFile(path).verify_checksum();
  } catch (const FileError& error) {
    CHECK(error.file() == path.string());
    return error.what();
  }
  return "";
}

bool says(const std::string& sentence, const std::string& part) {
  return sentence.find(part) != std::string::npos;
}

const std::vector<float> kMatrix{1, 2, 3, 4, 5, -6.5f};
const std::vector<double> kMatrixValues{1, 2, 3, 4, 5, -6.5};
const std::vector<int64_t> kMatrixShape{2, 3};

std::string valid_file(const std::filesystem::path& path) {
  const int64_t count = 42;
  const std::vector<TensorToSave> tensors{{"m", ElementType::f32, kMatrixShape, kMatrix.data()},
                                          {"count", ElementType::i64, {}, &count}};
  write_safetensors(path, tensors, {{"classes", "[\"tango\", \"waltz\"]"}, {"sha256", "ignored"}});
  return read_file(path);
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-4's examples") {
  const auto digest = [](const std::string& message) {
    Sha256 sum;
    sum.update(message);
    return sum.hex();
  };
  CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the message is cut") {
  std::string message;
  Rng rng(1, Purpose::test);
  for (int i = 0; i < 1000; ++i) message += static_cast<char>(rng.integer(0, 255));
  Sha256 whole;
  whole.update(message);
  const std::string expected = whole.hex();
  Sha256 pieces;
  for (size_t at = 0; at < message.size();) {
    const size_t part = std::min(message.size() - at, static_cast<size_t>(rng.integer(0, 130)));
    pieces.update(message.data() + at, part);
    at += part;
  }
  CHECK(pieces.hex() == expected);
}

TEST_CASE("a hand-made safetensors file is read: shapes, element types, metadata") {
  TemporaryFolder folder;
  const auto path = folder.path / "hand.safetensors";
  // 1.0 and -2.0 as bfloat16 are the upper halves of their floats, 0x3F80 and 0xC000; as halves, 0x3C00,
  // 0xC000.
  write_file(path, file_of(R"({"b":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},)"
                           R"("__metadata__":{"who":"me"},)"
                           R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                           R"("d":{"dtype":"F64","shape":[],"data_offsets":[8,16]},)"
                           R"("h":{"dtype":"F16","shape":[2],"data_offsets":[28,32]},)"
                           R"("e":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[32,33]},)"
                           R"("t":{"dtype":"BOOL","shape":[2],"data_offsets":[33,35]},)"
                           R"("i":{"dtype":"I64","shape":[1],"data_offsets":[16,24]}}  )",
                           bytes_of<float>({0.5f, 3.0f}) + bytes_of<double>({0.1}) + bytes_of<int64_t>({-7}) +
                               bytes_of<uint16_t>({0x3F80, 0xC000}) + bytes_of<uint16_t>({0x3C00, 0xC000}) +
                               bytes_of<uint8_t>({1, 1, 0})));
  const SafetensorsFile file(path);
  CHECK(file.entries().size() == 7);
  CHECK(file.metadata().at("who") == "me");
  const auto doubles = [&](const char* name) { return file.doubles(name, file.entries().at(name).shape); };
  CHECK(file.doubles("a", std::vector<int64_t>{2, 1}) == std::vector<double>{0.5, 3.0});
  CHECK(doubles("d") == std::vector<double>{0.1});
  CHECK(doubles("b") == std::vector<double>{1.0, -2.0});
  CHECK(doubles("h") == std::vector<double>{1.0, -2.0});
  CHECK(file.integers("i", std::vector<int64_t>{1}) == std::vector<int64_t>{-7});
  CHECK(file.integers("t", std::vector<int64_t>{2}) == std::vector<int64_t>{1, 0});
  CHECK_THROWS_WITH_AS(file.doubles("a", std::vector<int64_t>{2}),
                       doctest::Contains("[2, 1], but [2] is needed"), FileError);
  CHECK_THROWS_WITH_AS(file.doubles("i", std::vector<int64_t>{1}), doctest::Contains("I64"), FileError);
  CHECK_THROWS_WITH_AS(doubles("e"), doctest::Contains("F8_E4M3"), FileError);
  CHECK_THROWS_WITH_AS(file.integers("b", std::vector<int64_t>{2}), doctest::Contains("whole numbers"),
                       FileError);
  CHECK_THROWS_WITH_AS(file.doubles("z", std::vector<int64_t>{1}), doctest::Contains("no tensor 'z'"),
                       FileError);
  CHECK_THROWS_WITH_AS(file.verify_checksum(), doctest::Contains("no checksum"), FileError);
}

TEST_CASE("what is written is read again, and its layout is the format's") {
  TemporaryFolder folder;
  const auto path = folder.path / "own.safetensors";
  const std::string bytes = valid_file(path);
  const SafetensorsFile file(path);
  file.verify_checksum();
  CHECK(file.doubles("m", kMatrixShape) == kMatrixValues);
  CHECK(file.integers("count", {}) == std::vector<int64_t>{42});
  CHECK(file.metadata().at("classes") == "[\"tango\", \"waltz\"]");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  CHECK(bytes.size() == 8 + length + 6 * 4 + 8);
  CHECK(std::memcmp(bytes.data() + 8 + length + 8, kMatrix.data(), 24) == 0);  // behind the wider I64
  CHECK(temporary_files(folder.path) == 0);

  // The checksum as the header describes it: 64 zeros in the place of the digits.
  std::string blank = bytes.substr(8);
  blank.replace(blank.find(file.metadata().at("sha256")), 64, std::string(64, '0'));
  Sha256 sum;
  sum.update(blank);
  CHECK(sum.hex() == file.metadata().at("sha256"));
}

TEST_CASE("damaged and foreign files are refused with a sentence that says what is wrong") {
  TemporaryFolder folder;
  const auto path = folder.path / "bad.safetensors";
  CHECK_THROWS_WITH_AS(SafetensorsFile(folder.path / "none"), doctest::Contains("does not exist"), FileError);
  CHECK_THROWS_WITH_AS(SafetensorsFile(folder.path), doctest::Contains("is not a file"), FileError);
  for (const std::string& foreign : {std::string(), std::string("1234567"), std::string("12345678"),
                                     std::string("\0\0\0 ftypisom", 12), std::string(1000, 'x')})
    CHECK(says(complaint(path, foreign), "is not a safetensors or PyTorch file"));
  CHECK(says(complaint(path, "PK\x03\x04, a zip file as PyTorch writes it"),
             "torch.save writes, not a safetensors file"));
  CHECK(says(complaint(path, file_of("{1, 2}", "")), "not a JSON object"));
  CHECK(says(complaint(path, file_of("{\"a\": 1}", "")), "tensor 'a'"));
  CHECK(says(complaint(path, file_of(R"({"__metadata__":{"a":1}})", "")), "metadata 'a' is not text"));
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return file_of(
        "{\"a\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}",
        "12345678");
  };
  CHECK(says(complaint(path, one("\"F3\"", "[2]", "[0,8]")), "unknown dtype"));
  CHECK(says(complaint(path, one("\"F32\"", "[3]", "[0,8]")), "needs 12 bytes"));
  CHECK(says(complaint(path, one("\"F32\"", "[-2]", "[0,8]")), "impossible"));
  CHECK(says(complaint(path, one("\"F32\"", "[4611686018427387904,4611686018427387904]", "[0,8]")),
             "impossible"));
  CHECK(says(complaint(path, one("\"F32\"", "[0,4611686018427387904,4]", "[0,0]")), "impossible"));
  CHECK(says(complaint(path, one("\"F32\"", "[2]", "[8,0]")), "8 to 0"));
  CHECK(says(complaint(path, one("\"F32\"", "[2]", "[0.5,8]")), "whole numbers"));
  CHECK(says(complaint(path, one("\"F32\"", "[2]", "[4,12]")), "gap"));
  CHECK(says(complaint(path, one("[4]", "[2]", "[0,8]")), "'dtype' is not what belongs there"));
  CHECK(says(complaint(path, one("\"F32\"", "[[2]]", "[0,8]")), "shape is not a list of whole numbers"));
  CHECK(says(complaint(path, one("\"F32\"", "[2]", "[0,8,8]")), "data_offsets are not two numbers"));
  CHECK(says(complaint(path, one("\"F32\"", "[2], \"extra\": 1", "[0,8]")), "unknown field 'extra'"));
  CHECK(says(complaint(path, one("\"F32\"", "[2], \"shape\": [2]", "[0,8]")), "'shape' occurs twice"));
  std::string deep = "[1";
  for (int i = 0; i < 64; ++i) deep += ",1";
  CHECK(says(complaint(path, one("\"U64\"", deep + "]", "[0,8]")), "more than 64 numbers"));
  const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  const std::string b = R"("b":{"dtype":"U8","shape":[5],"data_offsets":[3,8]})";
  CHECK(says(complaint(path, file_of("{" + a + "," + b + "}", "12345678")),
             "tensor 'b' begins at byte 3, but overlaps"));
  CHECK(says(complaint(path, file_of("{" + a + "," + a + "}", "1234")), "'a' occurs twice"));
  CHECK(says(complaint(path, file_of(R"({"__metadata__":{"k":"1","k":"2"}})", "")), "'k' occurs twice"));
  CHECK(says(complaint(path, file_of(R"({"__metadata__":[]})", "")), "__metadata__ is not an object"));
  CHECK(says(complaint(path, file_of("{} {}", "")), "not a JSON object"));
  CHECK(says(complaint(path, file_of(std::string("{}\0\0", 4), "")), "byte 2 of 4 is zero"));
  CHECK(says(complaint(path, file_of(std::string("{}  \0{\"a\":1}", 12), "")), "byte 4 of 12 is zero"));
  CHECK(
      says(complaint(path, file_of("{\"a\":" + std::string(100'000, '['), "")), "damaged header at tensor"));
  CHECK(says(complaint(path, one("\"F32\"", "[4]", "[0,16]")),
             "16 bytes of tensors are promised, 8 are there"));
  CHECK(says(complaint(path, one("\"F32\"", "[1]", "[0,4]")), "4 bytes more"));

  std::string many = "{";
  for (int i = 0; i <= 50'000; ++i)
    many += text(i > 0 ? "," : "", "\"", i, R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})");
  CHECK(says(complaint(path, file_of(many + "}", "")), "has more than 50000 tensors"));

  const std::string good = valid_file(path);
  CHECK(complaint(path, good).empty());
  for (size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    CHECK(!complaint(path, good.substr(0, length)).empty());
  }
}

TEST_CASE("tensors may begin at any byte, whatever their elements' size") {
  TemporaryFolder folder;
  const auto path = folder.path / "unaligned.safetensors";
  // As foreign programs write them: a byte, then wider elements right behind it.
  std::string data(1, '\x07');
  data += bytes_of<float>({1.5f, -2});
  data += bytes_of<int64_t>({-5'000'000'000});
  data += bytes_of<double>({0.1});
  write_file(path, file_of(R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                           R"("f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},)"
                           R"("i":{"dtype":"I64","shape":[],"data_offsets":[9,17]},)"
                           R"("d":{"dtype":"F64","shape":[1],"data_offsets":[17,25]}}  )",
                           data));
  const SafetensorsFile file(path);
  CHECK(file.integers("u", std::vector<int64_t>{1}) == std::vector<int64_t>{7});
  CHECK(file.doubles("f", std::vector<int64_t>{2}) == std::vector<double>{1.5, -2});
  CHECK(file.integers("i", {}) == std::vector<int64_t>{-5'000'000'000});
  CHECK(file.doubles("d", std::vector<int64_t>{1}) == std::vector<double>{0.1});
}

TEST_CASE("any single changed bit is found") {
  TemporaryFolder folder;
  const auto path = folder.path / "flipped.safetensors";
  const std::string good = valid_file(path);
  for (size_t at = 0; at < good.size(); ++at) {
    CAPTURE(at);
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    CHECK(!complaint(path, bad).empty());
  }
}

TEST_CASE("a file that cannot be written says so and leaves nothing behind") {
  TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(write_file(folder.path / "missing" / "file", "x"),
                       doctest::Contains("cannot be created"), FileError);
  write_file(folder.path / "file", "old");
  {
    AtomicFile file(folder.path / "file");
    file.write("half of the n");
  }
  CHECK(read_file(folder.path / "file") == "old");
  CHECK(temporary_files(folder.path) == 0);
  CHECK_THROWS_WITH_AS(read_file(folder.path), doctest::Contains("is a folder"), FileError);
}

TEST_CASE("a file that is cut, or changed, while it is read is an error, not the end of the program") {
  TemporaryFolder folder;
  const auto path = folder.path / "shrinking.safetensors";
  const std::string header = R"({"a":{"dtype":"F32","shape":[65536],"data_offsets":[0,262144]}})";
  const std::string whole = file_of(header, std::string(262144, '\x3f'));
  const std::vector<int64_t> shape{65536};
  const auto said = [&](const auto& change) -> std::string {
    write_file(path, whole);
    const SafetensorsFile file(path);
    CHECK(file.doubles("a", shape).size() == 65536);
    change();
    try {
      file.doubles("a", shape);
    } catch (const FileError& error) {
      CHECK(error.file() == path.string());
      return error.what();
    }
    return "";
  };
  for (const uintmax_t left : {uintmax_t{0}, uintmax_t{100}, uintmax_t{200'000}}) {
    CAPTURE(left);
    CHECK(says(said([&] { std::filesystem::resize_file(path, left); }), "became shorter while it was read"));
  }
  CHECK(says(said([&] { std::filesystem::resize_file(path, whole.size() + 1); }),
             "was changed while it was read"));
  CHECK(says(said([&] {
               std::ofstream(path, std::ios::in | std::ios::out | std::ios::binary) << '\x07';
               std::filesystem::last_write_time(
                   path, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
             }),
             "was changed while it was read"));
  // Replaced by renaming, or removed: what was opened stays.
  CHECK(said([&] { write_file(path, "something else"); }).empty());
  CHECK(said([&] { std::filesystem::remove(path); }).empty());
}
