// laban check: looks every file of a dataset through, and lists what is wrong.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/dataset_table.h"
#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/error.h"
#include "data/check/check.h"

namespace laban::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string data;
  bool json = false, strict = false;
  int show = 20;
  ConfigFlags flags;
};

std::vector<std::string> check_flags() {
  std::vector<std::string> flags = flags_with(Role::dataset | Role::sampling);
  std::erase(flags, "single-frame");  // changes no clip's length
  flags.emplace_back("workers");
  for (std::string& flag : limit_flags()) flags.push_back(std::move(flag));
  return flags;
}

const DatasetItem& item_of(const Dataset& dataset, int item) {
  return dataset.items[static_cast<size_t>(item)];
}
const char* split_of(const DatasetItem& item) { return kSplitNames[static_cast<size_t>(item.split)]; }

Json to_json(const Dataset& dataset, const CheckResult& result, bool clean) {
  Json counts, classes = Json::array(), findings = Json::array();
  for (size_t kind = 0; kind < kFindingKinds; ++kind)
    counts[name_of(static_cast<FindingKind>(kind))] = result.count(static_cast<FindingKind>(kind));
  std::vector<std::array<int64_t, kSplitNames.size()>> clips(dataset.classes.size());
  for (const DatasetItem& item : dataset.items)
    ++clips[static_cast<size_t>(item.label)][static_cast<size_t>(item.split)];
  for (size_t c = 0; c < clips.size(); ++c) {
    Json row{{"class", dataset.classes[c]}};
    for (size_t s = 0; s < kSplitNames.size(); ++s) row[kSplitNames[s]] = clips[c][s];
    classes.push_back(std::move(row));
  }
  for (const Finding& finding : result.findings) {
    const DatasetItem& item = item_of(dataset, finding.item);
    Json row{{"kind", name_of(finding.kind)},
             {"level", is_problem(finding.kind) ? "problem" : "remark"},
             {"clip", item.name},
             {"file", item.path.string()},
             {"class", dataset.classes[static_cast<size_t>(item.label)]},
             {"split", split_of(item)},
             {"detail", finding.detail}};
    if (finding.other >= 0) row["other"] = item_of(dataset, finding.other).name;
    findings.push_back(std::move(row));
  }
  return {{"dataset", dataset.root.string()},
          {"layout", dataset.layout},
          {"complete", result.complete},
          {"clean", clean},
          {"clips", dataset.items.size()},
          {"files", result.files},
          {"frames", result.frames},
          {"seconds", result.seconds},
          {"problems", result.problems()},
          {"remarks", static_cast<int64_t>(result.findings.size()) - result.problems()},
          {"seen_in_training",
           {{"val", result.seen_in_training[static_cast<size_t>(Split::val)]},
            {"test", result.seen_in_training[static_cast<size_t>(Split::test)]}}},
          {"counts", counts},
          {"classes", classes},
          {"findings", findings},
          {"ignored", dataset.ignored},
          {"notes", dataset.notes}};
}

/// One line a kind that tells what to do about it.
const char* advice_for(FindingKind kind) {
  switch (kind) {
    case FindingKind::unreadable:
    case FindingKind::no_video:
      return "training stops at them, or leaves them out with --on-bad-file exclude";
    case FindingKind::damaged:
      return "training shows what can be decoded, as players do";
    case FindingKind::truncated:
      return "training uses the frames that are there";
    case FindingKind::wrong_extension:
      return "laban goes by the content; other programs may not";
    case FindingKind::missing_frames:
      return "extract the frames again, or correct the list";
    case FindingKind::short_clip:
      return "clips of them repeat frames";
    case FindingKind::duplicate:
      return "they count twice in training, or in a result";
    case FindingKind::leak:
      return "a result on them is no result: remove one";
    case FindingKind::label_conflict:
      return "one of the labels is wrong";
    case FindingKind::near_leak:
      return "a result on them is no result: remove one, or keep both in one split";
    case FindingKind::shared_scene:
      return "a network may recognize the place instead; `laban index --split-by content` keeps scenes in one split";
    case FindingKind::near_duplicate:
      return "cut, scaled or encoded anew, perhaps: they count twice in training, or in a result";
    case FindingKind::shared_source:
      return "a network may recognize the dancer or the background; split by source, or name groups in "
             "split.csv";
    case FindingKind::variable_rate:
      return "frames are counted, not timed; `--sampler dense --fps` uses the mean rate";
    case FindingKind::rotated:
      return "laban turns them as players do";
    case FindingKind::size_change:
      return "every frame is scaled from its own size";
    case FindingKind::mixed_pictures:
      return "--filename-pattern says which pictures are the clip";
  }
  return "";
}

void print(const Dataset& dataset, const CheckResult& result, size_t show) {
  std::printf("%s: layout %s, %zu clips in %lld files, %s frames\n%s", visible(dataset.root.string()).c_str(),
              dataset.layout.c_str(), dataset.items.size(), static_cast<long long>(result.files),
              grouped(result.frames).c_str(), class_table(dataset).c_str());
  std::fputs(ignored_line(dataset).c_str(), stdout);
  for (size_t kind = 0; kind < kFindingKinds; ++kind) {
    std::vector<const Finding*> found;
    for (const Finding& finding : result.findings)
      if (finding.kind == static_cast<FindingKind>(kind)) found.push_back(&finding);
    if (found.empty()) continue;
    std::printf("\n%s (%zu): %s\n", name_of(static_cast<FindingKind>(kind)), found.size(),
                advice_for(static_cast<FindingKind>(kind)));
    for (size_t i = 0; i < std::min(show, found.size()); ++i) {
      const DatasetItem& item = item_of(dataset, found[i]->item);
      std::printf("  %s [%s]: %s\n", visible(item.name).c_str(), split_of(item),
                  visible(found[i]->detail).c_str());
    }
    if (static_cast<FindingKind>(kind) == FindingKind::shared_scene)
      for (const Split split : {Split::val, Split::test})
        if (const size_t clips = dataset.of(split).size(); clips > 0)
          std::printf("  in all, %lld of %zu %s clips show a scene that training clips show\n",
                      static_cast<long long>(result.seen_in_training[static_cast<size_t>(split)]), clips,
                      kSplitNames[static_cast<size_t>(split)]);
    if (found.size() > show) std::printf("  and %zu more (--show, or --json for all)\n", found.size() - show);
  }
}

void check(const Options& options) {
  install_interrupt_handler();  // before a large dataset is looked for
  Config config;
  options.flags.apply(config);
  choose_threads(config);
  resolve(config);
  std::vector<ClipSketch> sketches;
  // Missing clips are what this is for; and nothing on the disk is changed.
  const Dataset dataset =
      open_data(config, options.data, {.keep_missing = true, .write_sketches = false, .sketches = &sketches});
  print_notes(dataset);

  Progress progress("checking", static_cast<int64_t>(dataset.items.size()));
  std::optional<Progress> comparing;
  const CheckResult result = check_dataset(
      dataset,
      {.sampler = config.clip.sampler,
       .workers = config.data.workers,
       // Several clips may lie in one file: the bar counts in clips, so that it ends where it should.
       .progress =
           [&](int64_t done, int64_t of) {
             progress.update(done * static_cast<int64_t>(dataset.items.size()) / of);
           },
       .stop = &interrupt_flag(),
       .sketches = std::move(sketches),
       .sketch_progress =
           [&](int64_t done, int64_t of) {
             if (!comparing) {
               progress.finish();
               comparing.emplace("looking for clips that look alike", of);
             }
             comparing->update(done);
           }});
  (comparing ? *comparing : progress).finish();

  const auto remarks = static_cast<int64_t>(result.findings.size()) - result.problems();
  const bool clean = result.complete && result.problems() == 0 && !(options.strict && remarks > 0);
  if (options.json)
    std::puts(to_json(dataset, result, clean).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  else
    print(dataset, result, static_cast<size_t>(options.show));
  std::fflush(stdout);  // before what follows on stderr
  const std::string summary = text(result.problems(), result.problems() == 1 ? " problem, " : " problems, ",
                                   remarks, remarks == 1 ? " remark" : " remarks");
  if (!result.complete)
    throw Error(
        text("stopped after ", result.files, " files: ", summary, " so far, and no contents were compared"));
  if (!clean) throw Error(text(dataset.root.string(), ": ", summary));
  if (!options.json) std::printf("\n%s\n", summary.c_str());
}

}  // namespace

void add_check(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand(
      "check", "decode every file of a dataset and list what is wrong; exit code 1 if there are problems");
  command.add("DATA,--data", options->data, "dataset folder, or a list of clips")
      .path(PathKind::any)
      .required();
  command.add("--json", options->json, "print JSON");
  command.add("--strict", options->strict, "count remarks as problems");
  command.add("--show", options->show, "findings listed for each kind").range(0, 1'000'000);
  options->flags.add_to(command, check_flags());
  command.example("laban check clips")
      .example("laban check clips --frames 16 --strict")
      .example("laban check clips --json > findings.json");
  command.action([options] { check(*options); });
}

}  // namespace laban::tools
