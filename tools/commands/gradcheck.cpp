// laban gradcheck: are the backward passes the derivatives of the forward passes?
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/table.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/nearest_names.h"
#include "core/text.h"
#include "cpu/cpu_backend.h"
#include "cuda/make_backend.h"
#include "models/families.h"
#include "models/gradcheck.h"
#include "reference/reference_backend.h"

namespace laban::tools {
namespace {

struct Options {
  std::string layer, model, backend = "reference";
  uint64_t seed = 1;
  bool json = false;
  ConfigFlags flags;
};

/// The names in `cases`, each once, in order.
std::vector<std::string> list_of(const std::vector<GradcheckCase>& cases) {
  std::vector<std::string> names;
  for (const GradcheckCase& check : cases)
    if (names.empty() || check.layer != names.back()) names.push_back(check.layer);
  return names;
}
std::string names_of(const std::vector<GradcheckCase>& cases) { return join(list_of(cases)); }

std::vector<GradcheckCase> named(const std::vector<GradcheckCase>& cases, const std::string& name) {
  std::vector<GradcheckCase> found;
  for (const GradcheckCase& check : cases)
    if (check.layer == name) found.push_back(check);
  return found;
}

std::vector<GradcheckCase> chosen(const Options& options) {
  const auto &layers = gradcheck_layer_cases(), &models = gradcheck_model_cases();
  std::vector<GradcheckCase> cases;
  if (!options.layer.empty()) {
    cases = named(layers, options.layer);
    if (cases.empty())
      throw UsageError(text("unknown layer '", visible(options.layer), "'"),
                       did_you_mean(options.layer, list_of(layers)));
  }
  if (!options.model.empty()) {
    std::vector<GradcheckCase> small = named(models, options.model);
    // Published members in full, on clips as small as their strides allow.
    if (small.empty())
      small.push_back(gradcheck_case(model_by_name(options.model, 10), {3, 3, 5, 18, 17}, 1));
    cases.insert(cases.end(), small.begin(), small.end());
  }
  if (options.layer.empty() && options.model.empty()) {
    cases = layers;
    cases.insert(cases.end(), models.begin(), models.end());
  }
  return cases;
}

void print_table(const std::vector<GradcheckRow>& rows, bool differences) {
  Table table({"layer", "case", "tensor", differences ? "checked" : "elements", "gradient rms", "error",
               "allowed", ""},
              "lllrrrrl");
  for (const GradcheckRow& row : rows)
    table.add({row.layer, row.variant, row.tensor, grouped(row.checked), scientific(row.rms),
               scientific(row.error), scientific(row.tolerance),
               row.pass()       ? "ok"
               : row.kinked > 0 ? text("FAIL, ", row.kinked, " at a kink")
                                : "FAIL"});
  std::printf("%s", table.str().c_str());
}

void print_json(const std::vector<GradcheckRow>& rows, const std::string& backend, bool passed) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const GradcheckRow& row : rows)
    list.push_back({{"layer", row.layer},
                    {"case", row.variant},
                    {"tensor", row.tensor},
                    {"checked", row.checked},
                    {"kinked", row.kinked},
                    {"rms", row.rms},
                    {"error", row.error},
                    {"tolerance", row.tolerance},
                    {"worst", row.where},
                    {"backward", row.backward},
                    {"expected", row.expected},
                    {"pass", row.pass()}});
  std::printf("%s\n",
              nlohmann::ordered_json{{"backend", backend}, {"pass", passed}, {"rows", list}}.dump(2).c_str());
}

std::string digits(double value) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.9g", value);
  return out.data();
}

/// "conv3d (3x3x3, bias), gradient of input at n 0, c 3: backward computes 0.5, the difference quotient is 0.25".
std::string failure_text(const GradcheckRow& row, bool differences) {
  const std::string at = row.where.empty() ? "" : " at " + row.where;
  if (row.kinked > 0 && !(row.error > row.tolerance))
    return text(row.layer, " (", row.variant, "), gradient of ", row.tensor, ": ", row.kinked, " of ",
                row.checked, " values lie at a kink");
  return text(row.layer, " (", row.variant, "), gradient of ", row.tensor, at, ": backward computes ",
              digits(row.backward), differences ? ", the difference quotient is " : ", the reference ",
              digits(row.expected));
}

void run(const Options& options) {
  Config config;
  options.flags.apply(config);
  if (options.backend != "cpu")
    for (const std::string& flag : options.flags.given())
      throw UsageError(text("--", flag, " is for --device cpu"), "Give that too, or leave it out.");
  const bool differences = options.backend == "reference";
  ReferenceBackend reference;
  std::unique_ptr<Backend> tested;
  if (options.backend == "cpu") tested = std::make_unique<CpuBackend>(cpu_settings(config));
  if (options.backend == "cuda")
    tested = make_cuda_backend({.managed = true});  // the check looks into its memory

  std::vector<GradcheckRow> rows;
  for (const GradcheckCase& check : chosen(options)) {
    const auto some = differences ? gradcheck(reference, check, options.seed)
                                  : compare_gradients(reference, *tested, check, options.seed);
    rows.insert(rows.end(), some.begin(), some.end());
  }
  size_t failed = 0;
  double worst = 0;
  for (const GradcheckRow& row : rows) {
    failed += row.pass() ? 0 : 1;
    if (!(row.error <= worst)) worst = row.error;
  }
  if (options.json)
    print_json(rows, options.backend, failed == 0);
  else
    print_table(rows, differences);
  if (failed > 0)
    throw Error(text(failed, " of ", rows.size(),
                     failed == 1 ? " gradient is wrong: " : " gradients are wrong; look first at ",
                     failure_text(*smallest_failure(rows), differences)),
                differences
                    ? "A backward pass (src/layers, src/reference) is not the derivative of its forward pass."
                    : text("The ", options.backend, " backend's gradients differ from the reference's."));
  if (!options.json)
    std::printf("\nAll %zu gradients agree %s; the largest error is %s.\n", rows.size(),
                differences ? "with central differences in f64" : "with the reference in f64",
                scientific(worst).c_str());
}

}  // namespace

void add_gradcheck(Command& program) {
  const auto options = std::make_shared<Options>();
  Command& command =
      program.subcommand("gradcheck", "check every hand-written backward pass against central differences");
  command.add("--layer", options->layer, "only this layer")
      .allowed("one of " + names_of(gradcheck_layer_cases()));
  command.add("--model", options->model, "only this model, or any other that laban describe lists (slow)")
      .allowed("one of " + names_of(gradcheck_model_cases()));
  command
      .add("--device", options->backend,
           "reference: differences in f64; cpu, cuda: gradients in f32 against the reference's")
      .alias("--backend")
      .choices({"reference", "cpu", "cuda"});
  command.add("--seed", options->seed, "random seed of weights and inputs");
  options->flags.add_to(command, {"threads", "isa"});
  command.add("--json", options->json, "print JSON instead of a table");
  command.example("laban gradcheck --layer conv3d").example("laban gradcheck --device cpu");
  command.action([options] { run(*options); });
}

}  // namespace laban::tools
