// laban forward: numbers in, numbers out. What a network makes of given weights and clips, as tensors in a
// file: the door through which it can be compared with other programs, number by number.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/weights_notes.h"
#include "commands/commands.h"
#include "core/backend.h"
#include "core/error.h"
#include "core/files.h"
#include "core/safetensors.h"
#include "models/network.h"
#include "train/optimizer.h"
#include "weights/load.h"

namespace laban::tools {
namespace {

struct Options {
  std::string weights, input, output, mode = "eval";
  bool gradients = false;
  int64_t steps = 0;
  ConfigFlags flags;
};

/// What the input file holds.
struct Input {
  Shape clips;
  std::vector<double> pixels;  // n, c, t, h, w
  std::vector<int32_t> labels;
};

Input read_input(const std::string& path, int64_t classes) {
  const SafetensorsFile file{std::filesystem::path(path)};
  const auto fail = [&](const std::string& what, const std::string& advice) {
    throw FileError(path, what, advice);
  };
  const char* wanted =
      "It must hold `clips` (N, 3, T, H, W), floating-point, and may hold `labels` (N), whole numbers.";
  for (const auto& [name, entry] : file.entries())
    if (name != "clips" && name != "labels") fail(text("holds an unknown tensor '", name, "'"), wanted);
  if (!file.has("clips")) fail("holds no tensor 'clips'", wanted);
  const std::vector<int64_t>& shape = file.entries().at("clips").shape;
  if (shape.size() != 5 || shape[1] != 3 || std::ranges::any_of(shape, [](int64_t e) { return e < 1; }))
    fail(text("tensor 'clips' has the shape ", shape_text(shape)), wanted);

  Input input;
  input.clips = {shape[0], shape[1], shape[2], shape[3], shape[4]};
  input.pixels = file.doubles("clips", shape);
  const auto bad = std::ranges::count_if(input.pixels, [](double v) { return !std::isfinite(v); });
  if (bad > 0)
    fail(text("tensor 'clips' contains NaN or infinite values (", bad, " of ", input.pixels.size(), ")"), "");
  if (!file.has("labels")) return input;
  for (const int64_t label : file.integers("labels", std::vector<int64_t>{shape[0]})) {
    if (label < 0 || label >= classes)
      fail(text("tensor 'labels' holds ", label, ", but the weights tell apart ", classes, " classes, 0 to ",
                classes - 1),
           "");
    input.labels.push_back(static_cast<int32_t>(label));
  }
  return input;
}

/// A tensor like a batch of clips in the backend's memory: padded, in the compute type, channels last.
class ClipTensor {
 public:
  ClipTensor(Network& network, const Shape& clips) : backend_(network.backend()), clips_(clips) {
    tensor_ = Tensor(nullptr, network.compute(), network.storage_shape(clips), backend_.device());
    memory_ = backend_.allocate(tensor_.bytes());
    tensor_.data = memory_->data();
  }
  const Tensor& tensor() const { return tensor_; }

  /// From and to PyTorch's order: n, c, t, h, w.
  void write(const std::vector<double>& values) {
    if (const auto at = first_overflow(element_type_of(tensor_.dtype), values))
      throw Error(text("tensor 'clips' holds ", values[*at], ", which --precision ", name_of(tensor_.dtype),
                       " cannot: it would become infinite"),
                  "--precision f64 reaches further.");
    std::vector<double> stored(static_cast<size_t>(tensor_.count()), 0.0);
    for_each([&](size_t outside, size_t inside) { stored[inside] = values[outside]; });
    std::vector<std::byte> bytes(tensor_.bytes());
    encode(element_type_of(tensor_.dtype), stored, bytes.data());
    backend_.upload(tensor_, bytes.data());
  }
  std::vector<double> read() {
    std::vector<std::byte> bytes(tensor_.bytes());
    backend_.download(bytes.data(), tensor_);
    std::vector<double> stored(static_cast<size_t>(tensor_.count()));
    decode(element_type_of(tensor_.dtype), bytes.data(), std::span<double>(stored));
    std::vector<double> values(static_cast<size_t>(clips_.count()));
    for_each([&](size_t outside, size_t inside) { values[outside] = stored[inside]; });
    return values;
  }

 private:
  template <class Visit>
  void for_each(Visit visit) const {
    size_t outside = 0;
    for (int64_t n = 0; n < clips_.n; ++n)
      for (int64_t c = 0; c < clips_.c; ++c)
        for (int64_t t = 0; t < clips_.t; ++t)
          for (int64_t h = 0; h < clips_.h; ++h)
            for (int64_t w = 0; w < clips_.w; ++w)
              visit(outside++, static_cast<size_t>(tensor_.shape.index(n, t, h, w, c)));
  }

  Backend& backend_;
  Shape clips_;
  Tensor tensor_;
  std::unique_ptr<Memory> memory_;
};

/// Tensors on their way into the output file.
class Output {
 public:
  explicit Output(DType dtype) : type_(element_type_of(dtype)) {}

  void add(std::string name, std::vector<int64_t> shape, const std::vector<double>& values) {
    memory_.emplace_back(values.size() * size_of(type_));
    encode(type_, values, memory_.back().data());
    tensors_.push_back({std::move(name), type_, std::move(shape), memory_.back().data()});
  }
  void add(std::string name, const int64_t& count) {
    tensors_.push_back({std::move(name), ElementType::i64, {}, &count});
  }
  void add_statistics(const ParameterStore& store) {
    for (const Statistic* s : store.list().statistics) add("stats." + s->name, {s->shape.c}, store.read(*s));
    for (const Counter* c : store.list().counters) add("stats." + c->name, c->value);
  }
  void add_parameters(const std::string& prefix, const ParameterStore& store, const Tensor& flat) {
    for (const Parameter* p : store.list().parameters)
      add(prefix + p->name, torch_shape(*p), store.read(flat, *p));
  }
  void write(const std::string& path, const Network& network) const {
    write_safetensors(path, tensors_,
                      {{"model", network.spec().name},
                       {"device", std::string(network.backend().name())},
                       {"precision", std::string(name_of(network.compute()))}});
  }

 private:
  ElementType type_;
  std::vector<std::vector<std::byte>> memory_;
  std::vector<TensorToSave> tensors_;
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// One pass, with what was asked for.
void one_pass(const Options& options, const Config& config, Network& network, const Input& input,
              Output& out) {
  const auto n = static_cast<size_t>(input.clips.n);
  const bool labeled = !input.labels.empty(), train = options.mode == "train";
  std::vector<double> logits(n * static_cast<size_t>(network.spec().classes)), losses(labeled ? n : 0);
  ClipTensor clips(network, input.clips);
  clips.write(input.pixels);
  // Evaluation knows only the plain loss.
  const bool smoothed = labeled && config.train.label_smoothing > 0;
  if (train || options.gradients || smoothed) {
    // A pass in training mode always has a loss; without labels nobody looks at it.
    const std::vector<int32_t> labels = labeled ? input.labels : std::vector<int32_t>(n, 0);
    const LossSettings loss{config.train.label_smoothing, 1.0 / static_cast<double>(n)};
    std::optional<ClipTensor> dclips;
    if (options.gradients) dclips.emplace(network, input.clips);
    network.store().zero_gradients();
    network.train_step({.clips = clips.tensor(),
                        .labels = labels,
                        .loss = loss,
                        .seed = config.train.seed,
                        .step = 0,
                        .losses = losses,
                        .logits = logits,
                        .mode = train ? Mode::train : Mode::frozen,
                        .dclips = dclips ? dclips->tensor() : Tensor()});
    if (options.gradients) {
      out.add_parameters("grad.", network.store(), network.store().grads());
      const Shape& s = input.clips;
      out.add("grad.clips", {s.n, s.c, s.t, s.h, s.w}, dclips->read());
    }
  } else {
    network.infer(clips.tensor(), logits, input.labels, losses);
  }
  out.add("logits", {input.clips.n, network.spec().classes}, logits);
  if (labeled) out.add("loss", {}, {mean(losses)});
  if (train) out.add_statistics(network.store());
}

/// So many updates of the weights, always on the same clips.
void some_steps(const Options& options, const Config& config, Network& network, const Input& input,
                Output& out) {
  const auto n = static_cast<size_t>(input.clips.n);
  const bool train = options.mode == "train";
  const LossSettings loss{config.train.label_smoothing, 1.0 / static_cast<double>(n)};
  ClipTensor clips(network, input.clips);
  clips.write(input.pixels);
  Optimizer optimizer(network.store(), config.optimizer);
  std::vector<double> losses(n), means;
  Progress progress("steps", options.steps);
  for (int64_t step = 0; step < options.steps; ++step) {
    network.store().zero_gradients();
    network.train_step({.clips = clips.tensor(),
                        .labels = input.labels,
                        .loss = loss,
                        .seed = config.train.seed,
                        .step = static_cast<uint64_t>(step),
                        .losses = losses,
                        .mode = train ? Mode::train : Mode::frozen});
    optimizer.step(config.schedule.base_lr);
    means.push_back(mean(losses));
    if (!std::isfinite(optimizer.gradient_norm()))
      throw Error(text("a gradient became NaN or infinite in step ", step + 1),
                  "A smaller --lr usually helps.");
    progress.update(step + 1, {text("loss ", means.back())});
  }
  progress.finish();
  out.add("losses", {options.steps}, means);
  out.add_parameters("weights.", network.store(), network.store().weights());
  if (train) out.add_statistics(network.store());
}

/// What is read stays as it is.
void refuse_overwriting(const std::string& output, const char* flag, const std::string& input) {
  std::error_code missing;
  if (std::filesystem::equivalent(output, input, missing))
    throw UsageError(text("--output ", output, " is the file that ", flag, " names"),
                     "Give the results a file of their own.");
}

void run(const Options& options) {
  outlive_readers();
  Config config;
  const StateDict state = read_weights(options.weights);
  apply_notes(config, state, options.flags.given());
  options.flags.apply(config);
  choose_threads(config);
  choose_device(config);
  resolve(config);
  refuse_overwriting(options.output, "--input", options.input);
  refuse_overwriting(options.output, "--weights", state.path().string());
  require_writable(options.output);
  const int64_t classes = classes_of(state);
  require_fit(state, model_spec(config, classes), HeadPolicy::must_fit);
  const Input input = read_input(options.input, classes);
  if (input.labels.empty() && (options.gradients || options.steps > 0))
    throw UsageError(text(options.input, " holds no labels, which ",
                          options.gradients ? "--gradients" : "--steps", " needs"));
  if (options.steps > 0 && options.gradients)
    throw UsageError("--steps and --gradients exclude each other", "Give one of them.");

  const std::unique_ptr<Backend> backend = make_backend(config);
  Network network(*backend, compute_type(config), model_spec(config, classes));
  load_weights(network, state, HeadPolicy::must_fit);
  Output out(master_of(network.compute()));
  (options.steps > 0 ? some_steps : one_pass)(options, config, network, input, out);
  out.write(options.output, network);
}

}  // namespace

void add_forward(Command& program) {
  auto options = std::make_shared<Options>();
  Command& command = program.subcommand(
      "forward", "compute logits, loss and gradients of given clips, as tensors in a file");
  command
      .add("--weights", options->weights, "safetensors or PyTorch file, or a name from `laban weights list`")
      .path(PathKind::file)
      .required();
  command
      .add("--input", options->input,
           "safetensors file with `clips` (N,3,T,H,W) and, optionally, `labels` (N)")
      .path(PathKind::file)
      .required();
  command.add("-o,--output", options->output, "safetensors file to write: `logits`, `loss`, ...")
      .path(PathKind::file)
      .required();
  command
      .add("--mode", options->mode,
           "eval: running statistics; train: batch statistics, and the running ones are updated")
      .choices({"train", "eval"});
  command.add("--gradients", options->gradients, "also `grad.<parameter>` and `grad.clips` of the mean loss");
  command
      .add("--steps", options->steps,
           "instead: optimizer steps on these clips; writes `losses` and `weights.<parameter>`")
      .range(1, 1'000'000)
      .shown_default("");
  std::vector<std::string> flags = flags_with(Role::network | Role::machine);
  for (std::string& flag : flags_in("optimizer")) flags.push_back(std::move(flag));
  for (const char* flag : {"dropout", "seed", "label-smoothing"}) flags.emplace_back(flag);
  options->flags.add_to(command, flags);
  command.example("laban forward --weights w.safetensors --input x.safetensors -o y.safetensors");
  command.action([options] { run(*options); });
}

}  // namespace laban::tools
