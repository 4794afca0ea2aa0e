// laban weights: the list, and downloads from a server on the loopback.
#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/sha256.h"
#include "core/text.h"
#include "program/file_server.h"
#include "support/program.h"
#include "support/temporary_folder.h"
#include "train/config/config.h"
#include "weights/made_files.h"
#include "weights/public_weights.h"

using namespace laban;
using test::FileServer;
using test::laban_with;
using Result = test::ProgramResult;
namespace fs = std::filesystem;

namespace {

/// A file of weights of about `kibibytes`.
std::string weights_of(size_t kibibytes, char fill) {
  const size_t count = kibibytes * 256;
  return test::safetensors_of("{\"w\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string(count) +
                                  "],\"data_offsets\":[0," + std::to_string(4 * count) + "]}}",
                              std::string(4 * count, fill));
}

std::string sha256_of_text(const std::string& bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

/// A cache of weights, and `laban weights get` into it.
struct Cache {
  test::TemporaryFolder folder;
  fs::path place = folder.path() / "cache";
  Cache() {
    for (const char* variable : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(variable);
  }
  std::vector<std::string> get(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> line{"weights", "get", name, "--cache", place.string()};
    line.insert(line.end(), more.begin(), more.end());
    return line;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    if (fs::exists(place))
      for (const auto& entry : fs::directory_iterator(place)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
};

bool without_curl() {
  const bool absent = laban_with({"weights", "get", "http://127.0.0.1:9/x"}).says("built without libcurl");
  if (absent) MESSAGE("skipped: this laban was built without libcurl");
  return absent;
}

}  // namespace

TEST_CASE("the list of public weights: what is published, and flags that work") {
  const Result list = laban_with({"weights", "list"}), json = laban_with({"weights", "list", "--json"});
  REQUIRE(list.code == 0);
  std::istringstream lines(list.out);
  for (std::string line; std::getline(lines, line);)
    if (line.find("https:") == line.npos) CHECK_MESSAGE(characters(line) <= 80, line);
  const auto document = nlohmann::json::parse(json.out);
  REQUIRE(document.size() == public_weights().size());
  for (const auto& entry : document) {
    const auto name = entry["name"].get<std::string>();
    CAPTURE(name);
    CHECK(list.says(name + "\n"));
    CHECK(list.says(entry["address"].get<std::string>()));
    CHECK(entry["in_cache"] == false);
    Config config;  // what it says of clips can be set, and goes together
    config.model.name = entry["model"].get<std::string>();
    for (const auto& [flag, value] : entry["clips"].items())
      apply_flag(config, flag, value.get<std::string>());
    resolve(config);
    CHECK(config.clip.transform.crop == PictureSize(112));
    if (entry["address_is_the_file"] == true)
      CHECK(entry["address"].get<std::string>().ends_with("/" + entry["file"].get<std::string>()));
    // torchvision's names carry the first digits of the SHA-256.
    if (name.starts_with("torchvision/"))
      CHECK(entry["file"].get<std::string>().find(entry["sha256_begins"].get<std::string>()) !=
            std::string::npos);
  }
}

TEST_CASE("weights are downloaded once, checked, and their path is printed") {
  if (without_curl()) return;
  const Cache cache;
  const std::string body = weights_of(300, 'a'), sha256 = sha256_of_text(body);
  FileServer server({.body = body});
  const fs::path file = cache.place / "w.safetensors";
  const auto line = cache.get(server.address("/some/w.safetensors?download=1"), {"--sha256", sha256});
  const Result first = laban_with(line);
  REQUIRE_MESSAGE(first.code == 0, first.said);
  CHECK(first.out == file.string() + "\n");
  CHECK(first.says("SHA-256 " + sha256 + ", as it should be"));
  CHECK(read_file(file) == body);
  CHECK(cache.files() == std::vector<std::string>{"w.safetensors"});
  const Result again = laban_with(line);
  CHECK(again.code == 0);
  CHECK(again.out == first.out);
  CHECK(again.says("is there already"));
  CHECK(server.requests().size() == 1);
  // What is there and is something else is neither taken nor removed.
  write_file(file, "mine");
  const Result other = laban_with(line);
  CHECK(other.code == 1);
  CHECK(other.says("what is there already is not"));
  CHECK(read_file(file) == "mine");
  // By way of another address, and without a length.
  fs::remove(file);
  server.set({.body = body, .status = 302, .location = server.address("/elsewhere"), .length = false});
  const Result moved = laban_with(line);
  CHECK_MESSAGE(moved.code == 0, moved.said);
  CHECK(read_file(file) == body);
}

TEST_CASE("the bar of a download fits 80 columns") {
  if (without_curl()) return;
  const Cache cache;
  FileServer server({.body = weights_of(5000, 'a')});
  const std::string screen =
      test::laban_on_terminal(cache.get(server.address("/w_with_a_rather_long_name.pth")), 80);
  std::string line;
  for (const char c : screen + '\n') {
    if (c == '\r' || c == '\n') {
      if (line.starts_with("\x1b[K")) line.erase(0, 3);
      if (line.find("getting") != line.npos) CHECK_MESSAGE(characters(line) <= 80, line);
      line.clear();
    } else {
      line += c;
    }
  }
  CHECK(screen.find("MiB") != screen.npos);
}

TEST_CASE("a connection that breaks is taken up again where it broke") {
  if (without_curl()) return;
  const Cache cache;
  const std::string body = weights_of(600, 'b');
  FileServer server({.body = body, .cut_after = 200'000});
  const Result got =
      laban_with(cache.get(server.address("/w.safetensors"), {"--sha256", sha256_of_text(body)}));
  REQUIRE_MESSAGE(got.code == 0, got.said);
  const auto requests = server.requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].find("Range: bytes=200000-\r\n") != std::string::npos);
  CHECK(requests[1].find("If-Range: \"one\"\r\n") != std::string::npos);
  CHECK(read_file(cache.place / "w.safetensors") == body);

  // A server without ETag or date may have another file by now: from the beginning.
  fs::remove_all(cache.place);
  server.set({.body = body, .etag = "", .cut_after = 200'000});
  const Result broken = laban_with(cache.get(server.address("/w.safetensors")));
  CHECK(broken.code == 1);
  CHECK(broken.says("the connection broke"));
  CHECK(laban_with(cache.get(server.address("/w.safetensors"))).code == 0);
  CHECK(server.requests().back().find("Range:") == std::string::npos);
  CHECK(read_file(cache.place / "w.safetensors") == body);
}

TEST_CASE("a download that was stopped or killed is continued, where the file is still the same") {
  if (without_curl()) return;
  const std::string body = weights_of(600, 'c'), other = weights_of(500, 'd');
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    CAPTURE(signal);
    const Cache cache;
    FileServer server({.body = body, .stall_after = 300'000});
    const auto line = cache.get(server.address("/w.safetensors"));
    const fs::path part = cache.place / "w.safetensors.part", out = cache.folder.path() / "out";
    const pid_t process = test::start_program(line, out, out);
    std::error_code ignored;
    REQUIRE(test::wait_until([&] { return fs::exists(part) && fs::file_size(part, ignored) == 300'000; }));
    ::kill(process, signal);
    CHECK(test::wait_for(process) == (signal == SIGKILL ? -SIGKILL : 1));
    if (signal != SIGKILL)
      CHECK(read_file(out).find("stopped; what has come is kept in") != std::string::npos);
    CHECK(!fs::exists(cache.place / "w.safetensors"));
    const bool changed = signal == SIGTERM;
    if (changed)
      server.set({.body = other, .etag = "\"two\""});
    else
      server.set({.body = body});
    const Result got = laban_with(line);
    REQUIRE_MESSAGE(got.code == 0, got.said);
    CHECK(server.requests().back().find("Range: bytes=300000-") != std::string::npos);
    CHECK(read_file(cache.place / "w.safetensors") == (changed ? other : body));
    CHECK(cache.files() == std::vector<std::string>{"w.safetensors"});
  }
}

TEST_CASE("what is complete but was not taken in yet is not downloaded again") {
  if (without_curl()) return;
  const Cache cache;
  const std::string body = weights_of(50, 'e');
  FileServer server({.body = body});
  const std::string address = server.address("/w.safetensors");
  fs::create_directories(cache.place);
  write_file(cache.place / "w.safetensors.part", body);
  write_file(cache.place / "w.safetensors.part.origin", address + "\n\"one\"\n");
  CHECK(laban_with(cache.get(address)).code == 0);
  CHECK(read_file(cache.place / "w.safetensors") == body);
  // A server that knows no ranges sends all of it, which replaces what is there.
  fs::remove_all(cache.place);
  fs::create_directories(cache.place);
  write_file(cache.place / "w.safetensors.part", body.substr(0, 1000));
  write_file(cache.place / "w.safetensors.part.origin", address + "\n\"one\"\n");
  server.set({.body = body, .ranges = false});
  CHECK(laban_with(cache.get(address)).code == 0);
  CHECK(read_file(cache.place / "w.safetensors") == body);
}

TEST_CASE("what is not the wanted file is removed, and the reason said") {
  if (without_curl()) return;
  const Cache cache;
  FileServer server({.body = weights_of(50, 'f')});
  const Result mirror =
      laban_with(cache.get("torchvision/r3d_18", {"--from", server.address("/r3d_18.pth")}));
  CHECK(mirror.code == 1);
  CHECK(mirror.says("is not torchvision/r3d_18 and was removed"));
  CHECK(mirror.says("but b3b3357e... is published"));
  // Nothing is published of this one's SHA-256, but its tensors must fit.
  const Result tensors =
      laban_with(cache.get("vmz/r2plus1d_34_8_kinetics", {"--from", server.address("/w.pth")}));
  CHECK(tensors.code == 1);
  CHECK(tensors.says("does not fit the model r2plus1d_34"));
  server.set({.body = "<!DOCTYPE html><html>Please log in</html>"});
  const Result page = laban_with(cache.get(server.address("/w.pth")));
  CHECK(page.code == 1);
  CHECK(page.says("a page of HTML"));
  server.set({.body = "gone", .status = 404});
  const Result gone = laban_with(cache.get(server.address("/w.pth")));
  CHECK(gone.code == 1);
  CHECK(gone.says("the server answers 404 (not found)"));
  CHECK(cache.files().empty());
}

TEST_CASE("without a network: a sentence with the address, and where the file is to go") {
  if (without_curl()) return;
  const Cache cache;
  std::string closed;
  {
    FileServer server({});
    closed = server.address("/r3d_18-b3b3357e.pth");
  }
  const Result result = laban_with(cache.get("torchvision/r3d_18", {"--from", closed}));
  CHECK(result.code == 1);
  CHECK(result.says(closed + " cannot be reached"));
  CHECK(result.says("copy it to " + (cache.place / "r3d_18-b3b3357e.pth").string()));
  const Result drive = laban_with(cache.get("hara/r3d50_K_200ep"));
  CHECK(drive.code == 1);
  CHECK(drive.says("https://drive.google.com/"));
  CHECK(drive.says("r3d50_K_200ep.pth"));
}

TEST_CASE("a link in the place of a partial download is not followed") {
  if (without_curl()) return;
  const Cache cache;
  const fs::path precious = cache.folder.path() / "precious.txt";
  write_file(precious, "mine");
  fs::create_directories(cache.place);
  fs::create_symlink(precious, cache.place / "w.safetensors.part");
  FileServer server({.body = weights_of(50, 'g')});
  const Result result = laban_with(cache.get(server.address("/w.safetensors")));
  CHECK(result.code == 1);
  CHECK(read_file(precious) == "mine");
}

TEST_CASE("names and addresses that are none") {
  const auto said = [](const std::vector<std::string>& line) {
    const Result result = laban_with(line);
    CHECK(result.code == 2);
    return result.said;
  };
  CHECK(said({"weights", "get", "torchvision/r3d18"}).find("Did you mean torchvision/r3d_18") !=
        std::string::npos);
  CHECK(said({"weights", "get", "http://127.0.0.1/"}).find("name of a file") != std::string::npos);
  CHECK(said({"weights", "get", "http://127.0.0.1"}).find("name of a file") != std::string::npos);
  CHECK(said({"weights", "get", "ftp://127.0.0.1/x.pth"}).find("neither the name") != std::string::npos);
  CHECK(said({"weights", "get", "http://127.0.0.1/x.pth", "--sha256", "xyz"}).find("is no SHA-256") !=
        std::string::npos);
  for (const char* command : {"predict", "eval"}) {
    CAPTURE(command);
    CHECK(said({command, "x", "--weights", "torchvision/r3d_81"}).find("Did you mean torchvision/r3d_18") !=
          std::string::npos);
  }
  CHECK(said({"train", "x", "--weights", "torchvision/r3d_81"}).find("Did you mean torchvision/r3d_18") !=
        std::string::npos);
}
