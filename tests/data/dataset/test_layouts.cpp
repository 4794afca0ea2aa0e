// All dataset layouts.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "data/dataset/dataset.h"
#include "data/load/clip_reader.h"
#include "data/made_clips.h"

using namespace laban;
namespace fs = std::filesystem;

namespace {

void put(const fs::path& file, const std::string& content = "x") {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << content;
}

std::string reason(const fs::path& data, const DatasetSettings& settings = {}) {
  try {
    open_dataset(data, settings);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}
void refuses(const fs::path& data, const std::string& because, const DatasetSettings& settings = {}) {
  const std::string why = reason(data, settings);
  CAPTURE(why);
  CAPTURE(because);
  CHECK(why.find(because) != std::string::npos);
}

std::vector<std::string> names(const Dataset& d) {
  std::vector<std::string> all;
  for (const DatasetItem& item : d.items) all.push_back(item.name);
  return all;
}
const DatasetItem& item(const Dataset& d, const std::string& name) {
  const auto found = std::ranges::find(d.items, name, &DatasetItem::name);
  if (found == d.items.end()) throw std::runtime_error("no item " + name);
  return *found;
}
std::string label(const Dataset& d, const std::string& name) {
  return d.classes[static_cast<size_t>(item(d, name).label)];
}
std::string noted(const Dataset& d) {
  std::string all;
  for (const std::string& note : d.notes) all += note + "\n";
  return all;
}

}  // namespace

TEST_CASE("Let's Dance: loose pictures of many clips in a class folder, names read from the right") {
  const test::Folder root("lets_dance");
  const auto clip = [&](const std::string& name, int first, int count) {
    for (int i = 0; i < count; ++i) {
      char number[16];
      std::snprintf(number, sizeof number, "_%04d.jpg", first + i);
      put(root.path() / "rgb" / (name + number));
    }
  };
  clip("tango/a_b-c_d_e_f_12", 1, 5);  // the id a_b-c_d_e_f
  clip("tango/a_b-c_d_e_f_120", 0, 3);
  clip("tango/-Xy_z_7", 1, 2);
  clip("waltz/01234567890_5", 9998, 4);  // on to five digits
  put(root.path() / "rgb/waltz/notes.txt");
  clip("waltz/gap_3", 1, 2);
  clip("waltz/gap_3", 4, 1);
  put(root.path() / "flow/tango/other/0001.jpg");  // another view of the same videos
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.layout == "flat");
  CHECK(d.classes == std::vector<std::string>{"tango", "waltz"});
  CHECK(names(d) == std::vector<std::string>{"rgb/tango/-Xy_z_7", "rgb/tango/a_b-c_d_e_f_12",
                                             "rgb/tango/a_b-c_d_e_f_120", "rgb/waltz/01234567890_5",
                                             "rgb/waltz/gap_3"});
  CHECK(item(d, "rgb/tango/a_b-c_d_e_f_12").group == "a_b-c_d_e_f");
  CHECK(item(d, "rgb/tango/a_b-c_d_e_f_120").group == "a_b-c_d_e_f");
  CHECK(item(d, "rgb/tango/-Xy_z_7").group == "-Xy_z");
  CHECK(item(d, "rgb/tango/a_b-c_d_e_f_12").range == FrameRange{.first = 1, .count = 5});
  CHECK(item(d, "rgb/waltz/01234567890_5").range == FrameRange{.first = 9998, .count = 4});
  CHECK(item(d, "rgb/waltz/01234567890_5").filename_pattern == "01234567890_5_%04d.jpg");
  CHECK_FALSE(item(d, "rgb/waltz/gap_3").range.has_value());
  CHECK(d.ignored == std::vector<std::string>{"rgb/waltz/notes.txt"});
  // The rgb folder itself is the same dataset.
  CHECK(open_dataset(root.path() / "rgb", {}).items.size() == 5);

  // A stray is named, and nothing stops; a series that cannot be assigned to clips does.
  put(root.path() / "rgb/tango/cover.jpg");
  const Dataset with_cover = open_dataset(root.path(), {});
  CHECK(names(with_cover) == names(d));
  CHECK(noted(with_cover).find("rgb/tango: the picture cover.jpg is not part of a clip") !=
        std::string::npos);
  for (const char* loose : {"rgb/tango/loose-1.jpg", "rgb/tango/loose-2.jpg"}) put(root.path() / loose);
  refuses(root.path(),
          "loose-1.jpg: a loose picture in a class folder whose name does not tell to which clip it belongs");
  for (const char* loose : {"rgb/tango/loose-1.jpg", "rgb/tango/loose-2.jpg"})
    fs::remove(root.path() / loose);
  put(root.path() / "rgb/tango/-Xy_z_7_00003.jpg");
  refuses(root.path(), "follow two patterns");
}

TEST_CASE("loose pictures become clips that can be read, gaps told") {
  const test::Folder root("flat_read");
  const std::vector<unsigned char> bmp = test::tiny_bmp();
  for (const char* name : {"a/x_1_0001.bmp", "a/x_1_0002.bmp", "a/x_1_0003.bmp", "a/y_1_0001.bmp",
                           "a/y_1_0002.bmp", "a/y_1_0003.bmp", "a/y_1_0007.bmp", "b/z_1_0000.bmp"})
    test::write_bytes(root.path() / name, bmp);
  const Dataset d = open_dataset(root.path(), {});
  const auto frames = [&](const std::string& name) {
    return index_item(item(d, name), Trust::long_tables, nullptr);
  };
  CHECK(frames("a/x_1")->frame_count() == 3);
  CHECK(frames("a/x_1")->folder()->picture(2).filename() == "x_1_0003.bmp");
  CHECK(frames("a/x_1")->folder()->gap.empty());
  CHECK(frames("a/y_1")->frame_count() == 4);
  CHECK(frames("a/y_1")->folder()->gap == "y_1_0003.bmp is followed by y_1_0007.bmp");
  CHECK(frames("b/z_1")->frame_count() == 1);
  // A picture that goes after the folder was looked at is missed, by name.
  fs::remove(root.path() / "a/x_1_0002.bmp");
  CHECK_THROWS_WITH_AS(frames("a/x_1"),
                       doctest::Contains("frames 1 to 3 are requested, but x_1_0002.bmp is missing"),
                       FileError);
}

TEST_CASE("annotation lists: folders of pictures, ranges in the numbers of their names") {
  const test::Folder root("lists");
  const std::vector<unsigned char> bmp = test::tiny_bmp();
  for (int k = 1; k <= 9; ++k)
    for (const char* clip : {"jumping/0001", "running/0002"})
      test::write_bytes(root.path() / clip / ("img_0000" + std::to_string(k) + ".bmp"), bmp);
  put(root.path() / "annotations.txt",
      "jumping/0001 1 4 0\njumping/0001 5 9 0\n\n# more\nrunning/0002 3 9 1\n");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.layout == "lists");
  CHECK(d.classes == std::vector<std::string>{"jumping", "running"});  // told by the folders
  CHECK(names(d) == std::vector<std::string>{"jumping/0001[1-4]", "jumping/0001[5-9]", "running/0002[3-9]"});
  const auto second = index_item(d.items[1], Trust::long_tables, nullptr);
  CHECK(second->frame_count() == 5);
  CHECK(second->folder()->picture(0).filename() == "img_00005.bmp");
  CHECK(second->folder()->picture(4).filename() == "img_00009.bmp");
  // The template says the same.
  const Dataset named = open_dataset(root.path(), {.filename_pattern = "img_{:05d}.bmp"});
  CHECK(index_item(named.items[1], Trust::long_tables, nullptr)->folder()->picture(0).filename() ==
        "img_00005.bmp");
  CHECK_THROWS_WITH_AS(index_item(open_dataset(root.path(), {.filename_pattern = "f%d.bmp"}).items[0],
                                  Trust::long_tables, nullptr),
                       doctest::Contains("f1.bmp is missing"), FileError);

  put(root.path() / "annotations.txt", "jumping/0001 9 0\nrunning/0002 10 1\n");
  const Dataset counted = open_dataset(root.path(), {});
  CHECK(index_item(counted.items[0], Trust::long_tables, nullptr)->frame_count() == 9);
  CHECK_THROWS_WITH_AS(index_item(counted.items[1], Trust::long_tables, nullptr),
                       doctest::Contains("10 frames are requested, but the folder contains 9"), FileError);
  put(root.path() / "annotations.txt", "jumping/0001 0 4 0\nrunning/0002 3 9 1\n");
  CHECK_THROWS_WITH_AS(index_item(open_dataset(root.path(), {}).items[0], Trust::long_tables, nullptr),
                       doctest::Contains("frames 0 to 4 are requested, but number 0 is missing"), FileError);
}

TEST_CASE("annotation lists: a stretch of a video limits what is drawn from it") {
  const test::Folder root("stretches");
  test::make_video(root.path() / "videos/one.mp4", {.frames = 40});
  put(root.path() / "list.txt", "one.mp4 10 19 up\none.mp4 30 39 down\n");
  const Dataset d = open_dataset(root.path() / "list.txt", {.split = {.train = 1, .val = 0}});
  REQUIRE(d.items.size() == 2);
  CHECK(names(d) == std::vector<std::string>{"videos/one.mp4[10-19]", "videos/one.mp4[30-39]"});
  CHECK(d.items[0].range == FrameRange{.first = 10, .count = 10});
  const auto index = index_item(d.items[0], Trust::long_tables, nullptr);
  CHECK(index->frame_count() == 10);
  CHECK(index->first_frame() == 10);
  const ClipSettings training{
      .sampler = {.frames = 4},
      .transform = {.short_side_min = 32, .short_side_max = 32, .crop = 32, .flip = 0}};
  ClipReader reader;
  std::vector<float> out(4 * 32 * 32 * 3);
  std::vector<int64_t> frames;
  std::set<int64_t> seen;
  for (int position = 0; position < 60; ++position) {
    reader.read(d.items[0], *index, training, {.position = position}, nullptr, out.data(), frames);
    seen.insert(frames.begin(), frames.end());
    // Frame k of the file shows number k: what is read is what is told.
    const double shown = (out[3 * (16 * 32 + 4)] * 0.225 + 0.45) * 255;
    CHECK(std::abs(shown - (test::shade_of(static_cast<int>(frames[0])) - 16) * 255.0 / 219) < 15);
  }
  CHECK(*seen.begin() == 10);
  CHECK(*seen.rbegin() == 17);  // m = 2, so tsn never draws the last two of ten
  ClipSettings test = training;
  test.mode = SampleMode::test;
  reader.read(d.items[1], *index_item(d.items[1], Trust::long_tables, nullptr), test, {}, nullptr, out.data(),
              frames);
  CHECK(frames == std::vector<int64_t>{31, 33, 36, 38});
  put(root.path() / "list.txt", "one.mp4 10 40 up\none.mp4 30 39 down\n");
  CHECK_THROWS_WITH_AS(
      index_item(open_dataset(root.path() / "list.txt", {.split = {.train = 1, .val = 0}}).items[0],
                 Trust::long_tables, nullptr),
      doctest::Contains("frames 10 to 40 are requested, but the video has 40 (0 to 39)"), FileError);
}

TEST_CASE("annotation lists by split, as Kinetics tools write them; odd names; class names beside them") {
  const test::Folder root("kinetics");
  const std::vector<std::string> odd{"a b.mp4", "it's \"quoted\".mp4", "line\nend.mp4", "タンゴ.mp4",
                                     "#1.mp4"};
  for (const std::string& name : odd) put(root.path() / "media/one" / name);
  for (int i = 0; i < 4; ++i) put(root.path() / "media/two" / (std::to_string(i) + ".mp4"));
  put(root.path() / "kinetics_train_list.txt",
      "one/a b.mp4 10\n\"one/it's \"\"quoted\"\".mp4\" 10\n\"one/line\nend.mp4\" 10\none/タンゴ.mp4 "
      "10\ntwo/0.mp4 9\ntwo/1.mp4 9\n");
  put(root.path() / "kinetics_val_list.txt", "\"one/#1.mp4\" 10\ntwo/2.mp4 9\n");
  put(root.path() / "kinetics_test_list.csv", "path,label\ntwo/3.mp4,9\n");
  put(root.path() / "README.txt", "Three lists and their videos.\n");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.classes == std::vector<std::string>{"two", "one"});  // in the order of their numbers
  CHECK(d.of(Split::train).size() == 6);
  CHECK(d.of(Split::val).size() == 2);
  CHECK(d.of(Split::test).size() == 1);
  CHECK(label(d, "media/one/line\nend.mp4") == "one");
  CHECK(label(d, "media/two/3.mp4") == "two");
  CHECK(item(d, "media/one/#1.mp4").split == Split::val);
  put(root.path() / "label_map.txt", "9 waltz\n10 paso doble\n");
  CHECK(open_dataset(root.path(), {}).classes == std::vector<std::string>{"waltz", "paso doble"});
  put(root.path() / "label_map.txt", "waltz\n");
  CHECK(noted(open_dataset(root.path(), {})).find("does not name every label") != std::string::npos);

  SUBCASE("the index has all of it") {
    put(root.path() / kIndexFile, index_text(d, root.path()));
    const Dataset again = open_dataset(root.path(), {});
    CHECK(again.layout == "index");
    CHECK(names(again) == names(d));
    for (size_t i = 0; i < d.items.size(); ++i) {
      CHECK(again.classes[static_cast<size_t>(again.items[i].label)] ==
            d.classes[static_cast<size_t>(d.items[i].label)]);
      CHECK(again.items[i].split == d.items[i].split);
      CHECK(again.items[i].group == d.items[i].group);
      CHECK(fs::equivalent(again.items[i].path, d.items[i].path));
    }
    CHECK(open_dataset(root.path(), {.use_index = false}).layout == "lists");
  }
  SUBCASE("paths that are nowhere") {
    put(root.path() / "kinetics_train_list.txt",
        "one/a b.mp4 10\none/gone.mp4 10\ntwo/gone.mp4 9\ntwo/1.mp4 9\n");
    refuses(root.path(),
            "kinetics_train_list.txt, line 2: there is no file \"one/gone.mp4\", and 1 more of 7 clips");
    const Dataset kept = open_dataset(root.path(), {.keep_missing = true});
    CHECK(kept.items.size() == 7);
    CHECK(noted(kept).find("one/gone.mp4") != std::string::npos);
  }
  SUBCASE("lists that cannot be used are not replaced by a split of all clips") {
    fs::remove(root.path() / "kinetics_val_list.txt");
    fs::remove(root.path() / "kinetics_test_list.csv");
    put(root.path() / "kinetics_train_list.txt", "nowhere/a.mp4 1\nnowhere/b.mp4 2\n");
    put(root.path() / "media2/x.mp4");
    refuses(
        root.path(),
        "seems to assign the clips to splits: kinetics_train_list.txt (\"nowhere/a.mp4\" does not exist in");
    CHECK(open_dataset(root.path(), {.layout = "classes"}).layout == "classes");
    refuses(root.path(), "does not have the layout \"lists\"", {.layout = "lists"});
  }
  SUBCASE("which list is for what must be told") {
    put(root.path() / "more.txt", "one/a b.mp4 10\n");
    refuses(root.path(), "the name of more.txt does not indicate a split");
    fs::remove(root.path() / "more.txt");
    put(root.path() / "train2.txt", "one/a b.mp4 10\n");
    refuses(root.path(), "are for the same split");
  }
  SUBCASE("--media") {
    fs::rename(root.path() / "media", root.path() / "deep");
    fs::create_directories(root.path() / "very");
    fs::rename(root.path() / "deep", root.path() / "very/deep");
    CHECK(reason(root.path()) != "accepted");
    CHECK(open_dataset(root.path(), {.media = root.path() / "very/deep"}).items.size() == 9);
    refuses(root.path(), "there is no such folder", {.media = root.path() / "none"});
  }
}

TEST_CASE("a list with a bad row is an error with its line, and nothing else is put in its place") {
  const test::Folder root("bad_rows");
  for (int i = 0; i < 6; ++i)
    for (const char* name : {"tango", "waltz"}) put(root.path() / name / ("v " + std::to_string(i) + ".mp4"));
  const std::string good =
      "tango/v 0.mp4 0\nwaltz/v 0.mp4 1\ntango/v 1.mp4 0\nwaltz/v 1.mp4 1\ntango/v 2.mp4 0\n";
  const auto as_file = [&](const std::string& name) { return reason(root.path() / name); };
  const char* const bad_rows[] = {"tango/v 3.mp4 0,1\n", "tango/v 3.mp4\n"};
  SUBCASE("one of several lists") {
    put(root.path() / "test.txt", "tango/v 4.mp4 0\nwaltz/v 4.mp4 1\n");
    for (const char* bad : bad_rows) {
      put(root.path() / "train.txt", good + bad);
      refuses(root.path(), "train.txt, line 6: ");
      CHECK(reason(root.path()) == as_file("train.txt"));
      // One row that names a clip is enough, for what is called a list.
      put(root.path() / "train.txt", "a 1 2 3 4 5\nb\n" + std::string(bad));
      refuses(root.path(), "train.txt, line 1: ");
    }
    put(root.path() / "train.txt", "path,label\ntango/v 3.mp4,\ntango/v 2.mp4,tango\n");
    refuses(root.path(), "train.txt, line 2: the label is empty");
    for (const char* nowhere : {"", "gone/a.mp4 0\ngone/b.mp4 1\n", "v 3.mp4 => 0\n"}) {
      put(root.path() / "train.txt", nowhere);
      refuses(root.path(), "cannot be used: train.txt (");
      refuses(root.path(), "there is test.txt");
    }
    put(root.path() / "train.txt", good);
    put(root.path() / "train_log.txt", "epoch 1\nloss\n");  // train is there, so this cannot be meant
    const Dataset d = open_dataset(root.path(), {.split = {.val = 0}});
    CHECK(d.of(Split::train).size() == 5);
    CHECK(d.of(Split::test).size() == 2);
  }
  SUBCASE("one list: by its name, or where half of its rows are good") {
    for (const char* bad : bad_rows) {
      put(root.path() / "annotations.txt", good + bad);
      refuses(root.path(), "annotations.txt, line 6: ");
      CHECK(reason(root.path()) == as_file("annotations.txt"));
      fs::remove(root.path() / "annotations.txt");
      put(root.path() / "an.txt", good + bad);
      refuses(root.path(), "an.txt, line 6: ");
      fs::remove(root.path() / "an.txt");
    }
    put(root.path() / "an.csv", "path,label\ntango/v 3.mp4,\ntango/v 2.mp4,tango\n");
    refuses(root.path(), "an.csv, line 2: the label is empty");
  }
  SUBCASE("what is clearly no list is left aside") {
    put(root.path() / "README.txt", "Tango and waltz.\n\ntango\nSee tango/v 0.mp4\n");
    put(root.path() / "classInd.txt", "0 tango\n1 waltz\n");
    put(root.path() / "labels.txt", "tango\nwaltz\n");
    put(root.path() / "dances.txt", "tango\nwaltz\n");
    put(root.path() / "requirements.txt", "numpy==1.2\ntorch\n");
    put(root.path() / "train_notes.txt", "on tango\nlonger\n");
    Dataset d = open_dataset(root.path(), {});
    CHECK(d.layout == "classes");
    CHECK(d.classes == std::vector<std::string>{"tango", "waltz"});
    // A file of bare names is no list; that it was not taken for one is told.
    for (const char* name : {"tango/x.mp4", "tango/y.mp4"}) put(root.path() / name);
    put(root.path() / "broken.txt", "tango/x.mp4\ntango/y.mp4\n");
    d = open_dataset(root.path(), {});
    CHECK(d.layout == "classes");
    CHECK(noted(d).find("broken.txt (line 1: the row \"tango/x.mp4\" has no label)") != std::string::npos);
  }
}

TEST_CASE("labels that are evidently several are refused in lists and tables; doubtful counts are told") {
  const test::Folder root("several_labels");
  for (int i = 0; i < 9; ++i) put(root.path() / "media" / (std::to_string(i) + ".mp4"));
  const std::string rows = "path,label\n0.mp4,a\n1.mp4,b\n2.mp4,\"c, d\"\n3.mp4,a\n4.mp4,b\n";
  put(root.path() / "all.csv", rows);
  CHECK(open_dataset(root.path(), {}).classes == std::vector<std::string>{"a", "b", "c, d"});
  for (const char* several : {"a,b", "a;b", "a|b", "a;e"}) {
    put(root.path() / "all.csv", rows + "5.mp4,\"" + several + "\"\n");
    refuses(root.path(), text("all.csv, line 7: the clip has several labels: ", several));
  }
  fs::remove(root.path() / "all.csv");
  // The labels by themselves may stand in another list.
  put(root.path() / "train.csv", rows);
  put(root.path() / "test.csv", "path,label\n6.mp4,\"b, a\"\n");
  refuses(root.path(), "test.csv, line 2: the clip has several labels: b, a");
  fs::remove(root.path() / "train.csv");
  fs::remove(root.path() / "test.csv");
  put(root.path() / "split.csv",
      "path,label,split\nmedia/0.mp4,a,train\nmedia/1.mp4,b,train\nmedia/2.mp4,a;b,val\n");
  refuses(root.path(), "split.csv, line 4: the clip has several labels: a;b");
  fs::remove(root.path() / "split.csv");

  const auto doubts = [&](const std::string& list) {
    put(root.path() / "all.txt", list);
    return noted(open_dataset(root.path(), {})).find("interpreted as PATH NUM_FRAMES LABEL") !=
           std::string::npos;
  };
  CHECK(doubts("0.mp4 1 2\n1.mp4 2 1\n"));
  CHECK_FALSE(doubts("0.mp4 30 2\n1.mp4 2 1\n"));
  CHECK_FALSE(doubts("0.mp4 2\n1.mp4 1\n"));
}

TEST_CASE("UCF-101's own lists") {
  const test::Folder root("ucf");
  std::map<int, std::string> train, test;
  for (const char* name : {"Archery", "Bowling"})
    for (int g = 1; g <= 10; ++g)
      for (int c = 1; c <= 2; ++c) {
        char clip[64];
        std::snprintf(clip, sizeof clip, "%s/v_%s_g%02d_c%02d", name, name, g, c);
        if (g % 2)
          put(root.path() / "UCF-101" / (std::string(clip) + ".avi"));
        else  // as a folder of pictures, which tools make of the videos
          put(root.path() / "UCF-101" / clip / "0001.jpg");
        const bool tested = g <= 3;
        if (tested)
          test[1] += std::string(clip) + ".avi\n";
        else
          train[1] += std::string(clip) + ".avi " + (name[0] == 'A' ? "1" : "2") + "\r\n";
        (g > 7 ? test : train)[2] += std::string(clip) + ".avi 1\n";
      }
  for (int fold : {1, 2}) {
    put(root.path() / "ucfTrainTestlist" / ("trainlist0" + std::to_string(fold) + ".txt"), train[fold]);
    put(root.path() / "ucfTrainTestlist" / ("testlist0" + std::to_string(fold) + ".txt"), test[fold]);
  }
  put(root.path() / "ucfTrainTestlist/classInd.txt", "1 Archery\n2 Bowling\n");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.layout == "ucf101");
  CHECK(d.classes == std::vector<std::string>{"Archery", "Bowling"});
  CHECK(d.items.size() == 40);
  CHECK(d.of(Split::test).size() == 12);
  CHECK(d.of(Split::val).size() == 4);  // a ninth of 28, whole groups, of every class
  CHECK(noted(d).find("the lists define no validation clips: 4 of their 28 training clips") !=
        std::string::npos);
  std::map<std::string, std::set<Split>> of_group;
  for (const DatasetItem& i : d.items) of_group[i.group].insert(i.split);
  for (const auto& [group, splits] : of_group) CHECK(splits.size() == 1);
  CHECK(item(d, "UCF-101/Archery/v_Archery_g02_c01").kind == ItemKind::frame_folder);
  CHECK(item(d, "UCF-101/Archery/v_Archery_g01_c01.avi").split == Split::test);
  CHECK(open_dataset(root.path(), {.split = {.val = 0}}).of(Split::train).size() == 28);
  CHECK(item(open_dataset(root.path(), {.fold = 2}), "UCF-101/Archery/v_Archery_g08_c01").split ==
        Split::test);
  refuses(root.path(), "there is no fold 3", {.fold = 3});
  fs::remove(root.path() / "UCF-101/Archery/v_Archery_g01_c01.avi");
  refuses(root.path(), "there is no file \"Archery/v_Archery_g01_c01.avi\"");
}

TEST_CASE("HMDB-51's own lists") {
  const test::Folder root("hmdb");
  for (const char* name : {"brush_hair", "wave"}) {
    std::string list;
    for (int film = 0; film < 6; ++film)
      for (int k = 0; k < 2; ++k) {
        const std::string clip =
            "Film" + std::to_string(film) + "_" + name + "_u_nm_np1_ba_goo_" + std::to_string(k) + ".avi";
        put(root.path() / "videos" / name / clip);
        list += clip + (film == 0 ? " 0 \n" : film < 3 ? " 2 \n" : " 1 \n");
      }
    put(root.path() / "testTrainMulti_7030_splits" / (std::string(name) + "_test_split1.txt"), list);
  }
  const Dataset d = open_dataset(root.path(), {.split = {.val = 0}});
  CHECK(d.layout == "hmdb51");
  CHECK(d.classes == std::vector<std::string>{"brush_hair", "wave"});
  CHECK(d.of(Split::train).size() == 12);
  CHECK(d.of(Split::test).size() == 8);
  CHECK(d.items.size() == 20);  // film 0 is for neither
  CHECK(item(d, "videos/wave/Film3_wave_u_nm_np1_ba_goo_0.avi").group == "Film3");
  put(root.path() / "testTrainMulti_7030_splits/wave_test_split1.txt", "a.avi 3\n");
  refuses(root.path(), "wave_test_split1.txt, line 1: \"a.avi 3\" does not end in 0, 1 or 2");
}

TEST_CASE("a layout that is asked for and does not fit says what was looked for, and what is there") {
  const test::Folder root("asked");
  put(root.path() / "a/1.mp4");
  put(root.path() / "b/2.mp4");
  CHECK(open_dataset(root.path(), {.layout = "classes"}).items.size() == 2);
  refuses(
      root.path(),
      "does not have the layout \"splits\": expected folders train, val and test, with class folders; found "
      "no folder named train",
      {.layout = "splits"});
  refuses(root.path(),
          "found 2 folders in " + root.path().string() + ", 2 with videos or folders, 0 with loose pictures",
          {.layout = "flat"});
  refuses(root.path(), "no dataset layout \"kinetics\"", {.layout = "kinetics"});
  fs::create_directory_symlink(root.path(), root.path() / "a/loop");
  refuses(root.path(), "folders are nested");
}

TEST_CASE("the index keeps flat clips, stretches and names; it is found before all else") {
  const test::Folder root("index");
  for (const char* name : {"a/x_1_0001.bmp", "a/x_1_0002.bmp", "b/z_9_0000.bmp"})
    test::write_bytes(root.path() / name, test::tiny_bmp());
  const Dataset d = open_dataset(root.path(), {.split = {.train = 1, .val = 0}});
  const std::string table = index_text(d, root.path());
  CHECK(table ==
        "# laban index of 2 clips in 2 classes, layout flat\npath,label,split,group,frames,first,count,name\n"
        "a,a,train,x,x_1_%04d.bmp,1,2,a/x_1\nb,b,train,z,z_9_%04d.bmp,0,1,b/z_9\n");
  put(root.path() / kIndexFile, table);
  const Dataset again = open_dataset(root.path(), {});
  CHECK(again.layout == "index");
  CHECK(names(again) == names(d));
  CHECK(again.items[0].range == d.items[0].range);
  CHECK(index_item(again.items[0], Trust::long_tables, nullptr)->frame_count() == 2);
  const auto rows = [](const std::string& t) { return t.substr(t.find('\n')); };
  CHECK(rows(index_text(again, root.path())) == rows(table));
  CHECK(noted(open_dataset(root.path(), {.split = {.seed = 9}})).find("no effect") != std::string::npos);
  // Named as a file, it works from anywhere; paths count from its folder.
  CHECK(names(open_dataset(root.path() / kIndexFile, {})) == names(d));
  put(root.path() / kIndexFile, "path,label,split,frames,first,count\na,a,train,x_%s,1,2\n");
  refuses(root.path(), "line 2: \"x_%s\" is not a filename pattern");
  put(root.path() / kIndexFile, "path,label,split,frames,first,count\na,a,train,x_%d.bmp,1,none\n");
  refuses(root.path(), "line 2: the count is \"none\"");
}

TEST_CASE("split folders: any case, usual words, prefixes and suffixes; what is open is refused") {
  const test::Folder root("split_names");
  const auto fill = [&](const std::string& folder) {
    for (const char* clip : {"/tango/1.mp4", "/tango/2.mp4", "/waltz/3.mp4"})
      put(root.path() / (folder + clip));
  };
  const auto clear = [&] { fs::remove_all(root.path()), fs::create_directories(root.path()); };
  struct Case {
    std::vector<std::string> folders;
    const char* splits;  // their splits, in order
  };
  for (const Case& c : std::vector<Case>{{{"Train", "Test"}, "train test"},
                                         {{"TRAIN", "VAL", "TEST"}, "train val test"},
                                         {{"train", "dev"}, "train val"},
                                         {{"train", "dev", "eval"}, "train val test"},
                                         {{"train", "evaluation", "test"}, "train val test"},
                                         {{"train_256", "val_256"}, "train val"},
                                         {{"kinetics400_train", "kinetics400_val"}, "train val"},
                                         {{"UCF101-TrainSet", "UCF101-TestSet"}, "train test"},
                                         {{"videos.training", "videos.validation"}, "train val"},
                                         {{"01_train", "02_val", "03_test"}, "train val test"},
                                         {{"test"}, "test"}}) {
    CAPTURE(c.splits);
    clear();
    for (const std::string& folder : c.folders) fill(folder);
    const Dataset d = open_dataset(root.path(), {});
    CHECK(d.layout == "splits");
    CHECK(d.classes == std::vector<std::string>{"tango", "waltz"});
    std::string splits;
    for (const std::string& folder : c.folders)
      splits += text(splits.empty() ? "" : " ",
                     kSplitNames[static_cast<size_t>(item(d, folder + "/tango/1.mp4").split)]);
    CHECK(splits == c.splits);
  }
  const auto told = [&](const std::vector<std::string>& folders) {
    clear();
    for (const std::string& folder : folders) fill(folder);
    return reason(root.path());
  };
  const auto says = [&](const std::vector<std::string>& folders, const std::string& what) {
    const std::string why = told(folders);
    CAPTURE(why);
    CHECK(why.find(what) != std::string::npos);
  };
  says({"train", "eval"}, "the folder eval may be for validation or for test");
  says({"train", "Train"}, "the folders Train and train mean the same split, train");
  says({"train", "trainval"}, "trainval is named for several splits");
  says({"train", "test", "extra"}, "clips are also in extra");
  says({"train_256", "val_256", "replacement"}, "clips are also in replacement");
  // As the user says.
  CHECK(open_dataset(root.path(), {.layout = "splits"}).of(Split::val).size() == 3);
  CHECK(noted(open_dataset(root.path(), {.layout = "splits"})).find("left out") != std::string::npos);
  CHECK(open_dataset(root.path(), {.layout = "classes"}).classes.size() == 3);
  // Folders without clips do not count.
  clear();
  for (const char* folder : {"Train", "Test"}) fill(folder);
  put(root.path() / "annotations/notes.json");
  CHECK(open_dataset(root.path(), {}).ignored == std::vector<std::string>{"annotations"});
  // A class that only the test folder has may be a spelling.
  put(root.path() / "Test/Waltz/4.mp4");
  CHECK(noted(open_dataset(root.path(), {})).find("classes without training clips: Waltz") !=
        std::string::npos);
  // Classes may be called like splits.
  clear();
  for (const char* clip : {"car/1.mp4", "bus/2.mp4", "train/3.mp4"}) put(root.path() / clip);
  CHECK(open_dataset(root.path(), {}).classes == std::vector<std::string>{"bus", "car", "train"});
  clear();
  for (const char* clip : {"train_in_out/1.mp4", "bridge/2.mp4", "test_drive/clip/0001.jpg"})
    put(root.path() / clip);
  CHECK(open_dataset(root.path(), {}).classes.size() == 3);
  clear();
  for (const char* clip : {"train/1.mp4", "test/2.mp4"}) put(root.path() / clip);
  refuses(root.path(), "are named for splits, but hold clips, not class folders");
}

TEST_CASE("split folders inside class folders say the split; half of them do not") {
  const test::Folder root("inner_splits");
  for (const char* clip : {"tango/Train/1.mp4", "tango/test/2.mp4", "waltz/train/3.mp4", "waltz/test/4.mp4"})
    put(root.path() / clip);
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.of(Split::test).size() == 2);
  CHECK(item(d, "tango/Train/1.mp4").split == Split::train);
  CHECK(d.drawn == DrawnSplits::none);
  put(root.path() / "waltz/5.mp4");
  refuses(root.path(),
          "some clips are in split folders inside their class folders (waltz/train/3.mp4), others are not "
          "(waltz/5.mp4)");
  CHECK(open_dataset(root.path(), {.layout = "classes"}).drawn == DrawnSplits::all);
}

TEST_CASE("lists of clips beside class folders: read in other separators, or refused in other forms") {
  const test::Folder root("unread_lists");
  for (int i = 0; i < 6; ++i)
    for (const char* name : {"tango", "waltz"}) put(root.path() / name / ("v " + std::to_string(i) + ".mp4"));
  const auto lists = [&](const std::string& between, const std::string& extension) {
    std::string train, test;
    for (int i = 0; i < 6; ++i)
      for (const char* name : {"tango", "waltz"})
        (i < 4 ? train : test) += text(name, "/v ", i, ".mp4", between, name, "\n");
    put(root.path() / ("train" + extension), train);
    put(root.path() / ("test" + extension), test);
  };
  const auto remove = [&](const std::string& extension) {
    fs::remove(root.path() / ("train" + extension));
    fs::remove(root.path() / ("test" + extension));
  };
  for (const char* between : {";", " ; ", "|", "\t"}) {
    CAPTURE(between);
    for (const char* extension : {".txt", ".TXT", ".lst", ".tsv"}) {
      lists(between, extension);
      const Dataset d = open_dataset(root.path(), {.split = {.val = 0}});
      CHECK(d.layout == "lists");
      CHECK(d.of(Split::train).size() == 8);
      CHECK(d.of(Split::test).size() == 4);
      remove(extension);
    }
  }
  for (const char* between : {" => ", ": ", "@"}) {
    lists(between, ".txt");
    refuses(root.path(), "cannot be read, but seems to assign the clips to splits: test.txt (");
    CHECK(open_dataset(root.path(), {.layout = "classes"}).items.size() == 12);
    remove(".txt");
  }
  lists(" ", ".json");
  refuses(root.path(), "test.json (laban reads lists that are .txt, .csv, .tsv, .lst or .list)");
  remove(".json");
  // UTF-16, with its mark and without.
  for (const std::string mark : {"\xff\xfe", ""}) {
    std::string wide = mark;
    for (const char c : std::string("tango/v 1.mp4 0\n")) wide += c, wide += '\0';
    std::ofstream(root.path() / "my_test.txt", std::ios::binary) << wide;
    refuses(root.path(),
            mark.empty() ? "my_test.txt (is not a text in UTF-8" : "my_test.txt (is a text in UTF-16)");
    fs::remove(root.path() / "my_test.txt");
  }
  // A table of others: left alone if it says nothing of these clips' splits, else refused by what it lacks.
  put(root.path() / "split.csv", "name,fps\nx,25\n");
  CHECK(
      noted(open_dataset(root.path(), {}))
          .find(
              "not used as a list: split.csv (a split.csv without the columns path, label and split; its columns are "
              "name, fps)") != std::string::npos);
  put(root.path() / "split.csv", "who,subset_name\ntango/v 1.mp4,train\ntango/v 2.mp4,test\n");
  refuses(root.path(),
          "a split.csv without the columns path, label and split; its columns are who, subset_name");
  put(root.path() / "split.csv", "path,label\ntango/v 1.mp4,tango\n");
  refuses(root.path(), "there is no column \"split\"");
  fs::remove(root.path() / "split.csv");
  for (const char* name : {"train_log.txt", "requirements-dev.txt", "test_results.txt"}) {
    put(root.path() / name, "epoch 1: loss 0.5\nall is well\n");
    CHECK(open_dataset(root.path(), {}).layout == "classes");
  }
}

TEST_CASE("a table's split column: any case, dev and eval") {
  const test::Folder root("split_cells");
  for (int i = 0; i < 4; ++i) put(root.path() / (std::to_string(i) + ".mp4"));
  const auto table = [&](const char* third, const char* fourth) {
    put(root.path() / "split.csv", text("path,label,split\n0.mp4,a,Train\n1.mp4,b,TRAINING\n2.mp4,a, ", third,
                                        "\n3.mp4,b,", fourth, "\n"));
  };
  table("Dev", "eval");
  CHECK(item(open_dataset(root.path(), {}), "2.mp4").split == Split::val);
  CHECK(item(open_dataset(root.path(), {}), "3.mp4").split == Split::test);
  table("eval", "test");
  CHECK(item(open_dataset(root.path(), {}), "2.mp4").split == Split::val);
  table("eval", "eval");
  refuses(root.path(), "line 4: the split is \" eval\"");
}

TEST_CASE("class names: a number in a name is no label, and folders must agree") {
  const test::Folder root("names_of_labels");
  std::string list;
  for (int i = 0; i < 9; ++i) {
    put(root.path() / "clips" / (std::to_string(i) + ".mp4"));
    list += text("clips/", i, ".mp4 ", i % 3, "\n");
  }
  put(root.path() / "list.txt", list);
  const auto classes = [&](const std::string& file, const std::string& rows) {
    put(root.path() / file, rows);
    const std::vector<std::string> found = open_dataset(root.path(), {}).classes;
    fs::remove(root.path() / file);
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(classes("label_map.txt", "cha cha\n2 step\ntango\n") == Names{"cha cha", "2 step", "tango"});
  CHECK(classes("label_map.txt", "2 step\n7 rings\n50 ways\n") == Names{"2 step", "7 rings", "50 ways"});
  CHECK(classes("labels.txt", "step 2\nrings 7\nways 50\n") == Names{"step 2", "rings 7", "ways 50"});
  CHECK(classes("label_map.csv", "id,name\n2,tango\n0,cha cha\n1,2 step\n") ==
        Names{"cha cha", "2 step", "tango"});
  CHECK(classes("label_map.txt", "tango 2\n2 step 1\ncha cha 0\n") == Names{"cha cha", "2 step", "tango"});
  CHECK(classes("classInd.txt", "1 a\n2 b\n3 c\n") == Names{"a", "b", "c"});  // from 1, the list from 0
  put(root.path() / "label_map.txt", "2 step\n0 gravity\n1 way\n7 rings\n");
  refuses(root.path(),
          "its rows can be read as numbers with names, and otherwise: label 0 is \"gravity\" or \"2 step\"");
  fs::remove(root.path() / "label_map.txt");

  list.clear();
  for (const char* clip : {"tango/1.mp4 1\n", "tango/2.mp4 1\n", "waltz/3.mp4 2\n", "waltz/4.mp4 2\n"}) {
    put(root.path() / std::string(clip).substr(0, 11));
    list += clip;
  }
  put(root.path() / "list.txt", list);
  put(root.path() / "label_map.txt", "swing\nwaltz\nTango\n");
  refuses(root.path(), "names label 1 \"waltz\", but its clips lie in \"tango\", its name for label 2");
}

TEST_CASE("rows that begin with # are clips if there are such; label -1 is none") {
  const test::Folder root("number_signs");
  for (const char* clip : {"#20_drum/1.mp4", "#20_drum/2.mp4", "wave/3.mp4", "wave/4.mp4"})
    put(root.path() / clip);
  const std::string rows =
      "#20_drum/1.mp4 drum\n#wave/3.mp4 wave\n# a comment 1\nwave/4.mp4 wave\n#20_drum/2.mp4 drum\n";
  put(root.path() / "list.txt", rows);
  CHECK(names(open_dataset(root.path() / "list.txt", {})) ==
        std::vector<std::string>{"#20_drum/1.mp4", "#20_drum/2.mp4", "wave/4.mp4"});
  put(root.path() / "split.csv",
      "# made by hand\npath,label,split\n#20_drum/1.mp4,drum,train\n#wave/3.mp4,wave,train\nwave/4.mp4,wave,test\n");
  CHECK(names(open_dataset(root.path(), {.layout = "csv"})) ==
        std::vector<std::string>{"#20_drum/1.mp4", "wave/4.mp4"});
  for (const char* none : {"-1", "-100"}) {
    put(root.path() / "list.txt", text("wave/3.mp4 0\nwave/4.mp4 ", none, "\n"));
    refuses(root.path() / "list.txt", text("line 2: the label is ", none, ", which in lists of other tools"));
    put(root.path() / "split.csv",
        text("path,label,split\nwave/3.mp4,0,train\nwave/4.mp4,", none, ",test\n"));
    refuses(root.path(), text("line 3: the label is ", none));
  }
}

TEST_CASE("PATH N N LABEL: first and last frame, or offset and number, as the clips tell") {
  const test::Folder root("pairs");
  const std::vector<unsigned char> bmp = test::tiny_bmp();
  for (const char* clip : {"a", "b"})
    for (int k = 1; k <= 30; ++k)
      test::write_bytes(root.path() / clip / text("img_", 10000 + k, ".bmp"), bmp);
  const auto ranges = [&](const std::string& rows, PairMeaning meaning = PairMeaning::automatic) {
    put(root.path() / "list.txt", rows);
    std::string all;
    for (const DatasetItem& i :
         open_dataset(root.path() / "list.txt", {.list_columns = meaning, .split = {.train = 1, .val = 0}})
             .items)
      all += text(all.empty() ? "" : " ", *i.range->first, "+", i.range->count);
    return all;
  };
  CHECK(ranges("a 10001 10010 0\nb 10011 10030 1\n") == "10001+10 10011+20");  // the numbers are there
  CHECK(ranges("a 0 10 0\nb 10 20 1\n") == "10001+10 10011+20");
  CHECK(ranges("a 20 10 0\nb 0 30 1\n") == "10021+10 10001+30");  // 20 is before 10
  CHECK(ranges("path,offset,num_frames,label\na,3,4,x\nb,0,30,y\n") == "10004+4 10001+30");

  for (int k = 1; k <= 30; ++k)
    for (const char* clip : {"c", "d"}) test::write_bytes(root.path() / clip / text(k, ".bmp"), bmp);
  put(root.path() / "list.txt", "c 1 12 0\nd 3 14 1\n");
  refuses(root.path() / "list.txt",
          "\"d 3 14 1\" may mean PATH START END LABEL or PATH OFFSET NUM_FRAMES LABEL");
  CHECK(ranges("c 1 12 0\nd 3 14 1\n", PairMeaning::start_end) == "1+12 3+12");
  CHECK(ranges("c 1 12 0\nd 3 14 1\n", PairMeaning::offset_count) == "2+12 4+14");
  CHECK(ranges("c 2 12 0\nc 13 14 0\nd 3 14 1\n") == "13+2 2+11 3+12");   // 13 follows 12
  CHECK(ranges("c 0 12 0\nc 12 14 0\nd 3 14 1\n") == "1+12 13+14 4+14");  // 12 are before 12
}

TEST_CASE("lists whose names are relative to two roots; names in several folders are refused") {
  const test::Folder root("two_roots");
  for (const char* folder : {"videos_train", "videos_val"})
    for (int i = 0; i < 4; ++i) put(root.path() / folder / text(i, ".mp4"));
  put(root.path() / "kinetics400_train_list_videos.txt", "0.mp4 0\n1.mp4 1\n2.mp4 0\n3.mp4 1\n");
  put(root.path() / "kinetics400_val_list_videos.txt", "0.mp4 0\n1.mp4 1\n");
  const Dataset d = open_dataset(root.path(), {});
  CHECK(d.of(Split::train).size() == 4);
  CHECK(item(d, "videos_val/1.mp4").split == Split::val);
  put(root.path() / "annotations/val.txt", "0.mp4 0\n1.mp4 1\n");
  CHECK(open_dataset(root.path() / "annotations/val.txt", {.media = root.path()})
            .items[0]
            .name.find("videos_val") != std::string::npos);
  for (const char* folder : {"flow", "pictures"})
    for (int i = 0; i < 4; ++i) put(root.path() / "two" / folder / text(i, ".mp4"));
  put(root.path() / "two/list.txt", "0.mp4 0\n1.mp4 1\n");
  refuses(root.path() / "two",
          "flow and " + (root.path() / "two/pictures").string() + ", under the same names");
  CHECK(open_dataset(root.path() / "two", {.media = root.path() / "two/flow"}).items.size() == 2);
}

TEST_CASE("covers and videos beside clips are named, and nothing stops") {
  const test::Folder root("strays");
  for (const char* name : {"tango/1.mp4", "tango/cover.jpg", "tango/deep/2.mp4", "tango/deep/poster.png",
                           "waltz/3.mp4", "waltz/frames/0001.jpg", "waltz/frames/0002.jpg",
                           "waltz/batch/thumb.jpg", "waltz/batch/clip/0001.jpg", "extra.mp4", "notes.txt"})
    put(root.path() / name);
  const Dataset d = open_dataset(root.path(), {});
  CHECK(names(d) == std::vector<std::string>{"tango/1.mp4", "tango/deep/2.mp4", "waltz/3.mp4",
                                             "waltz/batch/clip", "waltz/frames"});
  CHECK(d.ignored == std::vector<std::string>{"extra.mp4", "notes.txt", "tango/cover.jpg",
                                              "tango/deep/poster.png", "waltz/batch/thumb.jpg"});
  CHECK(noted(d).find("the video extra.mp4, is left out") != std::string::npos);
  CHECK(noted(d).find("tango/deep: the picture poster.png is not part of a clip") != std::string::npos);
}

TEST_CASE("undivided: a dataset that defines no splits is one, of one class or more") {
  const test::Folder root("undivided");
  for (int i = 0; i < 5; ++i) put(root.path() / "tango" / text("v_x_g01_c0", i, ".mp4"));
  const Dataset d = open_dataset(root.path(), {.undivided = true});
  CHECK(d.undivided);
  CHECK(d.of(Split::test).size() == 5);
  put(root.path() / "split.csv",
      "path,label,split\ntango/v_x_g01_c00.mp4,tango,train\ntango/v_x_g01_c01.mp4,waltz,test\n");
  CHECK_FALSE(open_dataset(root.path(), {.undivided = true}).undivided);
}
