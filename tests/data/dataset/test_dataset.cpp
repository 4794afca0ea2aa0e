// Finding clips, and splitting them.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

#include "core/error.h"
#include "core/rng.h"
#include "data/dataset/csv.h"
#include "data/dataset/dataset.h"
#include "data/made_clips.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

void touch(const fs::path& file, const std::string& content = "x") {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << content;
}

std::string reason(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> names(const Dataset& dataset) {
  std::vector<std::string> all;
  for (const DatasetItem& item : dataset.items) all.push_back(item.name);
  return all;
}

}  // namespace

TEST_CASE("class folders: videos, nested videos, folders of frames; what is neither is listed") {
  const test::Folder root("classes");
  touch(root.path() / "tango/b.mp4");
  touch(root.path() / "tango/deep/er/a.MOV");
  touch(root.path() / "tango/notes.txt");
  touch(root.path() / "tango/.hidden.mp4");
  touch(root.path() / "ballet/clip1/0001.jpg");
  touch(root.path() / "ballet/clip1/0002.jpg");
  touch(root.path() / "ballet/c.webm");
  touch(root.path() / ".git/x.mp4");
  touch(root.path() / "README.md");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.classes == std::vector<std::string>{"ballet", "tango"});
  CHECK(names(d) ==
        std::vector<std::string>{"ballet/c.webm", "ballet/clip1", "tango/b.mp4", "tango/deep/er/a.MOV"});
  CHECK(d.items[1].kind == ItemKind::frame_folder);
  CHECK(d.items[0].kind == ItemKind::video);
  CHECK(d.items[0].label == 0);
  CHECK(d.items[3].label == 1);
  CHECK(d.ignored == std::vector<std::string>{"README.md", "tango/notes.txt"});
}

TEST_CASE("split folders are taken as they are") {
  const test::Folder root("split_folders");
  touch(root.path() / "train/a/1.mp4");
  touch(root.path() / "train/b/2.mp4");
  touch(root.path() / "validation/a/3.mp4");
  touch(root.path() / "test/b/4.mp4");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.classes == std::vector<std::string>{"a", "b"});
  CHECK(names(d) ==
        std::vector<std::string>{"test/b/4.mp4", "train/a/1.mp4", "train/b/2.mp4", "validation/a/3.mp4"});
  CHECK(d.of(Split::train) == std::vector<int>{1, 2});
  CHECK(d.of(Split::val) == std::vector<int>{3});
  CHECK(d.require_split(Split::test) == std::vector<int>{0});
}

TEST_CASE("split.csv: its own columns, any order, quotes; an empty split is told when it is asked for") {
  const test::Folder root("split_csv");
  touch(root.path() / "x/1.mp4");
  touch(root.path() / "x/2, or so.mp4");
  touch(root.path() / "y/3.mp4");
  touch(root.path() / "frames/0.jpg");
  touch(root.path() / "split.csv",
        "bytes,split,label,path,group\r\n12,train,x,x/1.mp4,g1\r\n7,val,x,\"x/2, or "
        "so.mp4\",\r\n1,train,\"the \"\"y\"\"\",y/3.mp4,g1\r\n\r\n1,valid,x,frames,\r\n");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.classes == std::vector<std::string>{"the \"y\"", "x"});
  CHECK(names(d) == std::vector<std::string>{"frames", "x/1.mp4", "x/2, or so.mp4", "y/3.mp4"});
  CHECK(d.items[0].kind == ItemKind::frame_folder);
  CHECK(d.items[1].group == "g1");
  CHECK(d.items[2].group == "x/2, or so.mp4");
  CHECK(d.items[3].label == 0);
  CHECK(d.of(Split::train) == std::vector<int>{1, 3});
  CHECK(d.of(Split::val) == std::vector<int>{0, 2});
  CHECK(d.of(Split::test).empty());
  const std::string why = reason([&] { (void)d.require_split(Split::test); });
  CHECK(contains(why, "the split \"test\" is empty"));
  CHECK(contains(why, "2 clips in train, 2 in val and 0 in test"));
}

TEST_CASE("what cannot be learnt from is refused with what is wrong") {
  const test::Folder root("refused");
  const auto open = [&] { return reason([&] { open_dataset(root.path(), {}); }); };
  CHECK(contains(reason([&] { open_dataset(root.path() / "none", {}); }), "there is no such folder"));
  CHECK(contains(open(), "no dataset found"));
  CHECK(contains(open(), "csv: expected split.csv (columns path,label,split); found no split.csv"));
  CHECK(contains(open(), "classes: expected class folders of videos"));
  touch(root.path() / "a/1.mp4");
  CHECK(contains(reason([&] { open_dataset(root.path() / "a/1.mp4", {}); }), "is a clip, not a dataset"));
  CHECK(contains(open(), "only one class found, \"a\"; at least two are needed"));
  touch(root.path() / "b/readme.txt");
  CHECK(contains(open(), "b: the class folder contains neither videos nor pictures"));
  touch(root.path() / "b/1.jpg");
  CHECK(contains(open(), "a loose picture in a class folder"));
  const auto with_csv = [&](const std::string& csv) {
    touch(root.path() / "split.csv", csv);
    return open();
  };
  CHECK(contains(with_csv(""), "the file is empty"));
  CHECK(contains(with_csv("path,label\n"), "no column \"split\""));
  CHECK(contains(with_csv("path,label,split\na/1.mp4,a,train,more\n"),
                 "line 2: there are 4 cells for 3 columns"));
  CHECK(contains(with_csv("path,label,split\na/1.mp4,a,train\na/9.mp4,b,train\n"),
                 "line 3: there is no file \"a/9.mp4\""));
  CHECK(contains(with_csv("path,label,split\na/1.mp4,a,fold1\n"), "the split is \"fold1\""));
  CHECK(contains(with_csv("path,label,split\na/1.mp4,,train\n"), "the label is empty"));
  CHECK(contains(with_csv("path,label,split\na/1.mp4,a,train\na/1.mp4,b,val\n"), "listed twice"));
  CHECK(contains(with_csv("path,label,split\n\"a/1.mp4,a,train\n"),
                 "line 2: an opening quote is never closed"));
  CHECK(contains(with_csv("path,label,split\n"), "no clips are listed"));
}

TEST_CASE("names that are not UTF-8 are refused, and shown") {
  const auto told = [](const fs::path& root) { return reason([&] { open_dataset(root, {}); }); };
  for (const auto& [label, clip, shown] :
       {std::tuple("caf\xe9", "a.mp4", "caf\\xe9"), std::tuple("cafe", "\xfc.mp4", "\\xfc.mp4"),
        std::tuple("\xed\xa0\x80", "a.mp4", "\\xed\\xa0\\x80")}) {
    const test::Folder folder("latin1");
    touch(folder.path() / "other" / "1.mp4");
    touch(folder.path() / "other" / "2.mp4");
    touch(folder.path() / label / clip);
    const std::string why = told(folder.path());
    CHECK_MESSAGE(contains(why, " is not UTF-8, the only encoding"), why);
    CHECK_MESSAGE(contains(why, shown), why);
    CHECK_FALSE(contains(why, "caf\xe9"));
    CHECK(contains(reason([&] { unlabeled({folder.path()}); }), "is not UTF-8"));
  }
  const test::Folder folder("latin1_list");
  touch(folder.path() / "1.mp4");
  touch(folder.path() / "2.mp4");
  touch(folder.path() / "split.csv", "path,label,split\n1.mp4,caf\xe9,train\n2.mp4,tango,train\n");
  CHECK(contains(told(folder.path()), "\"caf\\xe9\" is not UTF-8"));
  touch(folder.path() / "split.csv", "path,label,split\n1.mp4,café,train\n2.mp4,tango,train\n");
  CHECK(told(folder.path()) == "accepted");
}

TEST_CASE("confined, a dataset has no clips elsewhere: by absolute paths, by .., by links") {
  const test::Folder folder("confined");
  const fs::path root = folder.path() / "set", outside = folder.path() / "outside";
  for (const char* name : {"a.mp4", "b.mp4"}) {
    touch(root / name);
    touch(outside / name);
  }
  fs::create_symlink(outside / "a.mp4", root / "link.mp4");
  fs::create_symlink(root / "a.mp4", root / "inner.mp4");
  fs::create_directory_symlink(outside, root / "folder");
  const auto listed = [&](const std::string& path, const DatasetSettings& settings) {
    touch(root / "split.csv", "path,label,split\nb.mp4,tango,train\n" + path + ",waltz,train\n");
    return reason([&] { open_dataset(root, settings); });
  };
  for (const std::string& path : {(outside / "a.mp4").string(), std::string("../outside/a.mp4"),
                                  std::string("link.mp4"), std::string("folder/a.mp4")}) {
    CAPTURE(path);
    CHECK(listed(path, {}) == "accepted");
    const std::string why = listed(path, {.confine = true});
    CHECK_MESSAGE(
        contains(why, "lies outside, at " + (outside / "a.mp4").string() + ", which --confine forbids"), why);
    CHECK(listed(path, {.media = outside, .confine = true}) == "accepted");
  }
  for (const char* path : {"a.mp4", "../set/a.mp4", "inner.mp4"})
    CHECK(listed(path, {.confine = true}) == "accepted");
}

TEST_CASE("a pipe that is called like a list is not waited for") {
  for (const char* name : {"split.csv", "train.txt", kIndexFile, "trainlist01.txt", "classInd.txt"}) {
    CAPTURE(std::string(name));
    const test::Folder folder("pipe");
    for (const char* clip : {"a/1.mp4", "b/1.mp4"}) touch(folder.path() / clip);
    REQUIRE(::mkfifo((folder.path() / name).c_str(), 0600) == 0);
    reason([&] { open_dataset(folder.path(), {}); });  // comes back
    const std::string why = reason([&] { open_dataset(folder.path() / name, {}); });
    CHECK(why != "accepted");
  }
}

TEST_CASE("groups by name") {
  CHECK(group_of("v_Basketball_g01_c03") == "v_Basketball_g01");
  CHECK(group_of("v_Basketball_g01_c04") == "v_Basketball_g01");
  CHECK(group_of("dQw4w9WgXcQ_120") == "dQw4w9WgXcQ");
  CHECK(group_of("dQw4w9WgXcQ_000010_000020") == "dQw4w9WgXcQ");
  CHECK(group_of("dQw4w9WgXcQ_1_2_3") == "dQw4w9WgXcQ_1_2_3");
  CHECK(group_of("a_b-c_d_e_f_7") == "a_b-c_d_e_f");  // eleven letters, with the id's own _ and -
  CHECK(group_of("clip_001") == "clip_001");
  CHECK(group_of("a_good_g1_c1") == "a_good_g1_c1");  // one digit is no group
  CHECK(group_of("_g01") == "_g01");
  CHECK(group_of("") == "");
}

TEST_CASE("the split: shares, strata, whole groups, and nothing but names and seed") {
  Rng rng(2, Purpose::test);
  for (int round = 0; round < 30; ++round) {
    Dataset d{.classes = {"a", "b", "c"}};
    for (int c = 0; c < 3; ++c) {
      const int groups = static_cast<int>(rng.integer(10, 60));
      for (int g = 0; g < groups; ++g)
        for (int64_t n = rng.integer(1, 4); n > 0; --n)
          d.items.push_back({.name = text("c", c, "/", g, "_", n), .label = c, .group = text(c, "g", g)});
    }
    const SplitSettings settings{.seed = static_cast<uint64_t>(round)};
    assign_splits(d, settings);
    std::map<std::string, std::set<Split>> of_group;
    std::array<std::array<int, 3>, 3> count{};
    for (const DatasetItem& item : d.items) {
      of_group[item.group].insert(item.split);
      ++count[static_cast<size_t>(item.label)][static_cast<size_t>(item.split)];
    }
    for (const auto& [group, splits] : of_group) CHECK(splits.size() == 1);
    for (const auto& [train, val, test] : count) {
      const double total = train + val + test;
      CHECK(std::abs(train - 0.8 * total) <= 4);  // within a group's size of its share
      CHECK(std::abs(val - 0.1 * total) <= 4);
      CHECK(std::abs(test - 0.1 * total) <= 4);
      CHECK(val > 0);
      CHECK(test > 0);
    }
    // Another order of the same clips gives the same split; another seed another.
    Dataset shuffled = d;
    rng.shuffle(shuffled.items);
    assign_splits(shuffled, settings);
    std::ranges::sort(shuffled.items, {}, &DatasetItem::name);
    std::ranges::sort(d.items, {}, &DatasetItem::name);
    int moved = 0;
    for (size_t i = 0; i < d.items.size(); ++i) CHECK(shuffled.items[i].split == d.items[i].split);
    assign_splits(shuffled, {.seed = 1000});
    for (size_t i = 0; i < d.items.size(); ++i) moved += shuffled.items[i].split != d.items[i].split;
    CHECK(moved > 0);
  }
}

TEST_CASE("the split of single clips is exact, and does not change from version to version") {
  Dataset d{.classes = {"a", "b"}};
  for (int i = 0; i < 100; ++i) {
    const std::string name = text("clip", i);
    d.items.push_back({.name = name, .label = i % 2, .group = name});
  }
  assign_splits(d, {.seed = 1});
  for (int c = 0; c < 2; ++c) {
    std::array<int, 3> count{};
    for (const DatasetItem& item : d.items)
      if (item.label == c) ++count[static_cast<size_t>(item.split)];
    CHECK(count == std::array{40, 5, 5});
  }
  std::string validation;
  for (const DatasetItem& item : d.items)
    if (item.split == Split::val) validation += item.name + " ";
  CHECK(validation == "clip11 clip22 clip27 clip28 clip38 clip43 clip51 clip57 clip68 clip86 ");
}

TEST_CASE("a class from one source, and shares that make no split, are refused") {
  Dataset d{.root = "here", .classes = {"a", "b"}};
  for (int i = 0; i < 6; ++i)
    d.items.push_back(
        {.name = std::to_string(i), .label = i % 2, .group = i % 2 ? "one" : std::to_string(i)});
  CHECK(contains(reason([&] { assign_splits(d, {}); }), "all 3 clips of class \"b\" come from one source"));
  CHECK_THROWS_AS(assign_splits(d, {.train = 0.9, .val = 0.2}), UsageError);
  CHECK_THROWS_AS(assign_splits(d, {.train = 0}), UsageError);
}

TEST_CASE("the shapes that others made") {
  const fs::path shapes = fs::path(LABAN_SOURCE_DIR) / ".." / "shared" / "clips" / "shapes";
  if (!fs::exists(shapes)) {
    MESSAGE("SKIPPED: no real clips at " << shapes.string());
    return;
  }
  const Dataset d = open_dataset(shapes, {});
  CHECK(d.classes == std::vector<std::string>{"circular", "horizontal", "vertical"});
  CHECK(d.of(Split::train).size() == 108);
  CHECK(d.of(Split::val).size() == 27);
  CHECK(d.items[0].group == "bluegreen_circle");
}

TEST_CASE(
    "clips without labels: files as they are given, folders of frames, and what lies in other folders") {
  const test::Folder root("unlabeled");
  touch(root.path() / "videos/b.mp4");
  touch(root.path() / "videos/a.mkv");
  touch(root.path() / "videos/cover.jpg");
  touch(root.path() / "videos/notes.txt");
  touch(root.path() / "videos/deep/er/c.webm");
  touch(root.path() / "frames/0001.jpg");
  touch(root.path() / "many/one/0001.png");
  touch(root.path() / "many/two/0001.png");
  touch(root.path() / "none/text.txt");
  const auto found = [&](const std::vector<const char*>& given) {
    std::vector<fs::path> paths;
    for (const char* path : given) paths.push_back(root.path() / path);
    std::vector<std::string> shown;
    for (const DatasetItem& item : unlabeled(paths).items)
      shown.push_back(item.path.lexically_relative(root.path()).string() +
                      (item.kind == ItemKind::frame_folder ? "/" : ""));
    return shown;
  };
  using Names = std::vector<std::string>;
  CHECK(found({"videos/b.mp4", "videos/notes.txt"}) == Names{"videos/b.mp4", "videos/notes.txt"});
  CHECK(found({"videos"}) == Names{"videos/a.mkv", "videos/b.mp4", "videos/deep/er/c.webm"});
  // A text is a list if a clip in it exists; one that does not is a clip that cannot be read.
  touch(root.path() / "list.txt", "videos/b.mp4\n\n\"videos/a.mkv\"\nvideos/gone.mp4\nframes\n");
  CHECK(found({"list.txt"}) == Names{"videos/b.mp4", "videos/a.mkv", "videos/gone.mp4", "frames/"});
  touch(root.path() / "list.csv", "path,label\nvideos/b.mp4,-1\nframes,-1\n");
  CHECK(found({"list.csv"}) == Names{"videos/b.mp4", "frames/"});
  touch(root.path() / "list.txt", "videos/b.mp4 0\r\nvideos/a.mkv -1\r\n");
  CHECK(found({"list.txt"}) == Names{"videos/b.mp4", "videos/a.mkv"});
  CHECK(found({"frames", "many"}) == Names{"frames/", "many/one/", "many/two/"});
  CHECK(reason([&] { found({"none"}); }).find("there are no videos or pictures in this folder") !=
        std::string::npos);
}
