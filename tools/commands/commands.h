// The subcommands of laban, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace laban::tools {

// Each adds its subcommand, with flags and callback, to the program. A callback throws laban::Error on
// failure.
void add_describe(CLI::App& app);
void add_gradcheck(CLI::App& app);
void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_predict(CLI::App& app);
void add_features(CLI::App& app);
void add_settings(CLI::App& app);
void add_report(CLI::App& app);
void add_synth(CLI::App& app);
void add_index(CLI::App& app);
void add_sample(CLI::App& app);
void add_check(CLI::App& app);
void add_frames(CLI::App& app);
void add_bench(CLI::App& app);
void add_cache(CLI::App& app);
void add_preview(CLI::App& app);
void add_forward(CLI::App& app);
void add_export(CLI::App& app);

}  // namespace laban::tools
