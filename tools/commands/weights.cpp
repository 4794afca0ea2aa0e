// laban weights: public files of weights, listed and downloaded.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/printable.h"
#include "cli/weights_cache.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/text.h"
#include "weights/public_weights.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string name, cache, from, sha256;
  bool json = false;
};

fs::path folder_of(const Options& options) {
  return options.cache.empty() ? weights_folder() : fs::path(options.cache);
}

std::string model_flags(const PublicWeights& weights) {
  std::string flags = "--model " + weights.model;
  if (weights.options.midplanes == MidplanesRule::per_conv) flags += " --midplanes per-conv";
  if (weights.options.shortcut == ShortcutKind::subsample) flags += " --shortcut A";
  if (weights.options.norm_eps != ModelOptions{}.norm_eps)
    flags += text(" --norm-eps ", weights.options.norm_eps);
  return flags;
}

/// What a clip is, in lines of at most 80 columns.
std::string clips_of(const PublicWeights& weights) {
  std::string lines, line = "  clips:";
  for (const auto& [flag, value] : weights.clips) {
    const std::string next = " " + flag + " " + value + (flag == weights.clips.back().first ? "" : ",");
    if (line.size() + next.size() > 80) lines += line + "\n", line = "        ";
    line += next;
  }
  return lines + line + "\n";
}

void list(const Options& options) {
  const fs::path folder = folder_of(options);
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  for (const PublicWeights& weights : public_weights()) {
    std::error_code failed;
    const bool here = fs::exists(folder / weights.file, failed);
    if (options.json) {
      nlohmann::ordered_json clips = nlohmann::ordered_json::object();
      for (const auto& [flag, value] : weights.clips) clips[flag] = value;
      document.push_back({{"name", weights.name},
                          {"file", weights.file},
                          {"model", weights.model},
                          {"flags", model_flags(weights)},
                          {"trained_on", weights.trained_on},
                          {"classes", weights.classes},
                          {"accuracy", weights.accuracy},
                          {"size", weights.size},
                          {"sha256_begins", weights.sha256},
                          {"address", weights.address},
                          {"address_is_the_file", weights.direct},
                          {"clips", clips},
                          {"in_cache", here}});
      continue;
    }
    std::printf("%s%s\n  %s\n  %s, %lld classes\n", weights.name.c_str(), here ? "  (in the cache)" : "",
                model_flags(weights).c_str(), weights.trained_on.c_str(),
                static_cast<long long>(weights.classes));
    if (!weights.accuracy.empty()) std::printf("  accuracy in %%: %s\n", weights.accuracy.c_str());
    if (!weights.size.empty() || !weights.sha256.empty())
      std::printf("  %s; SHA-256 begins with %s\n", weights.size.c_str(), weights.sha256.c_str());
    std::printf("%s  %s%s\n", clips_of(weights).c_str(), weights.address.c_str(),
                weights.direct ? "" : text(" has ", weights.file).c_str());
  }
  if (options.json)
    std::printf("%s\n", document.dump(2).c_str());
  else
    std::printf("The cache is %s. What is not listed is not published.\n",
                printable(folder.string()).c_str());
}

bool is_address(const std::string& name) {
  return name.starts_with("http://") || name.starts_with("https://");
}

/// The name of the file at an address, without what may follow it.
std::string file_at(const std::string& address) {
  const std::string path = address.substr(0, address.find_first_of("?#"));
  const std::string name = path.substr(path.rfind('/') + 1);
  const bool host_only = path.find('/', path.find("//") + 2) == path.npos;
  if (host_only || name.empty() || name == "." || name == ".." || name.size() > 200)
    throw UsageError(text(address, " does not end with the name of a file"));
  return name;
}

void require_digits(const std::string& sha256) {
  const bool digits = sha256.find_first_not_of("0123456789abcdef") == sha256.npos;
  if (!sha256.empty() && (!digits || sha256.size() < 8 || sha256.size() > 64))
    throw UsageError(text("--sha256 ", sha256, " is no SHA-256"),
                     "Give 8 to 64 of its lower-case hexadecimal digits.");
}

void get(const Options& options) {
  require_digits(options.sha256);
  if (!options.from.empty() && !is_address(options.from))
    throw UsageError(text("--from ", options.from, " is not an address"),
                     "It begins with https:// or http://.");
  WantedFile wanted;
  if (is_address(options.name)) {
    if (!options.from.empty()) throw UsageError("--from goes with a name, not with an address");
    wanted = {options.name, options.name, file_at(options.name), options.sha256, nullptr};
  } else if (const PublicWeights* weights = public_weights_named(options.name)) {
    if (!options.sha256.empty() && !weights->sha256.empty())
      throw UsageError(text("--sha256: that of ", options.name, " is published, and is checked"));
    wanted = published(*weights);
    if (!options.from.empty()) wanted.address = options.from;
    if (wanted.sha256.empty()) wanted.sha256 = options.sha256;
  } else {
    throw UsageError(text("\"", options.name, "\" is neither the name of public weights nor an address"),
                     did_you_mean_weights(options.name));
  }
  std::printf("%s\n", get_weights(wanted, folder_of(options)).c_str());
}

}  // namespace

void add_weights(Command& program) {
  auto options = std::make_shared<Options>();
  Command& weights =
      program.subcommand("weights", "list and download public weights that fit laban's models");
  const auto add_cache = [&](Command& command) {
    command.add("--cache", options->cache, "folder of downloaded weights")
        .path(PathKind::folder)
        .value("DIR")
        .shown_default("$LABAN_WEIGHTS, else laban/weights in the user's cache folder");
  };

  Command& listing =
      weights.subcommand("list", "list public weights: models, classes, accuracy, clips, addresses");
  add_cache(listing);
  listing.add("--json", options->json, "print JSON");
  listing.example("laban weights list");
  listing.action([options] { list(*options); });

  Command& getting =
      weights.subcommand("get", "download weights to the cache, check them, and print the path of the file");
  getting.add("NAME", options->name, "name from `laban weights list`, or the address of another file")
      .required();
  add_cache(getting);
  getting.add("--from", options->from, "download from this address instead of the published one")
      .value("ADDRESS");
  getting
      .add("--sha256", options->sha256,
           "SHA-256 that the file must have, or its first digits, where none is published")
      .value("DIGITS");
  getting.example("laban weights get torchvision/r2plus1d_18")
      .example("laban train clips --weights torchvision/r2plus1d_18");
  getting.action([options] { get(*options); });
}

}  // namespace laban::tools
