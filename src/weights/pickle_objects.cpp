// What a pickle's names stand for: tensors, storages, containers, records.
#include "weights/pickle_machine.h"
#include "weights/pickle_names.h"

namespace laban::pickle {

void Machine::push_name(std::string_view module, std::string_view name) {
  const auto allowed = allowed_name(module, name);
  if (!allowed) refuse(std::string(module) + "." + std::string(name));
  push_new(*allowed);
}

std::vector<int64_t> Machine::wholes(Ref ref) {
  const std::vector<Ref>& items = as<List>(ref, "a tuple of whole numbers").items;
  spend(items.size());
  std::vector<int64_t> numbers;
  for (const Ref item : items) numbers.push_back(whole(item));
  return numbers;
}

void Machine::storage() {
  const std::vector<Ref>& id = as<List>(pop(), "a tuple").items;
  if (id.empty()) damaged("an empty persistent id");
  const std::string_view what = as<Text>(id[0], "a text").value;
  if (what != "storage") refuse("persistent " + std::string(what));
  if (id.size() < 5) damaged("a storage lacks some of its description");
  const Name& type = as<Name>(id[1], "a storage's type");
  if (type.kind != Name::Kind::storage) damaged("a storage's type is expected");
  Storage storage{type.type, as<Text>(id[2], "a text").value, whole(id[4]), 0};
  if (id.size() > 5 && heap_.get<List>(id[5])) {
    const std::vector<Ref>& view = heap_.get<List>(id[5])->items;
    if (view.size() != 3) damaged("a view of a storage lacks some of its description");
    storage.offset = whole(view[1]);
  }
  push_new(storage);
}

void Machine::call() {
  const std::vector<Ref>& arguments = as<List>(pop(), "a tuple of arguments").items;
  const Name& name = as<Name>(pop(), "something that can be called");
  const auto argument = [&](size_t i) {
    if (i >= arguments.size()) damaged("an argument is missing");
    return arguments[i];
  };
  switch (name.kind) {
    case Name::Kind::ordered_dict: {
      const Ref made = add(Dict{});
      // Python 2 hands over a list of pairs, Python 3 sets the items afterwards.
      if (!arguments.empty()) {
        const std::vector<Ref>& pairs = as<List>(arguments[0], "a list of pairs").items;
        spend(pairs.size());
        for (const Ref pair : pairs) {
          const std::vector<Ref>& items = as<List>(pair, "a pair").items;
          if (items.size() != 2) damaged("a pair is expected");
          set_items(made, items);
        }
      }
      return push(made);
    }
    case Name::Kind::copy:
      return push(argument(0));
    case Name::Kind::default_dict:
      return push_new(Dict{});
    case Name::Kind::opaque:
      return push_new(Opaque{});
    case Name::Kind::rebuild_tensor: {
      TensorView tensor;
      tensor.storage = as<Storage>(argument(0), "a storage");
      tensor.offset = whole(argument(1));
      tensor.shape = wholes(argument(2));
      tensor.strides = wholes(argument(3));
      return push_new(std::move(tensor));
    }
    case Name::Kind::rebuild_parameter:
      as<TensorView>(argument(0), "a tensor");
      return push(argument(0));
    case Name::Kind::record:
    case Name::Kind::storage:
    case Name::Kind::label:
      damaged("a type is called");
  }
}

void Machine::build() {
  const Ref state = pop();
  const Ref object = top();
  if (records_.contains(object)) {
    const Dict& attributes = as<Dict>(state, "a dictionary of attributes");
    spend(attributes.items.size());
    heap_[object] = attributes;
  } else if (!heap_.get<Opaque>(object)) {
    as<Dict>(object, "an object that has attributes");
  }
}

void Machine::new_object() {
  as<List>(pop(), "a tuple of arguments");
  const Name::Kind kind = as<Name>(pop(), "a class").kind;
  if (kind == Name::Kind::opaque) return push_new(Opaque{});
  if (kind != Name::Kind::record) damaged("an object of a type without any");
  push_new(Dict{});
  records_.insert(top());
}

}  // namespace laban::pickle
