// Clips that look alike: copies that were cut, scaled or encoded anew, and clips that show the same scene, as a still
// camera's do. A network that was trained on one of them recognizes the others by their background.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "data/dataset/dataset.h"
#include "data/scene/sketch.h"

namespace laban {

struct SketchSettings {
  int workers = 1;
  std::filesystem::path store{};  // file that keeps sketches between runs; empty: none
  bool write_store = true;
  std::function<void(int64_t done, int64_t of)>
      progress{};  // one call at a time, from any thread; may be empty
  const std::atomic<bool>* stop = nullptr;
};

/// The sketches of all items, by position. Canceled if `stop` is set.
std::vector<ClipSketch> sketch_clips(const Dataset& dataset, const SketchSettings& settings);

/// How much two clips have in common.
enum class Likeness : uint8_t {
  none,
  scene,  // the same background
  copy,   // the same at the same time
};

/// Groups of clips that look alike: by position, the first clip of its group (itself if it is alone). Alike are also
/// those that others between them connect.
struct AlikeClips {
  std::vector<int> scene;
  std::vector<int> copy;  // finer: copies are of one scene
};

/// Compares every sketch with every other: 10,000 in seconds. Clips without structure (plain pictures) are compared as
/// copies only.
AlikeClips find_alike(std::span<const ClipSketch> sketches, int workers = 1);

/// Likeness of two sketches.
Likeness compare(const ClipSketch& a, const ClipSketch& b);

/// Draws the splits again that laban drew (Dataset::drawn), with clips that look alike in one split; their groups are
/// joined. If all clips of a class would be in one split then, its scene is divided: only copies stay together, and a
/// note says so. Does nothing unless settings.by is SplitBy::content and splits were drawn. Error as assign_splits().
void keep_alike_together(Dataset& dataset, const AlikeClips& alike, const SplitSettings& settings);

}  // namespace laban
