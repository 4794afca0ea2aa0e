#include "weights/public_weights.h"

#include <algorithm>

#include "core/error.h"
#include "core/file_bytes.h"
#include "core/sha256.h"
#include "models/families.h"
#include "weights/load.h"
#include "weights/own_keys.h"

namespace laban {
namespace {

using Clips = std::vector<std::pair<std::string, std::string>>;

/// torchvision/models/video/resnet.py: names, addresses, sizes and accuracies; the digits in a file's name are
/// those of its SHA-256. Trained on clips of 16 frames at 15 frames a second (references/video_classification).
PublicWeights torchvision(const std::string& model, const std::string& digits, const std::string& accuracy,
                          const std::string& size) {
  const std::string file = model + "-" + digits + ".pth";
  return {.name = "torchvision/" + model,
          .file = file,
          .sha256 = digits,
          .address = "https://download.pytorch.org/models/" + file,
          .model = model,
          .trained_on = "Kinetics-400",
          .classes = 400,
          .accuracy = accuracy,
          .size = size,
          .clips = {{"preset", "torchvision"}, {"sampler", "dense"}, {"frames", "16"}, {"fps", "15"}}};
}

/// VMZ's R(2+1)D-34 as its PyTorch version links it (pt/vmz/models/utils.py): converted by the authors of ig65m-pytorch,
/// whose extract.py says what clips are. What the digits in the names are is not said.
PublicWeights vmz(const std::string& name, const std::string& file, int64_t classes,
                  const std::string& trained_on, const std::string& frames) {
  return {.name = "vmz/" + name,
          .file = file,
          .sha256 = "",
          .address = "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0/" + file,
          .model = "r2plus1d_34",
          .options = {.midplanes = MidplanesRule::per_conv, .norm_eps = 1e-3},
          .trained_on = trained_on,
          .classes = classes,
          .accuracy = "",
          .size = "",
          .clips = {{"sampler", "dense"},
                    {"frames", frames},
                    {"size", "112"},
                    {"scale", "short-side"},
                    {"short-side-min", "128"},
                    {"mean", "0.43216,0.394666,0.37645"},
                    {"std", "0.22803,0.22145,0.216989"}}};
}

/// kenshohara/3D-ResNets-PyTorch: the README lists files, models and classes; opts.py, mean.py and main.py say what
/// clips are.
PublicWeights hara(const std::string& file, const std::string& model, int64_t classes,
                   const std::string& trained_on) {
  return {.name = "hara/" + file.substr(0, file.size() - 4),
          .file = file,
          .sha256 = "",
          .address = "https://drive.google.com/open?id=1xbYbZ7rpyjftI_KCk6YuL-XrfQDz7Yd4",
          .direct = false,
          .model = model,
          .trained_on = trained_on,
          .classes = classes,
          .accuracy = "",
          .size = "",
          .clips = {{"sampler", "dense"},
                    {"frames", "16"},
                    {"size", "112"},
                    {"scale", "short-side"},
                    {"short-side-min", "112"},
                    {"mean", "0.4345,0.4051,0.3775"},
                    {"std", "0.2768,0.2713,0.2737"}}};
}

/// The older files of the same program: pixels from 0 to 255, of which only a mean is subtracted.
PublicWeights old_hara(const std::string& file, const std::string& model, ShortcutKind shortcut,
                       const std::string& accuracy) {
  PublicWeights old = hara(file, model, 400, "Kinetics-400");
  old.address = "https://drive.google.com/drive/folders/14KRBqT8ySfPtFSuLsFS2U4I-ihTDs0Y9?usp=sharing";
  old.options.shortcut = shortcut;
  old.accuracy = accuracy;
  for (auto& [flag, value] : old.clips) {
    if (flag == "mean") value = "0.450097,0.422492,0.390098";  // 114.7748, 107.7354, 99.4750 of 255
    if (flag == "std") value = "0.003921569,0.003921569,0.003921569";
  }
  return old;
}

std::vector<PublicWeights> all_weights() {
  const auto projection = ShortcutKind::projection, subsample = ShortcutKind::subsample;
  return {
      torchvision("r3d_18", "b3b3357e", "63.2 top-1, 83.479 top-5 (5 clips a video)", "127.359 MiB"),
      torchvision("mc3_18", "a90a0ba3", "63.96 top-1, 84.13 top-5 (5 clips a video)", "44.672 MiB"),
      torchvision("r2plus1d_18", "91a641e6", "67.463 top-1, 86.175 top-5 (5 clips a video)", "120.318 MiB"),
      vmz("r2plus1d_34_8_kinetics", "r2plus1d_34_clip8_ft_kinetics_from_ig65m-0aa0550b.pth", 400,
          "IG-65M, then Kinetics-400", "8"),
      vmz("r2plus1d_34_32_kinetics", "r2plus1d_34_clip32_ft_kinetics_from_ig65m-ade133f1.pth", 400,
          "IG-65M, then Kinetics-400", "32"),
      vmz("r2plus1d_34_8_ig65m", "r2plus1d_34_clip8_ig65m_from_scratch-9bae36ae.pth", 359, "IG-65M", "8"),
      vmz("r2plus1d_34_32_ig65m", "r2plus1d_34_clip32_ig65m_from_scratch-449a7af9.pth", 487, "IG-65M", "32"),
      hara("r3d18_K_200ep.pth", "resnet3d_18", 700, "Kinetics-700"),
      hara("r3d18_KM_200ep.pth", "resnet3d_18", 1039, "Kinetics-700 and Moments in Time"),
      hara("r3d34_K_200ep.pth", "resnet3d_34", 700, "Kinetics-700"),
      hara("r3d34_KM_200ep.pth", "resnet3d_34", 1039, "Kinetics-700 and Moments in Time"),
      hara("r3d50_K_200ep.pth", "resnet3d_50", 700, "Kinetics-700"),
      hara("r3d50_KM_200ep.pth", "resnet3d_50", 1039, "Kinetics-700 and Moments in Time"),
      hara("r3d50_KMS_200ep.pth", "resnet3d_50", 1139, "Kinetics-700, Moments in Time and STAIR-Actions"),
      hara("r3d50_KS_200ep.pth", "resnet3d_50", 800, "Kinetics-700 and STAIR-Actions"),
      hara("r3d50_M_200ep.pth", "resnet3d_50", 339, "Moments in Time"),
      hara("r3d50_MS_200ep.pth", "resnet3d_50", 439, "Moments in Time and STAIR-Actions"),
      hara("r3d50_S_200ep.pth", "resnet3d_50", 100, "STAIR-Actions"),
      old_hara("resnet-18-kinetics.pth", "resnet3d_18", subsample, "66.1 (mean of top-1 and top-5)"),
      old_hara("resnet-34-kinetics.pth", "resnet3d_34", subsample, "71.0 (mean of top-1 and top-5)"),
      old_hara("resnet-34-kinetics-cpu.pth", "resnet3d_34", subsample, "71.0 (mean of top-1 and top-5)"),
      old_hara("resnet-50-kinetics.pth", "resnet3d_50", projection, "72.2 (mean of top-1 and top-5)"),
  };
}

ModelSpec spec_of(const PublicWeights& weights) {
  ModelSpec spec = model_by_name(weights.model, weights.classes);
  spec.options = weights.options;
  return spec;
}

/// Whether its tensors are like the public file's: names, shapes, the number of classes.
bool is_like(const StateDict& state, const PublicWeights& weights) { return fits(state, spec_of(weights)); }

std::string hex_of(const FileBytes& file) {
  Sha256 hash;
  file.for_each_piece(0, file.size(),
                      [&](std::span<const std::byte> piece) { hash.update(piece.data(), piece.size()); });
  return hash.hex();
}

}  // namespace

std::span<const PublicWeights> public_weights() {
  static const std::vector<PublicWeights> all = all_weights();
  return all;
}

const PublicWeights* public_weights_named(std::string_view name) {
  const auto all = public_weights();
  const auto found = std::ranges::find(all, name, &PublicWeights::name);
  return found == all.end() ? nullptr : &*found;
}

std::string public_weights_names() {
  std::string names;
  for (const PublicWeights& weights : public_weights()) names += (names.empty() ? "" : ", ") + weights.name;
  return names;
}

std::optional<Recognized> recognize(const StateDict& file, std::string& doubt) {
  const std::string name = file.path().filename().string();
  const auto all = public_weights();
  const auto named = std::ranges::find(all, name, &PublicWeights::file);
  const StateDict state = with_own_keys(file);
  std::string sha256;
  for (const PublicWeights& weights : all) {
    if (weights.sha256.empty() || !is_like(state, weights)) continue;
    if (sha256.empty()) sha256 = hex_of(file.file());
    if (sha256.starts_with(weights.sha256))
      return Recognized{&weights, text("its SHA-256 begins with ", weights.sha256, ", as published")};
  }
  if (named == all.end()) return std::nullopt;
  if (!named->sha256.empty())
    doubt = text("is called ", name, " but is not ", named->name, ": ",
                 sha256.empty()
                     ? text("its tensors do not fit ", named->model, " with ", named->classes, " classes")
                     : text("its SHA-256 begins with ", sha256.substr(0, named->sha256.size()), ", not ",
                            named->sha256));
  else if (is_like(state, *named))
    return Recognized{&*named,
                      text("its name, as published, and its tensors, which fit; no SHA-256 is published")};
  else
    doubt = text("is called ", name, " but is not ", named->name, ": its tensors do not fit ", named->model,
                 " with ", named->classes, " classes");
  return std::nullopt;
}

std::string sha256_of(const std::filesystem::path& file) { return hex_of(FileBytes(file)); }

}  // namespace laban
