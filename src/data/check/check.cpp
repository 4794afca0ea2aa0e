#include "data/check/check.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <tuple>

#include "core/error.h"
#include "core/thread_group.h"
#include "data/video/watch.h"

namespace laban {
namespace {

/// Groups of items in the same file, in order. Videos are identified by their path; folders of pictures by
/// everything that selects pictures; clips in a shard by their name, as each is examined separately.
std::vector<std::vector<int>> items_by_file(const Dataset& dataset) {
  std::map<std::tuple<std::string, std::string, std::string, int64_t, int64_t>, std::vector<int>> files;
  for (size_t i = 0; i < dataset.items.size(); ++i) {
    const DatasetItem& item = dataset.items[i];
    const bool video = item.kind == ItemKind::video;
    const FrameRange range = video ? FrameRange{} : item.range.value_or(FrameRange{});
    const std::string clip = item.kind == ItemKind::cached ? item.name : "";
    files[{item.path.string(), clip, item.filename_pattern, range.first.value_or(-1), range.count}].push_back(
        static_cast<int>(i));
  }
  std::vector<std::vector<int>> groups;
  for (auto& [key, items] : files) groups.push_back(std::move(items));
  return groups;
}

/// The report on the whole file, applied to an item that may be a range of it.
FileReport of_item(FileReport report, const DatasetItem& item, const SamplerSettings& sampler) {
  if (!report.readable) return report;
  if (item.kind == ItemKind::video && item.range) {
    const int64_t first = item.range->first.value_or(0), last = first + item.range->count - 1;
    if (last >= report.frames) {
      report.findings.push_back({FindingKind::missing_frames,
                                 text("frames ", first, " to ", last, " are requested, but the video has ",
                                      report.frames, " (0 to ", report.frames - 1, ")")});
      report.readable = false;
      report.content.clear();
      return report;
    }
    report.first_frame = first, report.frames = item.range->count;
  }
  const int64_t needed = frames_needed(sampler, report.fps);
  if (report.frames < needed)
    report.findings.push_back(
        {FindingKind::short_clip, text("it has ", report.frames, report.frames == 1 ? " frame" : " frames",
                                       "; a clip without repeated frames needs ", needed)});
  return report;
}

bool overlap(const FileReport& a, const FileReport& b) {
  return a.first_frame < b.first_frame + b.frames && b.first_frame < a.first_frame + a.frames;
}

const char* split_name(const DatasetItem& item) { return kSplitNames[static_cast<size_t>(item.split)]; }

void compare(const Dataset& dataset, int a, int b, std::vector<Finding>& findings) {
  const DatasetItem &first = dataset.items[static_cast<size_t>(a)],
                    &second = dataset.items[static_cast<size_t>(b)];
  const auto class_of = [&](const DatasetItem& item) {
    return dataset.classes[static_cast<size_t>(item.label)];
  };
  if (first.label != second.label)
    findings.push_back(
        {FindingKind::label_conflict, b, a,
         text("same content as ", first.name, ", which is ", class_of(first), ", not ", class_of(second))});
  if (first.split != second.split)
    findings.push_back(
        {FindingKind::leak, b, a,
         text("in ", split_name(second), ", but same content as ", first.name, " in ", split_name(first))});
  else if (first.label == second.label)
    findings.push_back({FindingKind::duplicate, b, a, "same content as " + first.name});
}

/// "12 in train, 3 in test": where the items are; and in how many splits.
struct Places {
  std::string text;
  int splits = 0;
};
Places places_of(const Dataset& dataset, const std::vector<int>& items) {
  std::array<int64_t, kSplitNames.size()> clips{};
  for (const int item : items) ++clips[static_cast<size_t>(dataset.items[static_cast<size_t>(item)].split)];
  Places places;
  for (size_t s = 0; s < clips.size(); ++s) {
    if (clips[s] == 0) continue;
    places.text += text(places.splits++ ? ", " : "", clips[s], " in ", kSplitNames[s]);
  }
  return places;
}

void tell_shared_sources(const Dataset& dataset, std::vector<Finding>& findings) {
  std::map<std::string, std::vector<int>> sources;
  for (size_t i = 0; i < dataset.items.size(); ++i)
    sources[dataset.items[i].group].push_back(static_cast<int>(i));
  for (const auto& [source, items] : sources) {
    const Places places = places_of(dataset, items);
    if (places.splits > 1)
      findings.push_back({FindingKind::shared_source, items.front(), -1,
                          text("the source \"", source, "\" has ", places.text)});
  }
}

std::map<int, std::vector<int>> members_of(const std::vector<int>& group_of) {
  std::map<int, std::vector<int>> members;
  for (size_t i = 0; i < group_of.size(); ++i) members[group_of[i]].push_back(static_cast<int>(i));
  return members;
}

}  // namespace

int64_t CheckResult::count(FindingKind kind) const {
  return std::ranges::count(findings, kind, &Finding::kind);
}
int64_t CheckResult::problems() const {
  return std::ranges::count_if(findings, [](const Finding& f) { return is_problem(f.kind); });
}

std::vector<Finding> compare_contents(const Dataset& dataset, const std::vector<FileReport>& reports) {
  std::map<std::string, std::vector<int>> same;
  for (size_t i = 0; i < reports.size(); ++i)
    if (!reports[i].content.empty()) same[reports[i].content].push_back(static_cast<int>(i));
  std::vector<Finding> findings;
  for (const auto& [content, items] : same)
    for (size_t b = 1; b < items.size(); ++b)
      // Compare only with the first that overlaps: whatever differs among copies differs from the first, so
      // further pairs would add nothing.
      for (size_t a = 0; a < b; ++a) {
        const FileReport &first = reports[static_cast<size_t>(items[a])],
                         &second = reports[static_cast<size_t>(items[b])];
        if (!overlap(first, second)) continue;
        compare(dataset, items[a], items[b], findings);
        break;
      }
  tell_shared_sources(dataset, findings);
  return findings;
}

std::vector<Finding> compare_looks(const Dataset& dataset, const std::vector<FileReport>& reports,
                                   const AlikeClips& alike) {
  const auto item_at = [&](int item) -> const DatasetItem& {
    return dataset.items[static_cast<size_t>(item)];
  };
  std::vector<Finding> findings;
  for (const auto& [first, items] : members_of(alike.copy))
    for (const int item : items) {
      const std::string& content = reports[static_cast<size_t>(item)].content;
      const bool same =
          item == first || (!content.empty() && content == reports[static_cast<size_t>(first)].content);
      // Ranges of a file look alike as they are sketched as one.
      if (same || item_at(item).path == item_at(first).path) continue;
      const DatasetItem &a = item_at(first), &b = item_at(item);
      if (a.split == b.split)
        findings.push_back(
            {FindingKind::near_duplicate, item, first, "looks like " + a.name + " from beginning to end"});
      else
        findings.push_back({FindingKind::near_leak, item, first,
                            text("in ", split_name(b), ", but looks like ", a.name, " in ", split_name(a),
                                 " from beginning to end")});
    }
  for (const auto& [group, items] : members_of(alike.scene)) {
    const int first = group;  // Clang 14 lets no lambda capture a structured binding
    const Places places = places_of(dataset, items);
    const auto is_copy = [&](int item) {
      return alike.copy[static_cast<size_t>(item)] == alike.copy[static_cast<size_t>(first)];
    };
    if (places.splits < 2 || std::ranges::all_of(items, is_copy)) continue;  // copies have been reported
    const auto other =
        std::ranges::find_if(items, [&](int i) { return item_at(i).split != item_at(first).split; });
    findings.push_back({FindingKind::shared_scene, first, *other,
                        text("one scene has ", places.text, ", for instance ", item_at(*other).name, " [",
                             split_name(item_at(*other)), "]")});
  }
  return findings;
}

namespace {

void compare_all_looks(const Dataset& dataset, const std::vector<FileReport>& reports,
                       const CheckSettings& settings, CheckResult& result) {
  try {
    const std::vector<ClipSketch> sketches =
        !settings.sketches.empty()
            ? settings.sketches
            : sketch_clips(
                  dataset,
                  {.workers = settings.workers, .progress = settings.sketch_progress, .stop = settings.stop});
    const AlikeClips alike = find_alike(sketches, settings.workers);
    for (Finding& finding : compare_looks(dataset, reports, alike))
      result.findings.push_back(std::move(finding));
    for (const auto& [first, items] : members_of(alike.scene)) {
      const auto split_of = [&](int item) { return dataset.items[static_cast<size_t>(item)].split; };
      if (std::ranges::none_of(items, [&](int item) { return split_of(item) == Split::train; })) continue;
      for (const int item : items) ++result.seen_in_training[static_cast<size_t>(split_of(item))];
    }
  } catch (const Canceled&) {
    result.complete = false;
  }
}

}  // namespace

CheckResult check_dataset(const Dataset& dataset, const CheckSettings& settings) {
  const std::vector<std::vector<int>> files = items_by_file(dataset);
  std::vector<FileReport> reports(dataset.items.size());
  CheckResult result;
  std::atomic<size_t> next{0};
  std::mutex mutex;  // guards result and progress
  const auto work = [&] {
    try {
      for (size_t i = next++; i < files.size(); i = next++) {
        const auto item_at = [&](int item) -> const DatasetItem& {
          return dataset.items[static_cast<size_t>(item)];
        };
        const FileReport report = examine(item_at(files[i].front()), settings.stop);
        for (const int item : files[i])
          reports[static_cast<size_t>(item)] = of_item(report, item_at(item), settings.sampler);
        const std::lock_guard lock(mutex);
        ++result.files;
        if (settings.progress) settings.progress(result.files, static_cast<int64_t>(files.size()));
      }
    } catch (const Canceled&) {
      next = files.size();
    }
  };
  run_on_threads(settings.workers, work, [&] { next = files.size(); });

  result.complete = result.files == static_cast<int64_t>(files.size());
  for (size_t i = 0; i < reports.size(); ++i) {
    for (FileFinding& finding : reports[i].findings)
      result.findings.push_back({finding.kind, static_cast<int>(i), -1, std::move(finding.detail)});
    if (!reports[i].readable) continue;
    result.frames += reports[i].frames;
    if (reports[i].fps > 0) result.seconds += static_cast<double>(reports[i].frames) / reports[i].fps;
  }
  if (result.complete) {
    for (Finding& finding : compare_contents(dataset, reports)) result.findings.push_back(std::move(finding));
    compare_all_looks(dataset, reports, settings, result);
  }
  std::ranges::stable_sort(result.findings, [](const Finding& a, const Finding& b) {
    return std::tie(a.kind, a.item) < std::tie(b.kind, b.item);
  });
  return result;
}

}  // namespace laban
