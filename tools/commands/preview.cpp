// laban preview: what the network will see, as pictures and a page.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "cli/held_folder.h"
#include "cli/interrupt.h"
#include "cli/open_data.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "data/video/watch.h"
#include "train/report/clips.h"
#include "train/report/style.h"
#include "train/report/text.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string data, output = "preview", split = "train", mode = "train";
  int64_t clips = 12, epoch = 0;
  ConfigFlags flags;
};

constexpr int kColumns = 8;
constexpr std::string_view kPageMark = "<meta name=\"generator\" content=\"laban preview\">";

std::string sheet_name(int64_t clip) {
  const std::string number = std::to_string(clip + 1);
  return "clip-" + std::string(number.size() < 3 ? 3 - number.size() : 0, '0') + number + ".png";
}

/// A clip's frames side by side, kColumns in a row, as they come out of the loader.
report::Picture contact_sheet(const Batch& batch, int sample, const TransformSettings& transform) {
  const auto frames = static_cast<int>(batch.shape.t), height = static_cast<int>(batch.shape.h),
             width = static_cast<int>(batch.shape.w);
  const int columns = std::min(frames, kColumns), rows = (frames + columns - 1) / columns;
  report::Picture sheet{columns * width, rows * height, {}};
  sheet.rgb.assign(size_t{3} * static_cast<size_t>(sheet.width) * static_cast<size_t>(sheet.height), 255);
  for (int t = 0; t < frames; ++t) {
    const std::vector<uint8_t> rgb = to_rgb(batch, sample, t, transform);
    for (int y = 0; y < height; ++y) {
      const int64_t row = int64_t{t / columns} * height + y;
      std::copy_n(rgb.begin() + int64_t{y} * width * 3, width * 3,
                  sheet.rgb.begin() + (row * sheet.width + int64_t{t % columns} * width) * 3);
    }
  }
  return sheet;
}

/// Where frame `t` lies in its sheet, as CSS has it.
std::string position_of(int t, int width, int height) {
  return text(-(t % kColumns) * width, "px ", -(t / kColumns) * height, "px");
}

/// The clip in motion, and its frames, each over its number in the file.
std::string clip_html(const Dataset& dataset, const Batch& batch, int sample, const std::string& sheet) {
  const auto height = static_cast<int>(batch.shape.h), width = static_cast<int>(batch.shape.w);
  const DatasetItem& item = dataset.items[static_cast<size_t>(batch.items[static_cast<size_t>(sample)])];
  std::string html = text("<article class=\"clip\"><header><h4>",
                          report::escape(dataset.classes[static_cast<size_t>(item.label)]),
                          "</h4><span class=\"file\">", report::escape(item.name), " · <a href=\"", sheet,
                          "\">", sheet, "</a></span></header><div class=\"play\">");
  const auto& numbers = batch.frame_indices[static_cast<size_t>(sample)];
  if (numbers.size() > 1)
    html += text(
        "<i class=\"motion\" role=\"img\" aria-label=\"the clip in motion\" style=\"background-image:url(",
        sheet, ")\"></i>");
  html += "<div class=\"frames\">";
  for (size_t t = 0; t < numbers.size(); ++t)
    html += text("<figure><i style=\"background:url(", sheet, ") ",
                 position_of(static_cast<int>(t), width, height), "\"></i><figcaption>", numbers[t],
                 "</figcaption></figure>");
  return html + "</div></div></article>\n";
}

/// The rules that show a sheet's frames one after the other.
std::string motion_rules(int frames, const PictureSize& size) {
  constexpr double kFramesASecond = 8;
  std::string rules = "@keyframes sheet{";
  for (int t = 0; t < frames; ++t)
    rules += text(100.0 * t / frames, "%{background-position:", position_of(t, size.width, size.height), "}");
  return rules + text("}.motion{animation:sheet ", frames / kFramesASecond,
                      "s step-end infinite}@media (prefers-reduced-motion:reduce){.motion{animation:none}}");
}

std::string page(const Options& options, const Config& config, const Dataset& dataset,
                 const std::string& clips) {
  const PictureSize size = config.clip.transform.crop;
  std::string settings;
  Config copy = config;
  for (const Setting& setting : laban::settings(copy))
    if (setting.section == "clip")
      settings += text("<tr><td>", setting.key, "</td><td class=\"words\">", report::escape(setting.toml()),
                       "</td><td class=\"words\">", report::escape(setting.help), "</td></tr>");
  const std::string name = report::escape(options.data);
  return text(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">",
      kPageMark, "<title>What the network sees · ", name, "</title><style>", report::style_sheet(),
      ".clips{grid-template-columns:1fr}.frames{display:flex;flex-wrap:wrap;gap:4px;flex:1 1 240px}"
      ".frames figcaption{font-size:.75rem;text-align:center}.play i{display:block;border-radius:3px;flex:none;width:",
      size.width, "px;height:", size.height, "px}", motion_rules(config.clip.sampler.frames, size),
      "</style></head>\n<body><header><h1>What the network sees</h1><p class=\"sub\">", name, " · split ",
      options.split, " · ", config.clip.sampler.frames,
      config.clip.sampler.frames == 1 ? " frame" : " frames", " of ", size.height, "×", size.width,
      "</p></header>\n<main><p>",
      options.mode == "train" ? text("Clips as training makes them, augmentation included (epoch ",
                                     options.epoch, ", seed ", config.train.seed, ").")
                              : std::string("Clips as evaluation makes them, without any augmentation."),
      " The first picture of a clip shows it in motion. Below each frame stands its number in the file, counted "
      "from 0; colors are normalized and turned back. The dataset: ",
      split_sizes(dataset), ".</p>\n<div class=\"clips\">", clips,
      "</div><h2>Settings</h2><div class=\"card wide\"><table><tbody>", settings,
      "</tbody></table></div></main>\n<footer>Written by <code>laban preview</code>, laban ", LABAN_VERSION,
      ".</footer></body></html>\n");
}

void preview(const Options& options) {
  Config config;
  options.flags.apply(config);
  choose_threads(config);
  resolve(config);
  const Dataset dataset = open_data(config, options.data);
  print_notes(dataset);
  const auto split = std::ranges::find(kSplitNames, options.split);
  const std::vector<int> items = dataset.require_split(static_cast<Split>(split - kSplitNames.begin()));
  const bool training = options.mode == "train";
  LoaderSettings settings = loader_settings(config, training ? SampleMode::train : SampleMode::test);
  settings.batch = 1;
  settings.drop_last = false;
  // Whichever mode: clips of all classes, not the first of the first.
  settings.shuffle = true;
  settings.stop = &interrupt_flag();
  const auto clips = std::min(options.clips, static_cast<int64_t>(items.size()));

  outlive_readers();
  const FolderLock lock = hold_folder(options.output, "laban preview");
  for (int64_t i = 0; i < clips; ++i)
    require_replaceable(fs::path(options.output) / sheet_name(i), "a contact sheet", report::is_own_png);
  const fs::path index = fs::path(options.output) / "index.html";
  require_replaceable(index, "a preview",
                      [](std::string_view begin) { return begin.find(kPageMark) != std::string_view::npos; });
  install_interrupt_handler();
  Progress progress("making clips", clips);
  std::string html;
  const auto make_clips = [&] {
    Loader loader(dataset, items, settings);
    loader.start(options.epoch, 0, true);
    for (int64_t i = 0; i < clips; ++i) {
      if (interrupted()) throw Canceled{};
      const auto batch = loader.next();
      if (!batch) break;  // files that were left out
      const std::string name = sheet_name(i);
      const std::vector<uint8_t> png = report::encode_png(contact_sheet(*batch, 0, settings.transform));
      write_file(fs::path(options.output) / name, {reinterpret_cast<const char*>(png.data()), png.size()});
      html += clip_html(dataset, *batch, 0, name);
      progress.update(i + 1);
    }
  };
  try {
    make_clips();
  } catch (const Canceled&) {
    throw Error("stopped; no page was written");
  }
  progress.finish();
  write_file(index, page(options, config, dataset, html));
  std::printf("wrote %s\n", index.c_str());
}

}  // namespace

void add_preview(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("preview", "show what the network will see: contact sheets and an HTML page");
  command.add("DATA,--data", options->data, "dataset folder, or a list of clips")
      .path(PathKind::any)
      .required();
  command.add("-o,--output", options->output, "folder for the page and its pictures").path(PathKind::folder);
  command.add("--clips", options->clips, "number of clips").range(1, 100'000);
  command.add("--split", options->split, "split to show").choices({"train", "val", "test"});
  command.add("--mode", options->mode, "train: augmented; test: as in evaluation").choices({"train", "test"});
  command.add("--epoch", options->epoch, "training epoch to show; each has its own random crops")
      .range(0, 1'000'000'000);
  std::vector<std::string> flags =
      flags_with(Role::dataset | Role::loading | Role::sampling | Role::picture | Role::augmentation);
  flags.emplace_back("seed");
  options->flags.add_to(command, flags);
  command.example("laban preview clips").example("laban preview clips -o page --clips 30 --flip 0");
  command.action([options] { preview(*options); });
}

}  // namespace laban::tools
