#include "weights/pickle.h"

#include "weights/pickle_machine.h"

namespace laban::pickle {

bool Heap::find(const Dict& dict, std::string_view key, Ref& value) const {
  for (const auto& [name, item] : dict.items) {
    const Text* text = get<Text>(name);
    if (text && text->value == key) {
      value = item;
      return true;
    }
  }
  return false;
}

Ref load(std::span<const std::byte>& bytes, Heap& heap, const std::filesystem::path& path) {
  Machine machine(bytes, heap, path);
  const Ref result = machine.run();
  bytes = bytes.subspan(machine.length());
  return result;
}

}  // namespace laban::pickle
