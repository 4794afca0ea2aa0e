#include "weights/made_files.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "weights/crc32.h"

namespace laban::test {
namespace {

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string tuple_of(const std::vector<int32_t>& values) {
  std::vector<std::string> items;
  for (const int32_t value : values) items.push_back(whole(value));
  return tuple(items);
}

}  // namespace

FileBytes in_memory(const std::string& bytes, const std::string& name) {
  return {name, std::as_bytes(std::span(bytes))};
}

std::string safetensors_of(const std::string& header, const std::string& data) {
  return bytes_of<uint64_t>(header.size()) + header + data;
}

std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string file, directory;
  for (const auto& [name, bytes] : entries) {
    const auto size = static_cast<uint32_t>(bytes.size());
    const uint32_t crc = crc32(std::as_bytes(std::span(bytes)));
    const std::string common = bytes_of<uint16_t>(10) + std::string(8, '\0') + bytes_of(crc) +
                               bytes_of(size) + bytes_of(size) +
                               bytes_of(static_cast<uint16_t>(name.size())) + bytes_of<uint16_t>(0);
    directory += "PK\x01\x02" + bytes_of<uint16_t>(10) + common + std::string(10, '\0') +
                 bytes_of(static_cast<uint32_t>(file.size())) + name;
    file += "PK\x03\x04" + common + name + bytes;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return file + directory + "PK\x05\x06" + bytes_of<uint32_t>(0) + bytes_of(count) + bytes_of(count) +
         bytes_of(static_cast<uint32_t>(directory.size())) + bytes_of(static_cast<uint32_t>(file.size())) +
         bytes_of<uint16_t>(0);
}

std::string torch_zip(const std::string& pickle, const std::vector<std::string>& storages) {
  std::vector<std::pair<std::string, std::string>> entries{{"archive/data.pkl", kPickle + pickle + kStop}};
  for (size_t i = 0; i < storages.size(); ++i)
    entries.emplace_back(std::string("archive/data/").append(std::to_string(i)), storages[i]);
  entries.emplace_back("archive/version", "3\n");
  return zip_of(entries);
}

std::string torch_old(const std::string& pickle, const std::string& keys, const std::string& storages) {
  const auto whole_pickle = [](const std::string& object) { return kPickle + object + kStop; };
  return whole_pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + whole_pickle(whole(1001)) +
         whole_pickle(dict({{text("little_endian"), "\x88"}})) + whole_pickle(pickle) + whole_pickle(keys) +
         storages;
}

std::string text(const std::string& value) {
  return "X" + bytes_of(static_cast<uint32_t>(value.size())) + value;
}

std::string whole(int32_t value) { return "J" + bytes_of(value); }

std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}

std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += key + value;
  return out + "u";
}

std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

std::string tensor(const std::string& storage, const std::string& key, int32_t elements, int32_t offset,
                   const std::vector<int32_t>& shape, const std::vector<int32_t>& strides) {
  const std::string id =
      tuple({text("storage"), global("torch", storage), text(key), text("cpu"), whole(elements)});
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({id + "Q", whole(offset), tuple_of(shape), tuple_of(strides), "\x89",
                global("collections", "OrderedDict") + ")R"}) +
         "R";
}

std::vector<std::pair<std::string, std::string>> sample_safetensors() {
  return {
      {"empty", safetensors_of("{}", "")},
      {"metadata", safetensors_of(R"({"__metadata__":{"format":"pt","classes":"[\"a\"]"}} )", "")},
      {"two", safetensors_of(R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                             R"("b.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[8,16]}})",
                             std::string(16, '\x3f'))},
      {"types", safetensors_of(R"({"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},)"
                               R"("e":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[2,3]},)"
                               R"("z":{"dtype":"BOOL","shape":[0,3],"data_offsets":[3,3]}})",
                               "abc")},
  };
}

std::vector<std::pair<std::string, std::string>> sample_torch_files() {
  const std::string one = tensor("FloatStorage", "0", 4, 1, {3}, {1});
  const std::string state = dict({{text("module.fc.weight"), one}});
  std::vector<std::pair<std::string, std::string>> samples{
      {"zip", torch_zip(state, {std::string(16, '\x3f')})},
      {"nested",
       torch_zip(dict({{text("epoch"), whole(3)}, {text("state_dict"), state}}), {std::string(16, '\x3f')})},
      {"old", torch_old(state, "](" + text("0") + "e", bytes_of<uint64_t>(4) + std::string(16, '\x3f'))},
      {"memo", torch_zip("}q\x01(" + text("a") + "q\x02h\x02h\x01" + text("b") + "(KaKbKcltu", {})},
  };
  for (const char* name :
       {"tensors.pt", "tensors_old.pth", "checkpoint.pt", "checkpoint_old.pth", "module.pt"})
    samples.emplace_back(name,
                         contents_of(std::filesystem::path(LABAN_SOURCE_DIR) / "tests" / "golden" / name));
  return samples;
}

}  // namespace laban::test
