// The restricted pickle reader: what it builds, and what it rejects.
#include "weights/pickle.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "weights/made_files.h"

using namespace laban;
using test::kPickle;
using test::kStop;
using test::says;

namespace {

struct Loaded {
  pickle::Heap heap;
  pickle::Ref result = 0;
  const pickle::Object& object() const { return heap[result]; }
};

void load(Loaded& loaded, const std::string& bytes) {
  std::span<const std::byte> rest = std::as_bytes(std::span(bytes));
  loaded.result = pickle::load(rest, loaded.heap, "made");
  CHECK(rest.empty());
}

/// A pickle of one object, which must be a T.
template <class T>
T value_of(const std::string& object) {
  Loaded loaded;
  load(loaded, kPickle + object + kStop);
  REQUIRE(std::holds_alternative<T>(loaded.object()));
  return std::get<T>(loaded.object());
}

std::string complaint(const std::string& object) {
  try {
    Loaded loaded;
    load(loaded, kPickle + object + kStop);
    return "";
  } catch (const FileError& error) {
    CHECK(error.file() == "made");
    return error.what();
  }
}

std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("numbers and texts are what Python's pickler means by them") {
  CHECK(value_of<int64_t>("K\xff") == 255);
  CHECK(value_of<int64_t>(std::string("M\x01\x80", 3)) == 32769);
  CHECK(value_of<int64_t>("J\xfe\xff\xff\xff") == -2);
  CHECK(value_of<int64_t>(std::string("\x8a\x00", 2)) == 0);
  CHECK(value_of<int64_t>("\x8a\x01\xff") == -1);
  CHECK(value_of<int64_t>(std::string("\x8a\x02\xff\x00", 4)) == 255);
  CHECK(value_of<int64_t>("\x8a\x08" + test::bytes_of(int64_t{-5'000'000'000})) == -5'000'000'000);
  CHECK(value_of<double>(std::string("G\x3f\xb9\x99\x99\x99\x99\x99\x9a", 9)) == 0.1);  // big-endian
  CHECK(value_of<bool>("\x88"));
  CHECK(!value_of<bool>("\x89"));
  value_of<pickle::None>("N");
  CHECK(value_of<pickle::List>(")").items.empty());
  CHECK(value_of<pickle::List>("](K\x01K\x02"
                               "e")
            .items.size() == 2);
  CHECK(value_of<pickle::List>("K\x01K\x02K\x03\x87").items.size() == 3);
  CHECK(value_of<pickle::Dict>(test::dict({{test::text("a"), "K\x01"}})).items.size() == 1);
  const std::string word = kPickle +
                           "U\x03"
                           "abc" +
                           kStop;
  Loaded loaded;
  load(loaded, word);
  CHECK(std::get<pickle::Text>(loaded.object()).value == "abc");
  // torch.seed() gives numbers beyond 64 bits with their sign; nobody needs to know which.
  value_of<pickle::Opaque>("\x8a\x09" + std::string(9, '\x7f'));
}

TEST_CASE("the memo shares objects, and circles are possible") {
  Loaded shared;
  load(shared, kPickle + "(]q\x05h\x05t" + kStop);
  const auto& items = std::get<pickle::List>(shared.object()).items;
  REQUIRE(items.size() == 2);
  CHECK(items[0] == items[1]);
  Loaded circle;
  load(circle, kPickle +
                   "]q\x01h\x01"
                   "a" +
                   kStop);
  CHECK(std::get<pickle::List>(circle.object()).items.front() == circle.result);
}

TEST_CASE("tensors and their storages are described, whoever pickled them") {
  const auto tensor = value_of<pickle::TensorView>(test::tensor("HalfStorage", "7", 24, 2, {2, 3}, {12, 1}));
  CHECK(tensor.storage.type == ElementType::f16);
  CHECK(tensor.storage.elements == 24);
  CHECK(tensor.offset == 2);
  CHECK(tensor.shape == std::vector<int64_t>{2, 3});
  CHECK(tensor.strides == std::vector<int64_t>{12, 1});
  // Python 2: an ordered dictionary is called with a list of pairs.
  const std::string pairs = test::global("collections", "OrderedDict") + "](](" + test::text("a") +
                            "K\x01"
                            "ee\x85R";
  CHECK(value_of<pickle::Dict>(pairs).items.size() == 1);
  // A Counter, a Size, a Namespace.
  CHECK(value_of<pickle::Dict>(test::global("collections", "Counter") + "}\x85R").items.empty());
  CHECK(value_of<pickle::List>(test::global("torch", "Size") + "K\x02\x85\x85R").items.size() == 1);
  CHECK(value_of<pickle::Dict>(test::global("argparse", "Namespace") + ")\x81" +
                               test::dict({{test::text("lr"), "K\x01"}}) + "b")
            .items.size() == 1);
}

TEST_CASE("whatever could be executed is refused by its name, however it is written down") {
  const char* name = "holds 'posix.system', which is neither a tensor nor a plain container";
  CHECK(says(complaint(test::global("posix", "system") + test::text("true") + "\x85R"), name));
  CHECK(says(complaint(test::text("posix") + test::text("system") + "\x93" + test::text("true") + "\x85R"),
             name));
  CHECK(says(complaint("(" + test::text("true") + "iposix\nsystem\n"), name));
  CHECK(says(complaint(test::global("os", "system")), "'os.system'"));
  CHECK(says(complaint(test::global("builtins", "eval")), "'builtins.eval'"));
  CHECK(says(complaint(test::global("__builtin__", "getattr")), "'__builtin__.getattr'"));
  CHECK(says(complaint(test::global("numpy", "load")), "'numpy.load'"));
  CHECK(says(complaint(test::global("torch", "ComplexFloatStorage")), "'torch.ComplexFloatStorage'"));
  CHECK(says(complaint(test::global("collections", "OrderedDict.fromkeys")),
             "'collections.OrderedDict.fromkeys'"));
  CHECK(says(complaint(test::global("torch._utils", "_rebuild_tensor_v2\x1b[31m")),
             "'torch._utils._rebuild_tensor_v2?[31m'"));
  // Ways to call without a name.
  for (const char* op : {"o", "\x92",
                         "\x82"
                         "a",
                         "P0\n", "\x8b", "I1\n", "S'x'\n", "\x96"})
    CHECK(says(complaint(op), "which no weights need"));
  CHECK(says(complaint(test::tuple({test::text("module"), "K\x01"}) + "Q"), "'persistent module'"));
}

TEST_CASE("what is opaque stays so, whatever it is made of, given or told") {
  const std::string dtype = test::global("numpy", "dtype") + test::text("f8") + "\x89\x88\x87R";
  value_of<pickle::Opaque>(dtype);
  value_of<pickle::Opaque>(dtype + test::tuple({"K\x03", test::text("<")}) + "b");
  value_of<pickle::Opaque>(test::global("numpy.core.multiarray", "scalar") + dtype +
                           std::string("C\x02\x00\x01", 4) + "\x86R");
  value_of<pickle::Opaque>(test::global("easydict", "EasyDict") + ")\x81" + test::text("a") + "K\x01s");
  value_of<pickle::Opaque>(test::global("collections", "deque") + ")R" + "K\x01" + "a");
  // It cannot be called.
  CHECK(says(complaint(dtype + ")R"), "something that can be called is expected"));
  CHECK(value_of<pickle::Dict>(test::global("collections", "defaultdict") + test::global("builtins", "list") +
                               "\x85R" + test::text("a") + "K\x01s")
            .items.size() == 1);
  CHECK(value_of<pickle::Text>(std::string("B\x02\0\0\0hi", 7)).value.size() == 2);
  CHECK(value_of<pickle::Text>(std::string("\x8e\x02\0\0\0\0\0\0\0hi", 11)).value.size() == 2);
}

TEST_CASE("a device is taken note of, and no more") {
  value_of<pickle::Opaque>(test::global("torch", "device") + test::text("cuda") + "K\x01\x86R");
  CHECK(says(complaint(test::global("torch", "device") + test::global("torch", "Size") +
                       test::global("torch", "device") + "R"),
             "a tuple of arguments is expected"));
  CHECK(says(complaint(test::global("torch", "device.__init__")), "'torch.device.__init__'"));
  const std::string seed = "\x8a\x09" + std::string(9, '\x7f');
  CHECK(says(complaint(test::global("torch._utils", "_rebuild_tensor_v2") +
                       test::tuple({test::tuple({test::text("storage"), test::global("torch", "FloatStorage"),
                                                 test::text("0"), test::text("cpu"), seed}) +
                                        "Q",
                                    test::whole(0), ")", ")"}) +
                       "R"),
             "a whole number is expected"));
}

TEST_CASE("what is allowed cannot be put together wrongly") {
  const std::string storage = test::tuple({test::text("storage"), test::global("torch", "FloatStorage"),
                                           test::text("0"), test::text("cpu"), test::whole(1)}) +
                              "Q";
  const std::string rebuild = test::global("torch._utils", "_rebuild_tensor_v2");
  CHECK(says(complaint(rebuild + ")R"), "an argument is missing"));
  CHECK(
      says(complaint(rebuild + test::tuple({"N", test::whole(0), ")", ")"}) + "R"), "a storage is expected"));
  CHECK(says(complaint(rebuild + test::tuple({storage, "N", ")", ")"}) + "R"), "a whole number is expected"));
  CHECK(says(complaint(rebuild + test::tuple({storage, test::whole(0), "(Nt", ")"}) + "R"),
             "a whole number is expected"));
  CHECK(says(complaint(test::global("torch", "FloatStorage") + ")R"), "a type is called"));
  CHECK(complaint(test::global("torch", "Size") + "N\x85R") == "");
  CHECK(says(complaint("K\x01)R"), "something that can be called is expected"));
  CHECK(says(complaint(test::tuple({test::text("storage")}) + "Q"), "lacks some of its description"));
  CHECK(says(complaint(")Q"), "empty persistent id"));
  CHECK(says(complaint("K\x01Q"), "a tuple is expected"));
  CHECK(says(complaint(test::global("collections", "OrderedDict") + ")\x81"),
             "an object of a type without any"));
  CHECK(says(complaint("N}b"), "an object that has attributes is expected"));
  CHECK(says(complaint(std::string("]}N") + "s"), "a dictionary is expected"));
  CHECK(says(complaint(std::string("K\x01K\x01") + "a"), "a list is expected"));
  CHECK(says(complaint("}(K\x01u"), "a key has no value"));
  CHECK(says(complaint("h\x09"), "object 9 of its memo was never put there"));
  CHECK(says(complaint("t"), "a mark is missing"));
  CHECK(says(complaint("(K\x01"), "within a container"));
  CHECK(says(complaint(""), "takes more from the stack than there is"));
  CHECK(says(complaint("\x80\x09"), "protocol is unknown"));
}

TEST_CASE("a few bytes cannot ask for much memory or time") {
  // A list of a hundred thousand pairs, made a dictionary ten thousand times.
  const std::string pairs = "](" + repeated("K\x01K\x01\x86", 100'000) +
                            "eq\x01"
                            "0";
  const std::string bomb =
      pairs + repeated(test::global("collections", "OrderedDict") + "h\x01\x85R0", 10'000) + "N";
  CHECK(says(complaint(bomb), "too many objects"));
  CHECK(says(complaint(repeated("N", 3'000'000)), "too many objects"));
  CHECK(says(complaint(repeated("(", 3'000'000)), "too many objects"));
  CHECK(says(complaint("N" + repeated("2", 3'000'000)), "too many objects"));
  CHECK(says(complaint(std::string(20'000'000, 'N')), "too many objects"));
  CHECK(says(complaint("X" + test::bytes_of<uint32_t>(20'000'000) + std::string(20'000'000, 'x')),
             "more than 16 MiB"));
  CHECK(says(complaint("X" + test::bytes_of<uint32_t>(4'000'000'000) + "x"), "it is cut off"));
  // Nested a million deep: nothing here recurses.
  CHECK(complaint(repeated("]", 1'000'000) + repeated("a", 999'999)) == "");
}

TEST_CASE("a pickle cut off anywhere is told from a whole one") {
  const std::string good =
      kPickle + test::dict({{test::text("a"), test::tensor("FloatStorage", "0", 4, 0, {4}, {1})}}) + kStop;
  for (size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    Loaded loaded;
    CHECK_THROWS_AS(load(loaded, good.substr(0, length)), FileError);
  }
}
