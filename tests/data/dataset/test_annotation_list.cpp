// Rows of annotation lists.
#include <doctest/doctest.h>

#include "core/error.h"
#include "data/dataset/annotation_list.h"

using namespace laban;

namespace {

std::string reason(const std::string& all) {
  try {
    parse_annotation_list(all, "list.txt");
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}
bool refuses(const std::string& all, const std::string& because) {
  const std::string why = reason(all);
  CAPTURE(why);
  const bool said = why.find(because) != std::string::npos;
  CHECK(said);
  return said;
}

}  // namespace

TEST_CASE("the three kinds of rows, comments, blank lines, Windows line ends") {
  const AnnotationList whole =
      parse_annotation_list("# clips\n\na/1.mp4 0\r\n  b/2.mp4\t1  \n#c/3.mp4 7\n", "list.txt");
  REQUIRE(whole.rows.size() == 2);
  CHECK(whole.rows[0].path == "a/1.mp4");
  CHECK(whole.rows[0].label == "0");
  CHECK(whole.rows[0].line == 3);
  CHECK_FALSE(whole.rows[0].range.has_value());
  CHECK(whole.rows[1].path == "b/2.mp4");
  CHECK(whole.rows[1].label == "1");

  const AnnotationList counted = parse_annotation_list("jumping/0001 17 0\njumping/0002 20 jump", "list.txt");
  CHECK(counted.rows[0].range == FrameRange{.count = 17});
  CHECK(counted.rows[1].label == "jump");

  const AnnotationList spans = parse_annotation_list("jumping/0001 1 17 0\nrunning 5 5 1\n", "list.txt");
  CHECK(spans.rows[0].range == FrameRange{.first = 1, .count = 17});
  CHECK(spans.rows[1].path == "running");
  CHECK(spans.rows[1].range == FrameRange{.first = 5, .count = 1});
}

TEST_CASE("paths with spaces, quotes, commas and line ends") {
  const AnnotationList list = parse_annotation_list(
      "my clip.mp4 0\n\"in quotes 7.mp4\" 1\n'single ''quote'' 3' 2\n\"with \"\"these\"\" and\na line end\" "
      "0\n"
      "awesome'movie.mp4 1\n'tis.mp4 2\n舞踊/タンゴ.mp4 1\na,b.mp4 4\n",
      "list.txt");
  REQUIRE(list.rows.size() == 8);
  CHECK(list.rows[0].path == "my clip.mp4");
  CHECK(list.rows[1].path == "in quotes 7.mp4");
  CHECK(list.rows[2].path == "single 'quote' 3");
  CHECK(list.rows[3].path == "with \"these\" and\na line end");
  CHECK(list.rows[3].line == 4);
  CHECK(list.rows[4].path == "awesome'movie.mp4");
  CHECK(list.rows[4].line == 6);
  CHECK(list.rows[5].path == "'tis.mp4");
  CHECK(list.rows[6].path == "舞踊/タンゴ.mp4");
  CHECK(list.rows[7].path == "a,b.mp4");
}

TEST_CASE("commas: without a header, and with one") {
  const AnnotationList plain = parse_annotation_list("a b.mp4,hip hop\n\"c,d.mp4\", swing\n", "list.csv");
  REQUIRE(plain.rows.size() == 2);
  CHECK(plain.rows[0].path == "a b.mp4");
  CHECK(plain.rows[0].label == "hip hop");
  CHECK(plain.rows[1].path == "c,d.mp4");
  CHECK(plain.rows[1].label == "swing");
  CHECK(parse_annotation_list("x/y.mp4,3,9,0\n", "list.csv").rows[0].range ==
        FrameRange{.first = 3, .count = 7});

  const AnnotationList headed = parse_annotation_list(
      "# made by hand\nClip_Path,label,Start,end,split\n/train/a.mp4,tango,2,4,train\n\"b, "
      "c.mp4\",waltz,,,val\n",
      "list.csv");
  REQUIRE(headed.rows.size() == 2);
  CHECK(headed.has_split);
  CHECK(headed.rows[0].path == "/train/a.mp4");
  CHECK(headed.rows[0].range == FrameRange{.first = 2, .count = 3});
  CHECK(headed.rows[1].path == "b, c.mp4");
  CHECK(headed.rows[1].split == "val");
  CHECK_FALSE(headed.rows[1].range.has_value());
  CHECK(parse_annotation_list("path,label\na.mp4,3\n", "k.csv").rows[0].label == "3");
  // SlowFast's train.csv has spaces in a .csv.
  CHECK(parse_annotation_list("a.mp4 3\nb.mp4 4\n", "train.csv").rows[1].label == "4");
}

TEST_CASE("several labels a row are refused, and said to be") {
  refuses("a/1 1 17 0 3\n", "list.txt, line 1: the clip has several labels: a/1 1 17 0 3");
  refuses("\"a/1\" tango waltz\n", "several labels");
  refuses("a.mp4,tango,waltz\n", "several labels");
  refuses("path,label\na.mp4,3;4\n", "line 2: the clip has several labels: 3;4");
  refuses("path,label\na.mp4,\"3 4\"\n", "several labels");
  refuses("a/1 17 0\nb/2 1 17 3\n", "line 2: the row has 3 of label, length, start and end");
  // PATH LABEL LABEL looks like PATH NUM_FRAMES LABEL: what gives it away is told.
  refuses("a/1 0 3\n", "the clip is 0 frames long");
  const AnnotationRow row = parse_annotation_list("a/1 300 7 3\n", "list.txt").rows[0];
  CHECK_FALSE(row.range.has_value());
  CHECK_THROWS_WITH_AS(range_of(*row.pair, PairMeaning::start_end, "list.txt"),
                       doctest::Contains("ends at frame 7, before it starts at 300"), FileError);
}

TEST_CASE("what is no list is refused with the line") {
  refuses("", "contains no clips");
  refuses("# only this\n\n", "contains no clips");
  refuses("a.mp4\n", "line 1: the row \"a.mp4\" has no label");
  refuses("path,label\n,3\n", "line 2: the path is empty");
  refuses("path,label\na.mp4,\n", "the label is empty");
  refuses("path,label,start,end\na.mp4,x,one,3\n", "the first frame is \"one\"");
  refuses("a.mp4 -3 4 0\n", "the first frame is \"-3\"");
  refuses("path,label\na,b,c\n", "line 2: there are 3 cells for 2 columns");
  // Sums of such numbers would not fit.
  refuses("a.mp4 0 9223372036854775807 0\n", "the last frame is \"9223372036854775807\"");
  refuses("a.mp4 9223372036854775807 0\n", "the clip is 9223372036854775807 frames long");
}

TEST_CASE("labels that are evidently several: their parts are labels by themselves") {
  const std::set<std::string> labels{"a", "b", "paso doble", "a,b", "jazz, modern"};
  for (const char* several : {"a,b", "a;b", "a | paso doble", "a;unknown", "b,a,b"})
    CHECK(names_several(several, labels));
  for (const char* one : {"a", "paso doble", "jazz, modern", "a, modern", "c;d", "c|d", ""})
    CHECK_FALSE(names_several(one, labels));
}
