// The words for enumerations that a user can set: in TOML, on the command line and in messages.
#pragma once

#include <array>
#include <string>

#include "train/config/config.h"

namespace laban {

template <class E>
struct EnumWord {
  E value;
  const char* word;
};
template <class E>
EnumWord(E, const char*) -> EnumWord<E>;  // Clang before 17 does not deduce aggregates by itself

template <class E>
constexpr int kWords = 0;
template <>
inline constexpr std::array kWords<OnBadFile>{EnumWord{OnBadFile::stop, "stop"},
                                              EnumWord{OnBadFile::exclude, "exclude"}};
template <>
inline constexpr std::array kWords<PairMeaning>{EnumWord{PairMeaning::automatic, "auto"},
                                                EnumWord{PairMeaning::start_end, "start-end"},
                                                EnumWord{PairMeaning::offset_count, "offset-count"}};
template <>
inline constexpr std::array kWords<SplitBy>{EnumWord{SplitBy::file, "file"}, EnumWord{SplitBy::name, "name"},
                                            EnumWord{SplitBy::content, "content"}};
template <>
inline constexpr std::array kWords<SamplerKind>{EnumWord{SamplerKind::tsn, "tsn"},
                                                EnumWord{SamplerKind::tsn_unbiased, "tsn-unbiased"},
                                                EnumWord{SamplerKind::dense, "dense"}};
template <>
inline constexpr std::array kWords<Preset>{EnumWord{Preset::none, "none"}, EnumWord{Preset::deck, "deck"},
                                           EnumWord{Preset::torchvision, "torchvision"}};
template <>
inline constexpr std::array kWords<ScaleRule>{
    EnumWord{ScaleRule::short_side, "short-side"}, EnumWord{ScaleRule::area, "area"},
    EnumWord{ScaleRule::stretch, "stretch"}, EnumWord{ScaleRule::frame, "frame"}};
template <>
inline constexpr std::array kWords<MidplanesRule>{EnumWord{MidplanesRule::torchvision, "torchvision"},
                                                  EnumWord{MidplanesRule::per_conv, "per-conv"}};
template <>
inline constexpr std::array kWords<ShortcutKind>{EnumWord{ShortcutKind::projection, "B"},
                                                 EnumWord{ShortcutKind::subsample, "A"}};
template <>
inline constexpr std::array kWords<OptimizerKind>{EnumWord{OptimizerKind::sgd, "sgd"},
                                                  EnumWord{OptimizerKind::adam, "adam"},
                                                  EnumWord{OptimizerKind::adamw, "adamw"}};
template <>
inline constexpr std::array kWords<ScheduleKind>{EnumWord{ScheduleKind::constant, "constant"},
                                                 EnumWord{ScheduleKind::step, "step"},
                                                 EnumWord{ScheduleKind::cosine, "cosine"}};
template <>
inline constexpr std::array kWords<BestBy>{
    EnumWord{BestBy::automatic, "auto"}, EnumWord{BestBy::loss, "loss"},
    EnumWord{BestBy::accuracy, "accuracy"}, EnumWord{BestBy::macro_f1, "macro-f1"},
    EnumWord{BestBy::last, "last"}};
template <>
inline constexpr std::array kWords<RecipeKind>{EnumWord{RecipeKind::automatic, "auto"},
                                               EnumWord{RecipeKind::none, "none"}};
template <>
inline constexpr std::array kWords<CacheUse>{EnumWord{CacheUse::automatic, "auto"},
                                             EnumWord{CacheUse::on, "on"}, EnumWord{CacheUse::off, "off"}};
template <>
inline constexpr std::array kWords<DeviceKind>{
    EnumWord{DeviceKind::automatic, "auto"}, EnumWord{DeviceKind::cpu, "cpu"},
    EnumWord{DeviceKind::cuda, "cuda"}, EnumWord{DeviceKind::reference, "reference"}};
template <>
inline constexpr std::array kWords<CpuKernels>{EnumWord{CpuKernels::automatic, "auto"},
                                               EnumWord{CpuKernels::baseline, "baseline"},
                                               EnumWord{CpuKernels::avx2, "avx2"},
                                               EnumWord{CpuKernels::avx512, "avx512"},
                                               EnumWord{CpuKernels::avx512bf16, "avx512bf16"},
                                               EnumWord{CpuKernels::neon, "neon"}};
template <>
inline constexpr std::array kWords<Precision>{
    EnumWord{Precision::f32, "f32"}, EnumWord{Precision::tf32, "tf32"}, EnumWord{Precision::bf16, "bf16"},
    EnumWord{Precision::f64, "f64"}};

/// The word for a value.
template <class E>
const char* word_of(E value) {
  for (const auto& [known, word] : kWords<E>)
    if (known == value) return word;
  return "?";
}

}  // namespace laban
