// The subcommands of laban, one file each.
#pragma once

#include "command_line/command.h"

namespace laban::tools {

// Each adds its subcommand, with its arguments and action, to the program. An action throws laban::Error on
// failure.
void add_describe(Command& program);
void add_gradcheck(Command& program);
void add_train(Command& program);
void add_eval(Command& program);
void add_predict(Command& program);
void add_features(Command& program);
void add_settings(Command& program);
void add_report(Command& program);
void add_synth(Command& program);
void add_index(Command& program);
void add_sample(Command& program);
void add_check(Command& program);
void add_frames(Command& program);
void add_bench(Command& program);
void add_floor(Command& program);
void add_cache(Command& program);
void add_preview(Command& program);
void add_forward(Command& program);
void add_export(Command& program);
void add_weights(Command& program);
void add_completion(Command& program);
void add_man(Command& program);

}  // namespace laban::tools
