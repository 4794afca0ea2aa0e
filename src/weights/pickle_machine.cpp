#include "weights/pickle_machine.h"

#include <bit>
#include <cctype>

#include "weights/pickle_names.h"

namespace laban::pickle {

Ref Machine::run() {
  while (true) {
    opcode_at_ = at_;
    const auto op = static_cast<Op>(number<uint8_t>());
    if (op == Op::stop) break;
    step(op);
  }
  if (!marks_.empty()) damaged("it ends within a container");
  return pop();
}

void Machine::fail(const std::string& what, const std::string& advice) const {
  throw FileError(path_.string(), text(what, " (byte ", opcode_at_, " of its pickle)"), advice);
}

void Machine::refuse(std::string name) const {
  for (char& c : name)  // a name may hold anything, and ends up on a terminal
    if (!std::isprint(static_cast<unsigned char>(c))) c = '?';
  fail(text("holds '", name, "', which is neither a tensor nor a plain container; laban executes nothing"),
       "If you trust the file, take the weights out with Python: torch.save(model.state_dict(), "
       "\"weights.pt\").");
}

std::span<const std::byte> Machine::take(uint64_t count) {
  if (count > all_.size() - at_) {
    if (cut_)
      fail(text("has a pickle of more than ", kLargest >> 20, " MiB"), "No file of weights needs that.");
    damaged("it is cut off");
  }
  const auto taken = all_.subspan(at_, count);
  at_ += count;
  return taken;
}

std::vector<Ref> Machine::pop_to_mark() {
  if (marks_.empty()) damaged("a mark is missing");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Ref> items(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

void Machine::step(Op op) {
  switch (op) {
    case Op::proto:
      if (number<uint8_t>() > 5) damaged("its protocol is unknown");
      return;
    case Op::frame:
      take(8);
      return;
    case Op::mark:
      if (marks_.size() >= kMostObjects) fail("has a pickle of too many objects", "");
      marks_.push_back(stack_.size());
      return;
    case Op::pop:
      pop();
      return;
    case Op::pop_mark:
      pop_to_mark();
      return;
    case Op::dup:
      return push(top());

    case Op::none:
      return push_new(None{});
    case Op::newtrue:
      return push_new(true);
    case Op::newfalse:
      return push_new(false);
    case Op::binint:
      return push_new(int64_t{number<int32_t>()});
    case Op::binint1:
      return push_new(int64_t{number<uint8_t>()});
    case Op::binint2:
      return push_new(int64_t{number<uint16_t>()});
    case Op::long1:
      return push_new(long_number(take(number<uint8_t>())));
    case Op::binfloat:
      return push_new(std::bit_cast<double>(__builtin_bswap64(number<uint64_t>())));
    case Op::short_binstring:
    case Op::short_binunicode:
    case Op::short_binbytes:
      return push_new(Text{text_of(number<uint8_t>())});
    case Op::binstring:
    case Op::binunicode:
    case Op::binbytes:
      return push_new(Text{text_of(number<uint32_t>())});
    case Op::binunicode8:
    case Op::binbytes8:
      return push_new(Text{text_of(number<uint64_t>())});

    case Op::empty_tuple:
    case Op::empty_list:
    case Op::empty_set:
      return push_new(List{});
    case Op::empty_dict:
      return push_new(Dict{});
    case Op::tuple:
    case Op::list:
      return push_new(List{pop_to_mark()});
    case Op::tuple1:
      return push_new(List{pop_last(1)});
    case Op::tuple2:
      return push_new(List{pop_last(2)});
    case Op::tuple3:
      return push_new(List{pop_last(3)});
    case Op::dict: {
      const std::vector<Ref> items = pop_to_mark();
      const Ref made = add(Dict{});
      set_items(made, items);
      return push(made);
    }
    case Op::append: {
      const std::vector<Ref> item = pop_last(1);
      return add_items(top(), item);
    }
    case Op::appends:
    case Op::additems: {
      const std::vector<Ref> items = pop_to_mark();
      return add_items(top(), items);
    }
    case Op::setitem: {
      const std::vector<Ref> items = pop_last(2);
      return set_items(top(), items);
    }
    case Op::setitems: {
      const std::vector<Ref> items = pop_to_mark();
      return set_items(top(), items);
    }

    case Op::binput:
      return remember(number<uint8_t>());
    case Op::long_binput:
      return remember(number<uint32_t>());
    case Op::memoize:
      return remember(static_cast<uint32_t>(memo_.size()));
    case Op::binget:
      return recall(number<uint8_t>());
    case Op::long_binget:
      return recall(number<uint32_t>());

    case Op::global: {
      const std::string_view module = line(), name = line();
      return push_name(module, name);
    }
    case Op::inst: {
      const std::string_view module = line(), name = line();
      if (!allowed_name(module, name)) refuse(std::string(module) + "." + std::string(name));
      break;
    }
    case Op::stack_global: {
      const Ref name = pop(), module = pop();
      return push_name(as<Text>(module, "a text").value, as<Text>(name, "a text").value);
    }
    case Op::binpersid:
      return storage();
    case Op::reduce:
      return call();
    case Op::newobj:
      return new_object();
    case Op::build:
      return build();
    case Op::stop:
      return;
  }
  // Others do not occur in weights, or are ways to call things.
  refuse_opcode(static_cast<uint8_t>(op));
}

Object Machine::long_number(std::span<const std::byte> bytes) {
  if (bytes.size() > 8) return Opaque{};
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  const size_t unused = 64 - 8 * bytes.size();
  if (unused == 64) return int64_t{0};
  return static_cast<int64_t>(value << unused) >> unused;
}

void Machine::refuse_opcode(uint8_t op) const {
  fail(std::isprint(op)
           ? text("its pickle has the opcode '", static_cast<char>(op), "', which no weights need")
           : text("its pickle has the opcode ", static_cast<int>(op), ", which no weights need"),
       "It is damaged, holds other objects than tensors, or was written with a very old pickle protocol. "
       "With Python: "
       "torch.save(torch.load(\"it.pth\", map_location=\"cpu\"), \"weights.pt\").");
}

}  // namespace laban::pickle
