// Weight files assembled by hand, byte by byte, so that they can be wrong in every way.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/file_bytes.h"

namespace laban::test {

/// Little-endian bytes of a number.
template <class T>
std::string bytes_of(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

inline bool says(const std::string& sentence, const std::string& part) {
  return sentence.find(part) != std::string::npos;
}

/// A file that lies in memory; `bytes` must live as long as it is used.
FileBytes in_memory(const std::string& bytes, const std::string& name = "made");

/// A safetensors file of a header and data.
std::string safetensors_of(const std::string& header, const std::string& data);

/// A zip file of stored entries, with their checksums.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries);

/// What torch.save would have written, had Python's pickler made `pickle`: the storages are called "0", "1",
/// ...
std::string torch_zip(const std::string& pickle, const std::vector<std::string>& storages = {});
/// The same in the format of before PyTorch 1.6; `keys` is the pickle of the list of storages.
std::string torch_old(const std::string& pickle, const std::string& keys, const std::string& storages);

// Pieces of pickles. A whole one is kPickle + object + kStop.
inline const std::string kPickle = "\x80\x02", kStop = ".";
std::string text(const std::string& value);
std::string whole(int32_t value);
std::string tuple(const std::vector<std::string>& items);
std::string dict(const std::vector<std::pair<std::string, std::string>>& items);
std::string global(const std::string& module, const std::string& name);
/// torch._utils._rebuild_tensor_v2 of storage `key`.
std::string tensor(const std::string& storage, const std::string& key, int32_t elements, int32_t offset,
                   const std::vector<int32_t>& shape, const std::vector<int32_t>& strides);

/// Valid small files of either format, to begin with when looking for bad ones.
std::vector<std::pair<std::string, std::string>> sample_safetensors();
std::vector<std::pair<std::string, std::string>> sample_torch_files();

}  // namespace laban::test
