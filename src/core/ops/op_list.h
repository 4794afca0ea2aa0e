// A list of op types, and what is derived from one.
#pragma once

#include <cstddef>
#include <type_traits>

namespace laban {

template <class... Ops>
struct OpList {
  static constexpr size_t kSize = sizeof...(Ops);

  template <class Op>
  static constexpr bool contains = (std::is_same_v<Op, Ops> || ...);

  /// f.operator()<Op>() for each of them, in order.
  template <class F>
  static constexpr void for_each(F&& f) {
    (f.template operator()<Ops>(), ...);
  }
};

namespace op_list {

template <class... Lists>
struct Joined {
  using Type = OpList<>;
};
template <class... Ops>
struct Joined<OpList<Ops...>> {
  using Type = OpList<Ops...>;
};
template <class... First, class... Second, class... Rest>
struct Joined<OpList<First...>, OpList<Second...>, Rest...> : Joined<OpList<First..., Second...>, Rest...> {};

template <class List, class Without, class... Kept>
struct Minus {
  using Type = OpList<Kept...>;
};
template <class Op, class... Rest, class Without, class... Kept>
struct Minus<OpList<Op, Rest...>, Without, Kept...>
    : std::conditional_t<Without::template contains<Op>, Minus<OpList<Rest...>, Without, Kept...>,
                         Minus<OpList<Rest...>, Without, Kept..., Op>> {};

template <template <class Below, class Op> class Level, class Base, class List>
struct ChainOf {
  using Type = Base;
};
template <template <class Below, class Op> class Level, class Base, class Op, class... Rest>
struct ChainOf<Level, Base, OpList<Op, Rest...>> {
  using Type = Level<typename ChainOf<Level, Base, OpList<Rest...>>::Type, Op>;
};

}  // namespace op_list

/// The ops of all these lists, in order.
template <class... Lists>
using Joined = typename op_list::Joined<Lists...>::Type;

/// The ops of List that are not in Without.
template <class List, class Without>
using Minus = typename op_list::Minus<List, Without>::Type;

/// A class with one level of inheritance for each op of List, on top of Base: Level<Below, Op> derives from
/// Below and overrides what concerns Op. A level that declares run() needs `using Below::run;` beside it, to
/// bring along those of the levels below; so do scratch_for() and prepare_for().
template <template <class Below, class Op> class Level, class Base, class List>
using Chain = typename op_list::ChainOf<Level, Base, List>::Type;

}  // namespace laban
