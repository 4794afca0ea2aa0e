// laban export: a network's weights in the formats of other programs.
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/trained_network.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"
#include "models/summary.h"
#include "weights/export.h"

namespace laban::tools {
namespace {

struct Options {
  std::string output, dtype = "f32";
  NetworkSource source;
};

enum class Format { safetensors, torch, onnx };

Format format_of(const std::string& output) {
  const std::string extension = std::filesystem::path(output).extension().string();
  if (extension == ".safetensors") return Format::safetensors;
  if (extension == ".pt" || extension == ".pth") return Format::torch;
  if (extension == ".onnx") return Format::onnx;
  throw UsageError(text("--output ", output, ": the name's ending says what to write"),
                   "Known endings: .safetensors, .pt and .pth (PyTorch's state dict), .onnx.");
}

ElementType element_type(const std::string& dtype) {
  return dtype == "f64"    ? ElementType::f64
         : dtype == "f16"  ? ElementType::f16
         : dtype == "bf16" ? ElementType::bf16
                           : ElementType::f32;
}

/// What somebody needs to know who uses the weights elsewhere.
std::map<std::string, std::string> notes(const TrainedNetwork& trained) {
  std::map<std::string, std::string> notes = noted_settings(trained.info.config, trained.clips_known);
  if (trained.classes_named)
    notes["classes"] =
        nlohmann::json(trained.info.classes).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return notes;
}

void run(const Options& options) {
  const Format format = format_of(options.output);
  if (format == Format::onnx && options.dtype != "f32")
    throw UsageError(text("--dtype ", options.dtype, ": an ONNX model is written in f32"));
  require_writable(options.output);
  const TrainedNetwork trained = load_network(options.source, NetworkUse::weights);
  Network& network = *trained.network;
  const KeyStyle style = public_key_style(network.spec());
  const ElementType type = element_type(options.dtype);
  switch (format) {
    case Format::safetensors:
      write_safetensors_state(options.output, export_state(network, type, style), notes(trained));
      break;
    case Format::torch:
      write_torch_file(options.output, export_state(network, type, style));
      break;
    case Format::onnx:
      write_onnx(options.output, network, notes(trained));
      break;
  }
  std::printf("%s: %s, %zu classes; equals: %s\n", options.output.c_str(), network.spec().name.c_str(),
              trained.info.classes.size(), public_definition(network.spec()).c_str());
}

}  // namespace

void add_export(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("export", "write a network's weights for PyTorch, or the network as ONNX");
  command.add("-o,--output", options->output, "file to write: .safetensors, .pt, .pth or .onnx")
      .path(PathKind::file)
      .required();
  command.add("--dtype", options->dtype, "data type of the weights").choices({"f32", "f16", "bf16", "f64"});
  options->source.add_to(command, NetworkUse::weights);
  command.example("laban export --run runs/clips -o net.onnx")
      .example("laban export --run runs/clips -o net.pt --dtype f16");
  command.action([options] { run(*options); });
}

}  // namespace laban::tools
