// A video is one file: whatever stands in it, and however it is called, nothing else is opened; and what is
// no video is called by its name.
#include <doctest/doctest.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "data/made_clips.h"
#include "data/video/video.h"
#include "data/video/watch.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

/// "accepted", or what the refusal says.
std::string verdict(const fs::path& file) {
  try {
    index_video(file, Trust::nothing);
  } catch (const FileError& error) {
    CHECK(error.file() == file.string());
    return error.what();
  }
  return "accepted";
}

bool says(const std::string& all, const std::string& part) { return all.find(part) != std::string::npos; }

/// What of a folder is opened, by anybody, as the system tells it.
class Opened {
 public:
  explicit Opened(const fs::path& folder) : queue_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    REQUIRE(queue_ >= 0);
    REQUIRE(::inotify_add_watch(queue_, folder.c_str(), IN_OPEN) >= 0);
  }
  ~Opened() { ::close(queue_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  std::set<std::string> since_last_asked() const {
    std::set<std::string> names;
    alignas(inotify_event) std::array<char, 4096> events;
    for (ssize_t got; (got = ::read(queue_, events.data(), events.size())) > 0;)
      for (ssize_t at = 0; at < got;) {
        inotify_event event;
        std::memcpy(&event, &events[static_cast<size_t>(at)], sizeof event);
        if (event.len > 0) names.insert(&events[static_cast<size_t>(at) + sizeof event]);
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
    return names;
  }

 private:
  int queue_;
};

std::string hls_of(const std::string& target) {
  return "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + target + "\n#EXT-X-ENDLIST\n";
}

std::string dash_of(const std::string& target) {
  return "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" "
         "profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\" type=\"static\" "
         "mediaPresentationDuration=\"PT1S\"><Period><AdaptationSet mimeType=\"video/mp4\"><Representation "
         "id=\"1\" "
         "bandwidth=\"1\"><BaseURL>" +
         target + "</BaseURL></Representation></AdaptationSet></Period></MPD>";
}

using Bytes = std::vector<unsigned char>;

void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }
void append(Bytes& out, const std::string& more) { out.insert(out.end(), more.begin(), more.end()); }
Bytes number(uint32_t value, int bytes) {
  Bytes out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<unsigned char>(value >> 8 * i));
  return out;
}
Bytes box(const std::string& name, const Bytes& inside) {
  Bytes out = number(static_cast<uint32_t>(inside.size()) + 8, 4);
  append(out, name);
  append(out, inside);
  return out;
}

/// An MP4's boxes, with another "dref" in each of its tracks.
Bytes with_references(const Bytes& boxes, const Bytes& dref) {
  Bytes out;
  for (size_t at = 0; at + 8 <= boxes.size();) {
    const size_t length =
        size_t{boxes[at]} << 24 | size_t{boxes[at + 1]} << 16 | size_t{boxes[at + 2]} << 8 | boxes[at + 3];
    REQUIRE(length >= 8);
    const std::string name(boxes.begin() + static_cast<std::ptrdiff_t>(at) + 4,
                           boxes.begin() + static_cast<std::ptrdiff_t>(at) + 8);
    Bytes inside(boxes.begin() + static_cast<std::ptrdiff_t>(at) + 8,
                 boxes.begin() + static_cast<std::ptrdiff_t>(at + length));
    if (name == "dref") inside = dref;
    if (std::set<std::string>{"moov", "trak", "mdia", "minf", "dinf"}.contains(name))
      inside = with_references(inside, dref);
    append(out, box(name, inside));
    at += length;
  }
  return out;
}

/// One entry; `flags` 1: the media are in the same file.
Bytes one_reference(const std::string& kind, uint32_t flags, const Bytes& place) {
  Bytes entry = number(flags, 4), dref = number(0, 4);
  append(entry, place);
  append(dref, number(1, 4));
  append(dref, box(kind, entry));
  return dref;
}

/// The alias record that QuickTime wrote for a file beside this one (Inside Macintosh: Files, Alias Manager).
Bytes alias_to(const std::string& name) {
  Bytes record(10);  // the application's and the record's size; version and kind
  const auto padded = [&](const std::string& letters, size_t room) {
    record.push_back(static_cast<unsigned char>(letters.size()));
    append(record, letters);
    record.resize(record.size() + room - letters.size());
  };
  padded("disk", 27);
  record.resize(record.size() + 12);  // when and how the volume was made, and its folder
  padded(name, 63);
  record.resize(record.size() + 16);  // the file's number, time, creator and type
  append(record, number(1, 2));       // levels up to where they meet
  append(record, number(1, 2));
  record.resize(record.size() + 16);
  const std::string path = "disk:folder:" + name;
  append(record, number(2, 2));  // an absolute path
  append(record, number(static_cast<uint32_t>(path.size()), 2));
  append(record, path);
  if (path.size() % 2) record.push_back(0);
  append(record, number(0xffff, 2));
  append(record, number(0, 2));
  return record;
}

}  // namespace

TEST_CASE("what is no video is refused by its name, whatever it is called") {
  const test::Folder folder("other_kinds");
  const std::string picture("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90\x77\x53\xde", 33);
  const std::string wave(
      "RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0", 44);
  struct Kind {
    std::string extension, content, called;
  };
  const std::vector<Kind> kinds{
      {"m3u8", hls_of("clip.ts"), "is an HLS playlist, not a video"},
      {"m3u", "#EXTM3U\n#EXTINF:1,x\nclip.ts\n", "is an M3U playlist, not a video"},
      {"mpd", dash_of("clip.mp4"), "is a DASH manifest, not a video"},
      {"ffconcat", "ffconcat version 1.0\nfile clip.mp4\n", "is an ffconcat script, not a video"},
      {"xml",
       "<?xml version=\"1.0\"?>\n<CompositionPlaylist xmlns=\"http://www.smpte-ra.org/schemas/2067-3/2016\">",
       "is an IMF composition playlist, not a video"},
      {"sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
       "is an SDP session description, not a video"},
      {"pls", "[playlist]\nFile1=clip.mp4\nNumberOfEntries=1\n", "is a PLS playlist, not a video"},
      {"asx", "<asx version=\"3.0\"><entry><ref href=\"clip.mp4\"/></entry></asx>",
       "is an ASX playlist, not a video"},
      {"smil", "<smil><body><video src=\"clip.mp4\"/></body></smil>", "is a SMIL playlist, not a video"},
      {"html", "\n<!DOCTYPE html><html>not found</html>", "is a web page, not a video"},
      {"vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\nwords\n", "is a subtitle file (WebVTT), not a video"},
      {"srt", "1\n00:00:00,000 --> 00:00:01,000\nwords\n\n", "is a subtitle file (SRT), not a video"},
      {"txt", "words, and words are no moving pictures\n", "is a text file, not a video"},
      {"png", picture, "is a picture (PNG), not a video"},
      {"wav", wave, "is a sound file (WAV), not a video"},
  };
  for (const Kind& kind : kinds)
    for (const std::string& extension :
         {kind.extension, std::string("mp4"), std::string("avi"), std::string("")}) {
      const fs::path file = folder.path() / (extension.empty() ? "x" : "x." + extension);
      CAPTURE(kind.called);
      CAPTURE(extension);
      std::ofstream(file, std::ios::binary) << kind.content;
      CHECK_THROWS_AS(index_video(file), NoVideoError);
      CHECK_MESSAGE(says(verdict(file), kind.called), verdict(file));
    }
}

TEST_CASE("nothing but the named file is opened: playlists, scripts, references of MP4") {
  const test::Folder folder("nothing_else");
  const fs::path clip = folder.path() / "clip.mp4", segment = folder.path() / "clip.ts";
  test::make_video(clip, {.frames = 5});
  test::make_video(segment, {.frames = 5});
  const Bytes bytes = test::bytes_of(clip);
  const std::string whole = segment.string();
  const std::vector<std::pair<std::string, std::string>> texts{
      {"self.m3u8", hls_of("self.m3u8")},
      {"beside.m3u8", hls_of("clip.ts")},
      {"whole.m3u8", hls_of(whole)},
      {"whole.mp4", hls_of(whole)},
      {"self.mpd", dash_of("self.mpd")},
      {"beside.mpd", dash_of("clip.mp4")},
      {"self.mp4", dash_of("self.mp4")},
      {"list.ffconcat", "ffconcat version 1.0\nfile clip.mp4\n"},
      {"list.mp4", "ffconcat version 1.0\nfile clip.mp4\n"},
  };
  const std::vector<std::pair<std::string, Bytes>> films{
      {"url.mp4", one_reference("url ", 0,
                                [] {
                                  Bytes place;
                                  append(place, std::string("clip.ts") + '\0');
                                  return place;
                                }())},
      {"alias.mov", one_reference("alis", 0, alias_to("clip.mp4"))},
      {"marked_own.mov", one_reference("alis", 1, alias_to("clip.mp4"))},
  };
  for (const auto& [name, content] : texts) std::ofstream(folder.path() / name) << content;
  for (const auto& [name, dref] : films)
    test::write_bytes(folder.path() / name, with_references(bytes, dref));
  const Opened opened(folder.path());
  const auto refused = [&](const std::string& name) {
    CAPTURE(name);
    const std::string said = verdict(folder.path() / name);
    CHECK(said != "accepted");
    CHECK(opened.since_last_asked() == std::set<std::string>{name});
    return said;
  };
  for (const auto& [name, content] : texts) CHECK(says(refused(name), ", not a video"));
  for (const auto& [name, dref] : films) {
    const std::string said = refused(name);
    CHECK_MESSAGE(says(said, "keeps its pictures in another file (clip."), said);
  }
  // References to the file itself are what every MP4 has.
  for (const Bytes& own :
       {one_reference("url ", 1, {}), one_reference("url ", 0, {0}), one_reference("alis", 1, {})}) {
    test::write_bytes(folder.path() / "own.mp4", with_references(bytes, own));
    CHECK(index_video(folder.path() / "own.mp4")->frame_count() == 5);
  }
}

TEST_CASE("a file's name means nothing but the file") {
  const test::Folder folder("names");
  const fs::path made = folder.path() / "made.mp4";
  test::make_video(made, {.frames = 7});
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  for (const char* name :
       {"http:", "http:x.mp4", "file:x.mp4", "concat:a|b", "subfile,,start,0,end,9,,:x", "pipe:0", "-",
        "data:x", "img%d.png", "img*.png", "v%03d.mp4", "x.m3u8", "x.txt", "x.\nmp4", "none"}) {
    CAPTURE(name);
    fs::copy_file(made, name);
    CHECK(verdict(name) == "accepted");
    fs::remove(name);
    CHECK(says(verdict(name), "there is no such file"));
  }
  fs::current_path(before);
}

TEST_CASE("only regular files are opened") {
  const test::Folder folder("irregular");
  const auto at = [&](const char* name) { return folder.path() / name; };
  test::make_video(at("real.mp4"), {.frames = 3});
  fs::create_symlink("real.mp4", at("link.mp4"));
  CHECK(verdict(at("link.mp4")) == "accepted");
  fs::create_symlink("nowhere.mp4", at("dangling.mp4"));
  CHECK(says(verdict(at("dangling.mp4")), "a link that leads nowhere"));
  fs::create_symlink("loop.mp4", at("loop.mp4"));
  CHECK(says(verdict(at("loop.mp4")), "cannot be opened: "));
  REQUIRE(::mkfifo(at("pipe.mp4").c_str(), 0600) == 0);
  CHECK(says(verdict(at("pipe.mp4")), "is not a regular file, but a named pipe"));
  fs::create_symlink("/dev/zero", at("zero.mp4"));
  CHECK(says(verdict(at("zero.mp4")), "is not a regular file, but a device"));
  fs::create_directory(at("folder.mp4"));
  CHECK(says(verdict(at("folder.mp4")), "is not a regular file, but a folder"));
  const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = at("s.mp4").string();
  if (name.size() < sizeof address.sun_path) {
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    REQUIRE(::bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    CHECK(says(verdict(at("s.mp4")), "is not a regular file, but a socket"));
  }
  ::close(made);
}

TEST_CASE("libav hears a withdrawn request while it reads on and on") {
  const test::Folder folder("endless");
  // One asks libav's interrupt callback as it goes, the other only what it reads from.
  for (const char* name : {"v.ts", "v.h264"}) {
    const fs::path file = folder.path() / name;
    if (file.extension() == ".h264" && !test::can_encode("libx264")) continue;
    test::make_endless_video(file);
    std::atomic<bool> cancel{false};
    const auto begin = std::chrono::steady_clock::now();
    std::thread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      cancel = true;
    });
    CHECK_THROWS_AS(index_video(file, Trust::nothing, &cancel), Canceled);
    later.join();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
  }
}
