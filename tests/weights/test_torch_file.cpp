// torch.save files: from PyTorch itself (tests/golden), and maliciously modified ones.
#include "weights/torch_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "support/temporary_folder.h"
#include "weights/golden.h"
#include "weights/made_files.h"

using namespace laban;
using test::says;

namespace {

std::string complaint(const std::string& bytes) {
  try {
    const StateDict state = StateDict::read(test::in_memory(bytes));
    for (const auto& [name, tensor] : state.tensors()) state.values(name);
    return "";
  } catch (const FileError& error) {
    CHECK(error.file() == "made");
    return error.what();
  }
}

std::string golden_bytes(const std::string& name) { return read_file(test::golden_folder() / name); }

/// A state dict of one tensor "w" in storage 0.
std::string state_of(const std::string& tensor) { return test::dict({{test::text("w"), tensor}}); }

}  // namespace

TEST_CASE("every element type and layout that PyTorch saves is read, in both formats") {
  const nlohmann::json want = test::golden("tensors");
  for (const char* name : {"tensors.pt", "tensors_old.pth"}) {
    CAPTURE(std::string(name));
    const StateDict state = StateDict::read(test::golden_folder() / name);
    CHECK(state.tensors().size() == want.size());
    for (const auto& [key, expected] : want.items()) {
      CAPTURE(key);
      REQUIRE(state.tensors().contains(key));
      CHECK(state.tensors().at(key).shape == expected["shape"].get<std::vector<int64_t>>());
      CHECK(state.values(key) == expected["values"].get<std::vector<double>>());
    }
    CHECK(state.tensors().at("brain").type == ElementType::bf16);
    CHECK(state.tensors().at("bool").type == ElementType::boolean);
  }
}

TEST_CASE("a state dict is found under whichever key it lies, and what is passed over is said") {
  const auto weights = [](const StateDict& state) { return state.values("module.weight"); };
  const std::vector<double> own{0.5, -1}, averaged{0.25, -1};
  for (const std::string protocol : {"2", "4"}) {
    const auto read = [&](const std::string& name) {
      return StateDict::read(test::golden_folder() / "wrapped" / (name + "_" + protocol + ".pth"));
    };
    for (const char* name : {"numpy_scalars", "net", "model_state", "nested", "unusual"}) {
      CAPTURE(std::string(name));
      CHECK(weights(read(name)) == own);
      CHECK(read(name).tensors().size() == 1);
      CHECK(read(name).notes().empty());
    }
    const StateDict beside = read("with_ema");
    CHECK(weights(beside) == own);
    REQUIRE(beside.notes().size() == 1);
    CHECK(says(beside.notes().front(), "'model' is read, 'ema' is not"));
    CHECK(weights(read("only_ema")) == averaged);
    for (const auto& [name, list] : {std::pair("two", "'generator' (1 entries), 'discriminator' (1 entries)"),
                                     std::pair("two_usual", "'model' (1 entries), 'net' (1 entries)")})
      CHECK_THROWS_WITH_AS(read(name), doctest::Contains(list), FileError);
  }
  // What lies in a circle or deeper than anybody puts it is not looked for without end.
  const std::string one = state_of(test::tensor("FloatStorage", "0", 1, 0, {1}, {1}));
  std::string deep = one;
  for (int i = 0; i < 4; ++i) deep = test::dict({{test::text("model"), deep}});
  CHECK(says(complaint(test::torch_zip(deep, {"\x01\x02\x03\x04"})), "no state dict"));
  CHECK(says(complaint(test::torch_zip("}q\x01" + test::text("model") + "h\x01s")), "no state dict"));
}

TEST_CASE("a training program's checkpoint gives its state dict, whatever lies beside it") {
  for (const char* name : {"checkpoint.pt", "checkpoint_old.pth"}) {
    CAPTURE(std::string(name));
    const StateDict state = StateDict::read(test::golden_folder() / name);
    REQUIRE(state.tensors().size() == 1);
    CHECK(state.values("module.weight") == std::vector<double>{0.5, -1});
  }
}

TEST_CASE("tensors beside the state dict do not hide it") {
  const std::string data(16, '\x3f');
  const std::string one = test::tensor("FloatStorage", "0", 4, 0, {1}, {1});
  const auto names = [&](const std::vector<std::pair<std::string, std::string>>& items) {
    const std::string bytes = test::torch_zip(test::dict(items), {data});
    std::vector<std::string> found;
    const StateDict state = StateDict::read(test::in_memory(bytes));
    for (const auto& [name, tensor] : state.tensors()) found.push_back(name);
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(names({{test::text("best_acc1"), one}, {test::text("state_dict"), state_of(one)}}) == Names{"w"});
  CHECK(names({{test::text("rng"), one}, {test::text("model"), state_of(one)}}) == Names{"w"});
  // What stands in such a place, but holds no tensors, is not it.
  CHECK(names({{test::text("state_dict"), "}"}, {test::text("model"), state_of(one)}}) == Names{"w"});
  CHECK(names({{test::text("a"), one}, {test::text("model"), test::text("r3d_18")}}) == Names{"a"});
  CHECK(names({{test::text("a"), one}, {test::text("model"), one}}) == Names{"a", "model"});
}

TEST_CASE("the old format is read in every binary protocol") {
  const StateDict want = StateDict::read(test::golden_folder() / "tensors_old.pth");
  const std::string good = golden_bytes("tensors_old.pth");
  // Protocol 3 differs from 2 in its number alone where there are no bytes objects, 4 in its frame as well.
  const std::string head("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  REQUIRE(good.starts_with(head));
  const std::string three = "\x80\x03" + good.substr(2);
  const std::string four =
      "\x80\x04\x95" + test::bytes_of<uint64_t>(13) + head.substr(2) + good.substr(head.size());
  for (const std::string& bytes : {three, four}) {
    const StateDict state = StateDict::read(test::in_memory(bytes));
    REQUIRE(state.tensors().size() == want.tensors().size());
    for (const auto& [name, tensor] : want.tensors()) CHECK(state.values(name) == want.values(name));
  }
  CHECK(says(complaint("L119547037146038801333356L\n.I1001\n."), "pickle protocol 0 or 1"));
}

TEST_CASE("objects that would have to be executed are refused by name") {
  CHECK(says(complaint(golden_bytes("module.pt")), "'torch.nn.modules.linear.Linear'"));
  const std::string attack =
      test::global("posix", "system") + test::text("touch /tmp/laban_was_here") + "\x85R";
  CHECK(says(complaint(test::torch_zip(attack)), "holds 'posix.system'"));
  CHECK(says(complaint(test::torch_old(attack, "]", "")), "holds 'posix.system'"));
  CHECK(says(complaint(test::torch_zip(test::dict({{test::text("w"), attack}}))), "holds 'posix.system'"));
}

TEST_CASE("tensors that reach beyond their storage are refused by name") {
  const std::string data(16, '\x3f');
  const auto with = [&](const std::string& tensor) {
    return complaint(test::torch_zip(state_of(tensor), {data}));
  };
  CHECK(with(test::tensor("FloatStorage", "0", 4, 0, {2, 2}, {2, 1})).empty());
  CHECK(with(test::tensor("FloatStorage", "0", 4, 3, {1}, {1})).empty());
  CHECK(with(test::tensor("FloatStorage", "0", 4, 4, {0}, {1})).empty());
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, {5}, {1})),
             "tensor 'w' extends to element 4 of its storage, which has 4"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 400, 3, {2}, {1})), "extends to element 4"));
  CHECK(says(with(test::tensor("DoubleStorage", "0", 4, 0, {3}, {1})),
             "extends to element 2 of its storage, which has 2"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, {2, 2}, {3, 1})), "extends to element 4"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, -1, {1}, {1})), "impossible shape, offset or stride"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 3, {2}, {-1})), "impossible shape, offset or stride"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, {-2}, {1})), "impossible shape, offset or stride"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, {2, 2}, {1})), "has 2 dimensions, but 1 strides"));
  CHECK(says(with(test::tensor("FloatStorage", "1", 4, 0, {1}, {1})), "storage '1', which is missing"));
  // A stride of 0 costs nothing in the file; a few elements of it are as good as any, a billion are refused
  // before anybody believes the shape.
  CHECK(with(test::tensor("FloatStorage", "0", 4, 0, {512, 128}, {0, 0})).empty());
  CHECK_THROWS_WITH_AS(StateDict::read(test::in_memory(test::torch_zip(
                           state_of(test::tensor("FloatStorage", "0", 4, 0, {512, 129}, {0, 0})), {data}))),
                       doctest::Contains("tensor 'w' has 66048 elements, more than the file could hold"),
                       FileError);
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, {0, 1 << 30, 1 << 30, 1 << 30}, {0, 0, 0, 0})),
             "impossible shape"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, {1 << 30}, {0})), "more than the file could hold"));
  CHECK(says(with(test::tensor("FloatStorage", "0", 4, 0, std::vector<int32_t>(9, 1 << 30),
                               std::vector<int32_t>(9, 0))),
             "impossible shape"));
}

TEST_CASE("files without a state dict say what they have instead") {
  const std::string one = test::tensor("FloatStorage", "0", 1, 0, {1}, {1});
  const auto with = [&](const std::string& object) {
    return complaint(test::torch_zip(object, {"\x01\x02\x03\x04"}));
  };
  CHECK(says(with(one), "a single tensor"));
  CHECK(says(with("](" + one + "e"), "no dictionary of tensors"));
  CHECK(says(with("}"), "it has: nothing"));
  CHECK(says(with(test::dict({{test::text("epoch"), "K\x01"}, {test::text("scaler"), state_of(one)}})),
             "it has: 'epoch', 'scaler'"));
  CHECK(with(test::dict({{test::text("epoch"), "K\x01"}, {test::text("model"), state_of(one)}})).empty());
  CHECK(says(with(test::dict({{test::text("w"), one}, {test::text("w"), one}})), "two tensors named 'w'"));
  CHECK(says(with(state_of(one) + "0" + test::dict({{test::text("w\x1b[2J"), one}})), "control characters"));
}

TEST_CASE("foreign, old and damaged files say what they are") {
  CHECK(says(complaint(test::zip_of({{"readme.txt", "hello"}})), "no data.pkl"));
  CHECK(says(complaint(test::zip_of({{"m/data.pkl", ""}, {"m/constants.pkl", ""}})), "TorchScript"));
  std::string packed = test::zip_of({{"m/code.py", "x"}, {"m/data.pkl", ""}, {"m/constants.pkl", ""}});
  packed[packed.find("PK\x01\x02") + 10] = 8;  // deflated, as TorchScript's programs are
  CHECK(says(complaint(packed), "is a TorchScript program"));
  CHECK(says(complaint(test::zip_of({{"m/data.pkl", test::kPickle + "}."}, {"m/byteorder", "big"}})),
             "big-endian"));
  CHECK(says(complaint(std::string(257, '\0') + "ustar" + std::string(1000, '\0')), "tar archive"));
  CHECK(says(complaint("\x80\x04N."), "not from torch.save"));
  const std::string one = state_of(test::tensor("FloatStorage", "0", 1, 0, {1}, {1}));
  const std::string keys = "](" + test::text("0") + "e",
                    data = test::bytes_of<uint64_t>(1) + "\x01\x02\x03\x04";
  CHECK(complaint(test::torch_old(one, keys, data)).empty());
  CHECK(says(complaint(test::torch_old(one, keys, data + "x")), "1 bytes follow its last storage"));
  CHECK(says(complaint(test::torch_old(one, keys, test::bytes_of<uint64_t>(~0ull) + data)), "is truncated"));
  CHECK(says(complaint(test::torch_old(one, "K\x01", data)), "list of its storages is missing"));
  CHECK(says(complaint(test::torch_old(one, "](" + test::text("9") + "e", data)), "one that no tensor uses"));
  CHECK(says(complaint(test::torch_old(one, "]", "")), "storage '0', which is missing"));
  std::string big = test::torch_old(one, keys, data);
  const size_t flag = big.find("\x88", big.find("little_endian"));
  big[flag] = '\x89';
  CHECK(says(complaint(big), "big-endian"));
}

TEST_CASE("any file of PyTorch's that is cut off is refused, and none with a changed bit does harm") {
  for (const auto& [name, good] : test::sample_torch_files()) {
    CAPTURE(name);
    const bool valid = name != "module.pt" && name != "memo";  // those hold no state dict
    CHECK(complaint(good).empty() == valid);
    for (size_t length = 0; length<good.size(); length += good.size()> 1000 ? 7 : 1) {
      CAPTURE(length);
      CHECK(!complaint(good.substr(0, length)).empty());
    }
    for (size_t at = 0; at<good.size(); at += good.size()> 1000 ? 3 : 1) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
      complaint(bad);
    }
  }
}

TEST_CASE("a torch file that is cut while it is read is an error, not the end of the program") {
  const test::TemporaryFolder folder;
  for (const auto& [name, bytes] : test::sample_torch_files()) {
    if (name == "memo" || name == "module.pt") continue;  // not accepted
    CAPTURE(name);
    const auto path = folder.path() / "w.pt";
    write_file(path, bytes);
    const StateDict state = StateDict::read(path);
    for (const auto& [key, tensor] : state.tensors()) CHECK_NOTHROW(state.values(key));
    std::filesystem::resize_file(path, 1);
    for (const auto& [key, tensor] : state.tensors())
      if (std::ranges::count(tensor.shape, 0) == 0)
        CHECK_THROWS_WITH_AS(state.values(key), doctest::Contains("became shorter while it was read"),
                             FileError);
  }
}

TEST_CASE("a few elements far apart are read without what lies between them") {
  // Two rows of 3 at either end of 8 MiB, and its transpose.
  const int32_t half = 1 << 20;
  std::string storage(size_t{2} * half * sizeof(float), '\0');
  for (int row = 0; row < 2; ++row)
    for (int column = 0; column < 3; ++column) {
      const float value = static_cast<float>(10 * row + column);
      std::memcpy(&storage[(static_cast<size_t>(row) * half + static_cast<size_t>(column)) * sizeof(float)],
                  &value, sizeof(float));
    }
  const std::string bytes = test::torch_zip(
      test::dict(
          {{test::text("rows"), test::tensor("FloatStorage", "0", 2 * half, 0, {2, 3}, {half, 1})},
           {test::text("columns"), test::tensor("FloatStorage", "0", 2 * half, 0, {3, 2}, {1, half})}}),
      {storage});
  const StateDict state = StateDict::read(test::in_memory(bytes));
  CHECK(state.values("rows") == std::vector<double>{0, 1, 2, 10, 11, 12});
  CHECK(state.values("columns") == std::vector<double>{0, 10, 1, 11, 2, 12});
}
