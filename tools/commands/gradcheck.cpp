// laban gradcheck: are the backward passes the derivatives of the forward passes?
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/table.h"
#include "commands/commands.h"
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
};

/// The names in `cases`, each once, in order.
std::string names_of(const std::vector<GradcheckCase>& cases) {
  std::string names, last;
  for (const GradcheckCase& check : cases) {
    if (check.layer != last) names += (names.empty() ? "" : ", ") + check.layer;
    last = check.layer;
  }
  return names;
}

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
      throw UsageError("there is no layer called \"" + options.layer + "\"",
                       "Known layers: " + names_of(layers) + ".");
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
                    {"pass", row.pass()}});
  std::printf("%s\n",
              nlohmann::ordered_json{{"backend", backend}, {"pass", passed}, {"rows", list}}.dump(2).c_str());
}

void run(const Options& options) {
  const bool differences = options.backend == "reference";
  ReferenceBackend reference;
  std::unique_ptr<Backend> tested;
  if (options.backend == "cpu") tested = std::make_unique<CpuBackend>();
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
    throw Error(text(failed, " of ", rows.size(), " gradients are wrong"),
                differences
                    ? "A backward pass (src/layers, src/reference) is not the derivative of its forward pass."
                    : text("The ", options.backend, " backend's gradients differ from the reference's."));
  if (!options.json)
    std::printf("\nAll %zu gradients agree %s; the largest error is %s.\n", rows.size(),
                differences ? "with central differences in f64" : "with the reference in f64",
                scientific(worst).c_str());
}

}  // namespace

void add_gradcheck(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("gradcheck", "check every hand-written backward pass against central differences");
  command->add_option("--layer", options->layer, "only this one: " + names_of(gradcheck_layer_cases()));
  command->add_option(
      "--model", options->model,
      "only this one: " + names_of(gradcheck_model_cases()) + "; or any model of `laban describe` (slow)");
  command
      ->add_option("--backend", options->backend,
                   "reference: f64 differences; cpu, cuda: its f32 gradients against the reference's")
      ->capture_default_str()
      ->check(CLI::IsMember({"reference", "cpu", "cuda"}));
  command->add_option("--seed", options->seed, "of weights and inputs")->capture_default_str();
  command->add_flag("--json", options->json, "print JSON instead of a table");
  command->callback([options] { run(*options); });
}

}  // namespace laban::tools
