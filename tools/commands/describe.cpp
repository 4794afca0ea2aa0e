// laban describe: what a model is made of and what it costs.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "cli/options.h"
#include "cli/printable.h"
#include "cli/table.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/backend_decorator.h"
#include "core/text.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "models/families.h"
#include "models/network.h"
#include "models/summary.h"
#include "weights/load.h"

namespace laban::tools {
namespace {

struct Options {
  std::string model, weights, precision = "f32";
  int64_t frames = 16, size = 112, batch = 1, classes = 400;
  bool json = false;
  std::optional<int> gpu;
  ConfigFlags flags;
};

/// For dry runs only: no memory behind the parameters, nothing prepared, no op runs.
class DryBackend : public BackendDecorator {
 public:
  using BackendDecorator::BackendDecorator;
  std::unique_ptr<Memory> allocate(size_t bytes) override { return std::make_unique<NoMemory>(bytes); }
  using BackendDecorator::run;
  void run(const SetZero&, Scratch) override {}

 protected:
  using BackendDecorator::prepare_for;
  void prepare_for(const ConvForward&) override {}
  void prepare_for(const ConvBatchNorm&) override {}
  void prepare_for(const ConvBackwardData&) override {}
  void prepare_for(const ConvBackwardWeights&) override {}
  void prepare_for(const LinearForward&) override {}
  void prepare_for(const LinearBackwardData&) override {}
  void prepare_for(const LinearBackwardWeights&) override {}

 private:
  class NoMemory : public Memory {
   public:
    explicit NoMemory(size_t bytes) : bytes_(bytes) {}
    void* data() override { return token_; }  // addresses are computed from it, but never looked at
    size_t bytes() const override { return bytes_; }

   private:
    alignas(64) std::byte token_[64]{};
    size_t bytes_;
  };
};

struct Memories {
  size_t parameters = 0, training = 0, evaluation = 0;
};

Memories planned(const ModelSpec& spec, const Shape& clips, DType compute, const CpuSettings& settings) {
  CpuBackend cpu(settings);
  DryBackend dry(cpu);
  Network network(dry, compute, spec);
  return {network.parameter_bytes(), network.planned_bytes(clips, Mode::train),
          network.planned_bytes(clips, Mode::evaluate)};
}

std::string place(const Shape& s) {
  return s.pixels() == s.n ? std::to_string(s.c) : text(s.c, " x ", s.t, " x ", s.h, " x ", s.w);
}

void print_table(const ModelSpec& spec, const Shape& clips, DType compute, const Summary& summary,
                 const Memories& memories) {
  const double element = static_cast<double>(size_of(compute)), n = static_cast<double>(clips.n);
  std::printf("%s\n\n",
              text(spec.name, ", ", spec.classes, " classes, ", clips.n,
                   clips.n == 1 ? " clip of " : " clips of ", clips.t, " frames of ", clips.h, "x", clips.w,
                   ", ", compute, clips.n == 1 ? "" : "; MMAC and activations are of the whole batch")
                  .c_str());
  Table table({"layer", "what", "output (C x T x H x W)", "parameters", "MMAC", "activations", "sees frames",
               "pixels"},
              "lllrrrrr");
  for (const SummaryRow& row : summary.rows) {
    const auto& field = row.receptive_field;
    const bool shown = field[0] > 0;
    table.add({row.layer.name, row.layer.kind, place(row.layer.output),
               row.layer.parameters ? grouped(row.layer.parameters) : "",
               row.layer.macs ? fixed(static_cast<double>(row.layer.macs) * 1e-6, 1) : "",
               mebibytes(static_cast<double>(row.layer.activations) * element),
               shown ? std::to_string(field[0]) : "shortcut",
               !shown                 ? ""
               : field[1] == field[2] ? std::to_string(field[1])
                                      : text(field[1], "x", field[2])});
  }
  table.rule();
  table.add({"total", "", "", grouped(summary.parameters), fixed(static_cast<double>(summary.macs) * 1e-6, 1),
             mebibytes(static_cast<double>(summary.activations) * element)});
  std::printf("%s\n", table.str().c_str());
  std::printf("public definition    %s\n", public_definition(spec).c_str());
  std::printf("parameters           %s\n", grouped(summary.parameters).c_str());
  std::printf("forward, one clip    %s GMAC\n",
              fixed(static_cast<double>(summary.macs) / n * 1e-9, 3).c_str());
  std::printf("activations          %s for the batch, each counted once\n",
              mebibytes(static_cast<double>(summary.activations) * element).c_str());
  std::printf("memory in training   %s activations and workspace as planned, %s parameters and gradients\n",
              mebibytes(static_cast<double>(memories.training)).c_str(),
              mebibytes(static_cast<double>(memories.parameters)).c_str());
  std::printf("memory in evaluation %s activations and workspace as planned\n",
              mebibytes(static_cast<double>(memories.evaluation)).c_str());
}

void print_json(const ModelSpec& spec, const Shape& clips, DType compute, const Summary& summary,
                const Memories& memories) {
  const auto element = static_cast<int64_t>(size_of(compute));
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const SummaryRow& row : summary.rows) {
    const Shape& s = row.layer.output;
    nlohmann::ordered_json entry{{"name", row.layer.name},
                                 {"kind", row.layer.kind},
                                 {"output", {s.n, s.c, s.t, s.h, s.w}},
                                 {"parameters", row.layer.parameters},
                                 {"macs", row.layer.macs},
                                 {"activation_bytes", row.layer.activations * element}};
    if (row.layer.on_main_path) entry["receptive_field"] = row.receptive_field;
    layers.push_back(std::move(entry));
  }
  const nlohmann::ordered_json report{{"model", spec.name},
                                      {"public_definition", public_definition(spec)},
                                      {"classes", spec.classes},
                                      {"clips", {clips.n, clips.c, clips.t, clips.h, clips.w}},
                                      {"precision", name_of(compute)},
                                      {"layers", layers},
                                      {"parameters", summary.parameters},
                                      {"macs_per_clip", summary.macs / clips.n},
                                      {"gmac_per_clip", static_cast<double>(summary.macs / clips.n) * 1e-9},
                                      {"activation_bytes", summary.activations * element},
                                      {"planned_training_bytes", memories.training},
                                      {"planned_evaluation_bytes", memories.evaluation},
                                      {"parameter_bytes", memories.parameters}};
  std::printf("%s\n", report.dump(2).c_str());
}

/// Says what a file of weights is, sets its model, and returns its number of classes.
int64_t model_of(const Options& options, Config& config) {
  const StateDict state = read_weights(options.weights);
  std::vector<std::string> given = options.flags.given();
  if (!options.model.empty()) given.emplace_back("model");
  const Notes notes = apply_notes(config, state, given);
  const std::vector<std::string> models = fitting_models(state);
  const int64_t classes = has_head(state) ? classes_of(state) : options.classes;
  std::FILE* const out = options.json ? stderr : stdout;
  std::fprintf(out, "%s: %zu tensors, %s; fits %s\n", printable(state.path().string()).c_str(),
               state.tensors().size(),
               has_head(state) ? text(classes, " classes").c_str() : "without a last layer",
               models.empty() ? "none of laban's models" : join(models, "; or ").c_str());
  if (!options.model.empty()) config.model.name = options.model;
  if (options.model.empty() && !notes.model) {
    if (models.empty())
      require_fit(state, model_by_name("r3d_18", classes), HeadPolicy::keep_own);  // says why not
    std::istringstream words(models.front());
    for (std::string flag, value; words >> flag >> value;)
      if (const std::string name = flag.substr(2); std::ranges::find(given, name) == given.end())
        apply_flag(config, name, value);
  }
  Config wanted = config;
  options.flags.apply(wanted);
  require_fit(state, model_spec(wanted, classes), HeadPolicy::keep_own);
  if (!notes.clips) std::fprintf(out, "which clips it was trained on is not known\n");
  return classes;
}

void run(const Options& options) {
  if (options.gpu) {
    std::printf("%s\n", cuda_description(*options.gpu).c_str());
    return;
  }
  if (options.model.empty() && options.weights.empty())
    throw UsageError("laban describe: MODEL is missing", "Available: " + join(model_names()) + ".");
  Config config;
  int64_t classes = options.classes;
  if (!options.weights.empty())
    classes = model_of(options, config);
  else
    config.model.name = options.model;
  options.flags.apply(config);
  const ModelSpec spec = model_spec(config, classes);
  const Shape clips{options.batch, 3, options.frames, options.size, options.size};
  const DType compute = options.precision == "bf16" ? DType::bf16 : DType::f32;
  const Summary summary = summarize(spec, clips);
  const Memories memories = planned(spec, clips, compute, cpu_settings(config));
  (options.json ? print_json : print_table)(spec, clips, compute, summary, memories);
}

}  // namespace

void add_describe(Command& program) {
  const auto options = std::make_shared<Options>();
  Command& command = program.subcommand("describe", "print a model layer by layer: shapes, parameters, cost");
  command.add("MODEL,--model", options->model, "model name").allowed("one of " + join(model_names()));
  command
      .add("--weights", options->weights,
           "file of weights, or a name from `laban weights list`: say what it is, and describe its model")
      .path(PathKind::file);
  command.add("--gpu", options->gpu, "describe this GPU, its driver and the CUDA libraries instead")
      .range(0, 1023)
      .implied("0");
  const auto extent = [&](const char* flag, int64_t& value, const char* what) {
    command.add(flag, value, what).range(1, 1 << 20);
  };
  extent("--frames", options->frames, "frames per clip");
  extent("--size", options->size, "width and height of a clip");
  extent("--batch", options->batch, "clips per batch");
  extent("--classes", options->classes, "number of classes");
  command.add("--precision", options->precision, "data type of activations").choices({"f32", "bf16"});
  std::vector<std::string> flags = flags_with(Role::network);
  std::erase(flags, "model");  // above, as an argument
  for (const char* flag : {"threads", "isa"})
    flags.emplace_back(flag);  // they change the memory that is planned
  options->flags.add_to(command, flags);
  command.add("--json", options->json, "print JSON instead of a table");
  command.example("laban describe r2plus1d_18 --frames 16 --size 112")
      .example("laban describe r3d_18 --json")
      .example("laban describe --weights net.pth")
      .example("laban describe --gpu");
  command.action([options] { run(*options); });
}

}  // namespace laban::tools
