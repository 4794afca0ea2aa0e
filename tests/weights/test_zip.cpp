// Zip files: checksums, round trips, and every kind of damage.
#include "weights/zip.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "support/temporary_folder.h"
#include "weights/crc32.h"
#include "weights/made_files.h"

using namespace laban;
using test::says;

namespace {

uint32_t crc_of(const std::string& bytes) { return crc32(std::as_bytes(std::span(bytes))); }

std::string contents(const ZipReader& zip, const ZipReader::Entry& entry) {
  const std::vector<std::byte> bytes = zip.read(entry);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What reading all of it says; empty where nothing is wrong.
std::string complaint(const std::string& bytes) {
  try {
    const ZipReader zip(test::in_memory(bytes));
    for (const auto& [name, entry] : zip.entries()) zip.verify(name, entry);
    return "";
  } catch (const FileError& error) {
    CHECK(error.file() == "made");
    return error.what();
  }
}

void replace(std::string& bytes, size_t at, const std::string& by) { bytes.replace(at, by.size(), by); }

}  // namespace

TEST_CASE("CRC-32 gives the published check values") {
  CHECK(crc_of("123456789") == 0xcbf43926);
  CHECK(crc_of("") == 0);
  CHECK(crc_of("The quick brown fox jumps over the lazy dog") == 0x414fa339);
  // By the definition: one bit after the other.
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    uint32_t remainder = ~0u;
    for (const char c : bytes) {
      remainder ^= static_cast<uint8_t>(c);
      for (int bit = 0; bit < 8; ++bit) remainder = (remainder >> 1) ^ (remainder & 1 ? 0xedb88320u : 0);
    }
    REQUIRE(crc_of(bytes) == ~remainder);
    bytes += static_cast<char>(i * 37 + i / 7);
  }
}

TEST_CASE("what is written is read again, aligned") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "z.zip";
  const std::string first = "hello", third(1000, 'x');
  {
    ZipWriter zip(path);
    zip.add("archive/first", std::as_bytes(std::span(first)));
    zip.add("archive/empty", {});
    zip.add("archive/third", std::as_bytes(std::span(third)));
    zip.finish();
  }
  const std::string bytes = read_file(path);
  CHECK(complaint(bytes).empty());
  const ZipReader zip{FileBytes(path)};
  REQUIRE(zip.entries().size() == 3);
  CHECK(contents(zip, *zip.find("archive/first")) == first);
  CHECK(contents(zip, *zip.find("archive/empty")).empty());
  CHECK(contents(zip, *zip.find("archive/third")) == third);
  CHECK(zip.find("archive/fourth") == nullptr);
  CHECK(bytes.find("hello") % 64 == 0);
  CHECK(bytes.find("xxx") % 64 == 0);
}

TEST_CASE("a zip file that is cut off or changed is never taken for a whole one") {
  const std::string good = test::zip_of({{"a", "some bytes"}, {"b", ""}, {"c", "more"}});
  REQUIRE(complaint(good).empty());
  for (size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    CHECK(!complaint(good.substr(0, length)).empty());
  }
  for (size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      complaint(bad);  // some bits mean nothing (dates); none may do harm
    }
}

TEST_CASE("zip files that PyTorch never writes are refused by what is wrong with them") {
  const std::string good = test::zip_of({{"a", "some bytes"}, {"b", "x"}});
  const size_t directory = good.find("PK\x01\x02"), end = good.find("PK\x05\x06");
  const auto with = [&](size_t at, const std::string& by) {
    std::string bad = good;
    replace(bad, at, by);
    return complaint(bad);
  };
  CHECK(says(with(directory + 10, test::bytes_of<uint16_t>(8)), "compressed entry ('a')"));
  // An entry that nobody reads may be packed as it likes: a program among the weights, for instance.
  CHECK(ZipReader(test::in_memory([&] {
          std::string packed = good;
          replace(packed, directory + 10, test::bytes_of<uint16_t>(8));
          replace(packed, directory + 24, test::bytes_of<uint32_t>(99));
          return packed;
        }()))
            .find("b") != nullptr);
  CHECK(says(with(directory + 8, test::bytes_of<uint16_t>(1)), "encrypted"));
  CHECK(says(with(directory + 24, test::bytes_of<uint32_t>(9)), "has two sizes"));
  CHECK(says(with(directory + 42, test::bytes_of<uint32_t>(7)), "not where the directory says"));
  CHECK(says(with(directory + 42, test::bytes_of<uint32_t>(1 << 30)), "not where the directory says"));
  CHECK(says(with(directory + 46, "b"), "same name"));
  CHECK(says(with(28, test::bytes_of<uint16_t>(60000)), "extends beyond the file's data"));
  CHECK(says(with(31, "S"), "the checksum of entry 'a' does not match"));
  CHECK(says(with(end + 10, test::bytes_of<uint16_t>(3)), "should list 3 entries"));
  CHECK(says(with(end + 16, test::bytes_of<uint32_t>(1 << 30)), "not within the file"));
  CHECK(says(with(directory + 20, test::bytes_of<uint32_t>(0xffffffff)), "lacks its 64-bit sizes"));
  CHECK(says(complaint("PK\x03\x04"), "no directory"));
}

TEST_CASE("64-bit sizes and directories are read where they are said to be") {
  // As a writer of large files would: the numbers in the directory point to an extra field.
  const std::string name = "big", data = "seven b";
  const std::string crc = test::bytes_of(crc_of(data));
  const std::string local = "PK\x03\x04" + std::string(10, '\0') + crc + test::bytes_of<uint32_t>(7) +
                            test::bytes_of<uint32_t>(7) + test::bytes_of<uint16_t>(3) +
                            test::bytes_of<uint16_t>(0) + name + data;
  const std::string extra = test::bytes_of<uint16_t>(1) + test::bytes_of<uint16_t>(24) +
                            test::bytes_of<uint64_t>(7) + test::bytes_of<uint64_t>(7) +
                            test::bytes_of<uint64_t>(0);
  const std::string all_ones = test::bytes_of<uint32_t>(0xffffffff);
  const std::string directory =
      "PK\x01\x02" + std::string(12, '\0') + crc + all_ones + all_ones + test::bytes_of<uint16_t>(3) +
      test::bytes_of(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') + all_ones + name + extra;
  const std::string end64 = "PK\x06\x06" + std::string(20, '\0') + test::bytes_of<uint64_t>(1) +
                            test::bytes_of<uint64_t>(1) + test::bytes_of<uint64_t>(directory.size()) +
                            test::bytes_of<uint64_t>(local.size());
  const std::string locator = "PK\x06\x07" + test::bytes_of<uint32_t>(0) +
                              test::bytes_of<uint64_t>(local.size() + directory.size()) +
                              test::bytes_of<uint32_t>(1);
  const std::string end = "PK\x05\x06" + test::bytes_of<uint32_t>(0) + test::bytes_of<uint16_t>(0xffff) +
                          test::bytes_of<uint16_t>(0xffff) + all_ones + all_ones +
                          test::bytes_of<uint16_t>(0);
  const std::string file = local + directory + end64 + locator + end;
  const ZipReader zip(test::in_memory(file));
  REQUIRE(zip.find("big") != nullptr);
  CHECK(contents(zip, *zip.find("big")) == data);
  zip.verify("big", *zip.find("big"));
  for (size_t length = 0; length < file.size(); ++length) CHECK(!complaint(file.substr(0, length)).empty());
}
